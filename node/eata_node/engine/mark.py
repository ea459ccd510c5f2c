"""The head mark: a second small fsynced file that says how far the log had come.

RocksDB opens a cut write-ahead log without complaint, so the log alone cannot tell that its tail is gone.
Two slots, written in turn, so a torn write never ruins both.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from eata_ledger.encoding import sha256

_FORM = struct.Struct(">QQ32s")
_SLOT = 4096


@dataclass(frozen=True)
class Mark:
    """The head's position and the running hash of every group up to it."""

    sequence: int
    position: int
    chain: bytes


class File:
    """Read and written in place."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def read(self, size: int, at: int) -> bytes:
        return os.pread(self._descriptor, size, at)

    def write(self, data: bytes, at: int) -> None:
        """Durable once it returns."""
        os.pwrite(self._descriptor, data, at)
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class MarkFile:
    """Durable once `write` returns."""

    def __init__(self, file: File) -> None:
        self._file = file
        self.damaged = False
        self._sequence = max((mark.sequence for mark in self._slots()), default=0)

    def _slots(self) -> list[Mark]:
        found = []
        for slot in (0, 1):
            data = self._file.read(_FORM.size + 32, slot * _SLOT)
            if len(data) == _FORM.size + 32 and sha256(data[: _FORM.size]) == data[_FORM.size :]:
                found.append(Mark(*_FORM.unpack(data[: _FORM.size])))
            elif data.strip(b"\x00"):
                self.damaged = True  # torn or rotten: which one, only the replicas can tell
        return found

    def read(self) -> Mark | None:
        """The newest whole mark, None where there is none."""
        return max(self._slots(), key=lambda mark: mark.sequence, default=None)

    def write(self, position: int, chain: bytes) -> None:
        self._sequence += 1
        data = _FORM.pack(self._sequence, position, chain)
        self._file.write(data + sha256(data), (self._sequence % 2) * _SLOT)

    def close(self) -> None:
        self._file.close()
