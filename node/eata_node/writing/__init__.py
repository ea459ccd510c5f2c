"""From an entry to its place in the log and its receipt."""
