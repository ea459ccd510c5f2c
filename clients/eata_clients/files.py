"""Files that must survive a crash and be read by their owner only."""

import os
from pathlib import Path

from eata_ledger.encoding import Malformed


def read_key(path: Path) -> bytes:
    """A 32-byte key file. Raises `Malformed` for any other file."""
    data = path.read_bytes()
    if len(data) != 32:
        raise Malformed(f"{path.name} is not a key file (32 bytes)")
    return data


def write_secret(path: Path, data: bytes) -> None:
    """Durable and whole once it returns: a temporary file, fsync, rename. Mode 0600 from the first byte."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
