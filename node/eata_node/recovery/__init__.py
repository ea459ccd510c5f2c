"""How a replica is built anew, backed up, and how an era is opened."""
