"""Entries as their authors make them: sealed here, before anything is sent. No I/O; time is a parameter."""
