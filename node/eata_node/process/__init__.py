"""A node as a process."""
