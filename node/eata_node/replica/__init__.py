"""One replica of the ledger: its store, what it applies, what it signs."""
