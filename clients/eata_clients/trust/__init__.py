"""What a client believes and why: the registry, the trust file, audits, comparing nodes."""
