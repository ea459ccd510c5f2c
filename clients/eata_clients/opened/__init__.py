"""Sealed parts as whoever holds the keys reads them."""
