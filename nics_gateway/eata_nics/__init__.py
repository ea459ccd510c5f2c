"""eATA."""
