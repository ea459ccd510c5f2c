"""The truth of eATA: rules, seals and proofs. No I/O, no clock, no gRPC, no RocksDB."""
