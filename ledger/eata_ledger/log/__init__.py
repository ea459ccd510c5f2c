"""What the log is made of: entries and their bodies, groups, leaves, genesis, keys."""
