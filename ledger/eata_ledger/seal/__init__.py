"""Sealing: what makes nodes unable to read. Formats are frozen (docs/formats.md)."""
