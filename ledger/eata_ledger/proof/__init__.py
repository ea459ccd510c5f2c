"""Proofs: keys and signatures, entries, groups, the Merkle tree, statements, checkpoints, trust files."""
