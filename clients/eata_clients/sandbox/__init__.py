"""A cluster to try things on: who is registered there, and the vectors played on it."""
