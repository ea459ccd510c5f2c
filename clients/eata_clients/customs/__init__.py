"""The officer's client: desk, terminal, booth, the territory's keys."""
