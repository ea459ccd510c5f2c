"""Disks that lose what was not synced, fail a write with or without keeping it, and rot; RocksDB's interface over them.

A kill of the process loses nothing (the pages are the kernel's); a power cut goes back to the last sync, or to any
point after it. RocksDB writes a batch whole or not at all, and its checksums tell flipped bits: so does this model.
"""

import random
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from eata_node.engine.log_store import LogDisk
from eata_node.engine.mark import File, MarkFile
from eata_node.ground.rocks import Batch, DamagedError, Rocks

from tests.simulation.loop import Process

Undo = list[tuple[str, bytes, bytes | None]]


@dataclass
class Platter:
    """One machine's disk: pairs by family, small files, and what is not synced yet."""

    seeded: random.Random
    pairs: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    keys: dict[str, list[bytes]] = field(default_factory=dict)
    unsynced: list[Undo] = field(default_factory=list)
    rotten: set[tuple[str, bytes]] = field(default_factory=set)
    files: dict[str, bytearray] = field(default_factory=dict)
    fail_next: str = ""  # "lost" or "kept": the next write raises, and was not or was persisted
    written: int = 0

    def family(self, name: str) -> dict[bytes, bytes]:
        self.keys.setdefault(name, [])
        return self.pairs.setdefault(name, {})

    def failing(self) -> str:
        how, self.fail_next = self.fail_next, ""
        return how

    def put(self, name: str, key: bytes, value: bytes | None) -> bytes | None:
        """Returns what was there."""
        family = self.family(name)
        before = family.get(key)
        self.rotten.discard((name, key))
        if value is None:
            if before is not None:
                del family[key]
                self.keys[name].pop(bisect_left(self.keys[name], key))
        else:
            if before is None:
                insort(self.keys[name], key)
            family[key] = value
        return before

    def cut_power(self) -> int:
        """Back to the last sync or any point after it; returns how many batches are gone."""
        kept = self.seeded.randint(0, len(self.unsynced))
        gone = self.unsynced[kept:]
        for undo in reversed(gone):
            for name, key, before in reversed(undo):
                self.put(name, key, before)
        self.unsynced.clear()
        return len(gone)

    def rot(self) -> str:
        """Flips a bit somewhere in the store; a read of it fails its checksum. Returns where, empty if there is nothing."""
        full = sorted(name for name, pairs in self.pairs.items() if pairs)
        if not full:
            return ""
        name = self.seeded.choice(full)
        key = self.seeded.choice(self.keys[name])
        self.rotten.add((name, key))
        return name

    def wipe(self) -> None:
        """A new, empty disk for the store; the small files lie elsewhere."""
        self.pairs.clear()
        self.keys.clear()
        self.unsynced.clear()
        self.rotten.clear()


class _Writes(Batch):
    """What a batch holds, in order."""

    def __init__(self) -> None:
        self.puts: list[tuple[str, bytes, bytes | None]] = []

    def put(self, family: str, key: bytes, value: bytes) -> None:
        self.puts.append((family, key, value))

    def delete(self, family: str, key: bytes) -> None:
        self.puts.append((family, key, None))


class SimRocks(Rocks):
    """The shipped store's view of a platter, for as long as its process lives."""

    def __init__(self, platter: Platter, owner: Process) -> None:
        self._platter, self._owner = platter, owner

    def _whole(self, family: str, key: bytes) -> None:
        if (family, key) in self._platter.rotten:
            raise DamagedError(f"cannot read {family}: Corruption: block checksum mismatch")

    def get(self, family: str, key: bytes) -> bytes | None:
        self._whole(family, key)
        return self._platter.family(family).get(key)

    def scan(self, family: str, low: bytes, high: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key in self._between(family, low, high):
            self._whole(family, key)
            value = self._platter.family(family).get(key)
            if value is not None:
                yield key, value

    def scan_back(self, family: str, low: bytes, high: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key in reversed(self._between(family, low, high)):
            self._whole(family, key)
            yield key, self._platter.family(family)[key]

    def _between(self, family: str, low: bytes, high: bytes) -> list[bytes]:
        self._platter.family(family)
        keys = self._platter.keys[family]
        return keys[bisect_left(keys, low) : bisect_left(keys, high)]

    def batch(self) -> Batch:
        return _Writes()

    def write(self, batch: Batch) -> None:
        assert isinstance(batch, _Writes)
        how = "lost" if not self._owner.alive else self._platter.failing()
        if how != "lost":
            undo = [(name, key, self._platter.put(name, key, value)) for name, key, value in batch.puts]
            self._platter.unsynced.append(undo)
            self._platter.written += 1
        if how:
            raise OSError("No space left on device")

    def sync(self) -> None:
        if self._owner.alive:
            self._platter.unsynced.clear()

    def flush(self) -> None:
        self.sync()

    def compact(self, family: str) -> None:
        self.sync()

    def close(self) -> None:
        """Nothing to release."""


class SimSlot:
    """A small file that is replaced whole."""

    def __init__(self, platter: Platter, owner: Process, name: str) -> None:
        self._platter, self._owner, self._name = platter, owner, name

    def read(self) -> bytes | None:
        found = self._platter.files.get(self._name)
        return None if found is None else bytes(found)

    def write(self, data: bytes) -> None:
        how = "lost" if not self._owner.alive else self._platter.failing()
        if how != "lost":
            self._platter.files[self._name] = bytearray(data)
        if how:
            raise OSError("No space left on device")


class SimFile(File):
    """The head mark's file: a write that fails may be torn."""

    def __init__(self, platter: Platter, owner: Process) -> None:
        self._platter, self._owner = platter, owner

    def read(self, size: int, at: int) -> bytes:
        return bytes(self._content()[at : at + size])

    def _content(self) -> bytearray:
        return self._platter.files.setdefault("head.mark", bytearray())

    def write(self, data: bytes, at: int) -> None:
        how = "lost" if not self._owner.alive else self._platter.failing()
        content = self._content()
        if len(content) < at + len(data):
            content.extend(bytes(at + len(data) - len(content)))
        if how == "lost" and self._owner.alive:
            data = data[: self._platter.seeded.randrange(len(data))]
        if self._owner.alive:
            content[at : at + len(data)] = data
        if how:
            raise OSError("Input/output error")

    def close(self) -> None:
        """Nothing to release."""


class SimLogDisk(LogDisk):
    """The core's log and mark on a platter."""

    def __init__(self, platter: Platter, owner: Process) -> None:
        self._platter, self._owner = platter, owner

    def mark(self) -> MarkFile:
        return MarkFile(SimFile(self._platter, self._owner))

    def open(self) -> Rocks:
        return SimRocks(self._platter, self._owner)

    def set_aside(self) -> None:
        self._platter.wipe()

    def close(self) -> None:
        """Nothing to release."""
