"""The commands of whoever runs nodes."""
