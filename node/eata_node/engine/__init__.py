"""Log engines: what orders groups and keeps them."""
