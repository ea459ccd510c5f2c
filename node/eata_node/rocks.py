"""RocksDB in raw mode, opened one way: bytes in, bytes out, column families by name.

Raw mode must be set on the Options of the store, of every family and of every batch; scans need an upper
bound or they run past their prefix.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rocksdict import ColumnFamily, Options, Rdict, ReadOptions, WriteBatch


class DamagedError(OSError):
    """RocksDB refused to open or read: the disk does not hold what was written."""


def _reason(what: str, error: Exception) -> OSError:
    """Corruption is damage; a held lock, a full disk or missing rights are not."""
    text = f"{what}: {error}"
    damaged = "Corruption" in str(error) or "checksum" in str(error)
    return DamagedError(text) if damaged else OSError(text)


def hold(folder: Path) -> int:
    """Locks a folder for this process; the lock ends with it. Raises `BlockingIOError` if another has it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "process.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BlockingIOError(f"another process uses {folder}") from None
    return descriptor


class Rocks:
    """One open store. Every method raises `DamagedError` where RocksDB reports corruption."""

    def __init__(self, path: Path, families: Iterable[str], tune: Any = None) -> None:
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

    def get(self, family: str, key: bytes) -> bytes | None:
        try:
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
        self._db.write(batch.raw)

    def sync(self) -> None:
        """fsyncs the write-ahead log; releases the GIL, so call it in a thread."""
        self._db.flush_wal(True)

    def flush(self) -> None:
        """Writes memtables to SST files."""
        for store in self._families.values():
            store.flush()

    def close(self) -> None:
        self._families.clear()
        self._handles.clear()
        self._db.close()


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
