"""A journey before and after it: plans, preparation, files, reconciliation, claims."""
