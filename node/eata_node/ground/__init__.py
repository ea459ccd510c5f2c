"""What everything in a node stands on: configuration, RocksDB, metrics."""
