"""What node and clients share of the machine they run on: files, keys on disk, the terminal."""
