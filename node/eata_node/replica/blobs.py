"""Sealed documents on this node's disk, by SHA-256; outside RocksDB, fsynced before they are vouched for."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from eata_host.files import write_secret
from eata_ledger.encoding import sha256

UNATTACHED_SECONDS = 48 * 3600  # twice as long as a storage receipt is good for
MOST_UNATTACHED = 4 << 30  # bytes, of all owners together
OF_CARNET, OF_ISSUER = 48 << 20, 512 << 20  # bytes that one carnet's devices, or one issuer, may have waiting here


class Blobs:
    """One folder; a file that is not what its name says does not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._unattached = {path.name: path.stat().st_size for path in self._files()}
        self._owners: dict[str, str] = {}

    def _files(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if len(path.name) == 64]

    def _path(self, digest: bytes) -> Path:
        return self.folder / digest.hex()

    def full(self, more: int, owner: str, budget: int) -> bool:
        """True where so many bytes more, attached by nobody yet, would be too many: of this owner, or of all together."""
        own = sum(size for name, size in self._unattached.items() if self._owners.get(name) == owner)
        return own + more > budget or sum(self._unattached.values()) + more > MOST_UNATTACHED

    def reserve(self, digest: bytes, size: int, owner: str) -> None:
        """Counts what is about to be kept and is not attached yet, once."""
        if not self._path(digest).exists():
            self._unattached[digest.hex()] = size
            self._owners.setdefault(digest.hex(), owner)

    def keep(self, digest: bytes, content: bytes) -> None:
        """Once it is on disk; one that was there is young again. Blocks for an fsync: call it in a thread."""
        if self.get(digest) is None:
            write_secret(self._path(digest), content)
        os.utime(self._path(digest))

    def get(self, digest: bytes) -> bytes | None:
        path = self._path(digest)
        if not path.exists():
            return None
        content = path.read_bytes()
        return content if sha256(content) == digest else None

    def drop(self, digest: bytes) -> None:
        self._path(digest).unlink(missing_ok=True)
        self._unattached.pop(digest.hex(), None)
        self._owners.pop(digest.hex(), None)

    def sweep(self, attached: Callable[[bytes], bool], age: float = UNATTACHED_SECONDS) -> None:
        """Drops what nobody has attached for `age` seconds, or what was erased meanwhile."""
        before = time.time() - age
        for path in self._files():
            digest = bytes.fromhex(path.name)
            if attached(digest):
                self._unattached.pop(path.name, None)
                self._owners.pop(path.name, None)
            elif path.stat().st_mtime < before:
                self.drop(digest)
