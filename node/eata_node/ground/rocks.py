"""RocksDB in raw mode, opened one way: bytes in, bytes out, column families by name.

Raw mode must be set on the Options of the store, of every family and of every batch; scans need an upper
bound or they run past their prefix.
"""

import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rocksdict import Checkpoint, ColumnFamily, Options, Rdict, ReadOptions, WriteBatch


class DamagedError(OSError):
    """RocksDB refused to open or read: the disk does not hold what was written."""


_BLOCK, _HEADER = 32 << 10, 7  # bytes of RocksDB's log format: checksum (4), length (2), kind (1), then the record
_RECYCLED = range(5, 9)
END = b"\xff" * 9  # behind every key; each family keeps there which write it saw last
# What a disk or a system refuses for a while; anything else says that the files are not what was written.
_PASSING = (
    "/LOCK", "No space", "Read-only", "Permission denied", "Input/output error", "Too many open files", "Cannot allocate",
    "Disk quota",
)  # fmt: skip


def _reason(what: str, error: Exception) -> OSError:
    """Damage is healed by a new store; a held lock, a full or failing disk or missing rights are not."""
    text = f"{what}: {error}"
    passing = "Corruption" not in text and any(sign in text for sign in _PASSING)
    return OSError(text) if passing else DamagedError(text)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """RocksDB's own exception as `OSError`, or as `DamagedError`."""
    try:
        yield
    except Exception as error:
        raise _reason(what, error) from error


def _refuse_endless(store: Path) -> None:
    """RocksDB reads on for ever at a record of a kind that only recycled logs have, which are never made here.

    One flipped bit of any record's header is enough. Other damage it tells by itself. Raises `DamagedError`.
    """
    for path in (*store.glob("MANIFEST-*"), *store.glob("*.log")):
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size and any(kind in _RECYCLED for kind in _kinds(file.fileno())):
                raise DamagedError(f"{path.name} holds a record that is none of its own")


def _kinds(descriptor: int) -> Iterator[int]:
    """Of each record, as far as they follow each other."""
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as data:
        at = 0
        while at + _HEADER <= len(data):
            left = _BLOCK - at % _BLOCK
            if left < _HEADER:
                at += left
                continue
            length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
            if not kind or _HEADER + length > left:
                return
            yield kind
            at += _HEADER + length


class Rocks:
    """One open store. Every method raises `DamagedError` where RocksDB reports corruption."""

    def __init__(self, path: Path, families: Iterable[str], tune: Any = None) -> None:
        _refuse_endless(path)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.create_missing_column_families(True)
        options.set_max_log_file_size(1 << 20)
        options.set_keep_log_file_num(2)
        options.set_write_buffer_size(16 << 20)
        if tune is not None:
            tune(options)
        wanted = {"default": Options(raw_mode=True), **{name: Options(raw_mode=True) for name in families}}
        try:
            self._db = Rdict(str(path), options, column_families=wanted)
            self._families = {name: self._db.get_column_family(name) for name in families}
            self._handles: dict[str, ColumnFamily] = {
                name: self._db.get_column_family_handle(name) for name in families
            }
        except Exception as error:
            raise _reason(f"cannot open {path.name}", error) from error
        self._last = self._of_one_moment()

    def _of_one_moment(self) -> int:
        """The number of the last write. RocksDB opens a cut MANIFEST without complaint, some families older than others.

        A family that a later version adds has to be marked before it is opened so; an older store has no marks at all.
        """
        lasts = {self.get(name, END) for name in self._families}
        if len(lasts) > 1:
            self.close()
            raise DamagedError("its families are not of one moment")
        return int.from_bytes(lasts.pop() or b"", "big")

    def get(self, family: str, key: bytes) -> bytes | None:
        try:  # the hot path: no context manager
            value: bytes | None = self._families[family].get(key)
        except Exception as error:
            raise _reason(f"cannot read {family}", error) from error
        return value

    def scan(self, family: str, low: bytes, high: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with low ≤ key < high, ascending; block checksums are verified."""
        options = ReadOptions()
        options.set_iterate_upper_bound(high)
        options.set_verify_checksums(True)
        store = self._families[family]
        try:
            iterator = store.iter(options)
            iterator.seek(low)
            while iterator.valid():
                yield iterator.key(), iterator.value()
                iterator.next()
            iterator.status()
        except Exception as error:
            raise _reason(f"cannot read {family}", error) from error

    def scan_back(self, family: str, low: bytes, high: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with low ≤ key < high, descending."""
        options = ReadOptions()
        options.set_verify_checksums(True)
        store = self._families[family]
        try:
            iterator = store.iter(options)
            iterator.seek_for_prev(high)
            if iterator.valid() and iterator.key() == high:
                iterator.prev()
            while iterator.valid() and iterator.key() >= low:
                yield iterator.key(), iterator.value()
                iterator.prev()
            iterator.status()
        except Exception as error:
            raise _reason(f"cannot read {family}", error) from error

    def batch(self) -> "Batch":
        return Batch(self._handles)

    def write(self, batch: "Batch") -> None:
        self._last += 1
        for family in self._families:
            batch.put(family, END, u64(self._last))
        with _told("cannot write"):
            self._db.write(batch.raw)

    def sync(self) -> None:
        """fsyncs the write-ahead log; releases the GIL, so call it in a thread."""
        with _told("cannot sync"):
            self._db.flush_wal(True)

    def flush(self) -> None:
        """Writes memtables to SST files."""
        with _told("cannot flush"):
            for store in self._families.values():
                store.flush()

    def copy(self, to: Path) -> None:
        """A store of its own at `to`, with everything that was written. Holds the GIL for a flush."""
        with _told(f"cannot copy to {to.name}"):
            Checkpoint(self._db).create_checkpoint(str(to))

    def compact(self, family: str) -> None:
        """Rewrites a family without what was deleted; its write-ahead log goes with the flush."""
        self.flush()
        self._families[family].compact_range(None, None)

    def close(self) -> None:
        """What could not be written was told when it was tried; the store is let go of all the same."""
        self._families.clear()
        self._handles.clear()
        with suppress(Exception):
            self._db.close()
        del self._db


class Batch:
    """Writes that become visible together."""

    def __init__(self, handles: dict[str, ColumnFamily]) -> None:
        self.raw = WriteBatch(raw_mode=True)
        self._handles = handles

    def put(self, family: str, key: bytes, value: bytes) -> None:
        self.raw.put(key, value, self._handles[family])

    def delete(self, family: str, key: bytes) -> None:
        self.raw.delete(key, self._handles[family])


def u64(number: int) -> bytes:
    """8 bytes big-endian: keys sort as numbers."""
    return number.to_bytes(8, "big")
