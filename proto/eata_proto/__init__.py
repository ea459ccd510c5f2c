"""The wire contract of eATA."""
