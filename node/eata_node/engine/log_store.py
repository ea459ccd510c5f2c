"""The embedded engine's log on disk: groups by position in RocksDB, and the head mark beside it.

Opening tells LIVE from RECOVERING: a log that is short of its mark, contradicts it, or cannot be read is
refilled from the replicas; never is a position used twice.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eata_host.files import hold
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.opening import check_opening
from eata_ledger.wire import group_from_bytes
from rocksdict import DBRecoveryMode

from eata_node.engine.log_head import Tip
from eata_node.engine.mark import File, Mark, MarkFile
from eata_node.ground.rocks import END, DamagedError, Rocks, u64

LOG, BASE = "log", "base"


def _tune(options: Any) -> None:
    options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())


class LogDisk:
    """Where the log and its head mark lie; one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, hold(folder)

    def mark(self) -> MarkFile:
        return MarkFile(File(self._folder / "head.mark"))

    def open(self) -> Rocks:
        return Rocks(self._folder / "log", [LOG, BASE], _tune)

    def set_aside(self) -> None:
        """A log that cannot be trusted is kept as evidence, never written to again."""
        n = sum(1 for _ in self._folder.glob("damaged-*"))
        (self._folder / "log").rename(self._folder / f"damaged-{n + 1}")

    def close(self) -> None:
        os.close(self._lock)


class LogStore:
    """Groups 0 to `head`. Not thread-safe but for `sync`."""

    def __init__(self, disk: LogDisk, genesis: Genesis) -> None:
        self._disk, self._genesis = disk, genesis
        self.evidence = ""
        self._mark_file = disk.mark()
        self.mark: Mark | None = self._mark_file.read()
        self.mark_certain = not self._mark_file.damaged
        self.live = False
        self.evidence = self._open()
        if self.evidence:
            self._set_aside()
            self._open()
        if self.reached and self.mark_certain:
            self.go_live()

    def _open(self) -> str:
        """Reads the log from where it has been compacted to; returns why it cannot be trusted, empty if it can."""
        self.tip, self._base, self.chain_at_mark = Tip(self._genesis), Tip(self._genesis), b""
        try:
            self._rocks = self._disk.open()
            kept = self._rocks.get(BASE, b"tip")
            if kept is not None:
                self.tip, self._base = (Tip.from_bytes(self._genesis, kept) for _ in range(2))
                self._look_at_mark()
            for key, group in self._rocks.scan(LOG, u64(self.head + 1), END):
                if key != u64(self.head + 1):
                    raise DamagedError(f"position {self.head + 1} is missing")
                self._take(group)
            if self.mark is not None and self.head >= self.mark.position and self.chain_at_mark != self.mark.chain:
                raise DamagedError("the log contradicts its head mark")
        except (DamagedError, Malformed) as error:
            return str(error)
        return ""

    @property
    def head(self) -> int:
        """The newest position, -1 in an empty log."""
        return self.tip.head

    @property
    def first(self) -> int:
        """The oldest position that a follower may begin at."""
        return self._base.head + 1 if self._base.head > 0 else 0

    def _set_aside(self) -> None:
        if hasattr(self, "_rocks"):
            self._rocks.close()
            del self._rocks
        self._disk.set_aside()

    def _take(self, group: bytes) -> None:
        self.tip.take(group)
        self._look_at_mark()

    def _look_at_mark(self) -> None:
        if self.mark is not None and self.head == self.mark.position:
            self.chain_at_mark = self.tip.chain

    def compact(self, before: int) -> None:
        """Forgets groups before a position that nobody needs any more, but not the era's opening."""
        batch, first = self._rocks.batch(), max(self.first, 1)
        if not first < before <= self.head:
            return
        for position, group in list(self.read(0 if self._base.head < 0 else first, before)):
            self._base.take(group)
            if position:
                batch.delete(LOG, u64(position))
        batch.put(BASE, b"tip", self._base.to_bytes())
        self._rocks.write(batch)

    def write(self, groups: list[bytes]) -> int:
        """Appends; durable once `sync` returns. Returns the first position."""
        batch, first = self._rocks.batch(), self.head + 1
        for n, group in enumerate(groups):
            batch.put(LOG, u64(first + n), group)
        self._rocks.write(batch)
        for group in groups:
            self._take(group)
        return first

    def sync(self, position: int, chain: bytes) -> None:
        """fsyncs the log, then the mark; call it in a thread."""
        self._rocks.sync()
        self._mark_file.write(position, chain)

    def get(self, position: int) -> bytes | None:
        return self._rocks.get(LOG, u64(position))

    def read(self, low: int, high: int) -> Iterator[tuple[int, bytes]]:
        """Groups with low ≤ position < high."""
        for key, group in self._rocks.scan(LOG, u64(low), u64(high)):
            yield int.from_bytes(key, "big"), group

    def refill(self, position: int, group: bytes) -> None:
        """One group from a replica while recovering, checked before it is written. Raises `Malformed`.

        A log that reaches the mark with another running hash is set aside whole: it begins again, empty.
        """
        if position <= self.head:
            if self.get(position) != group:
                raise Malformed(f"a replica holds another group at position {position}")
            return
        if position != self.head + 1:
            raise Malformed(f"position {self.head + 1} comes next, not {position}")
        self._genuine(position, group)
        at_mark = self.mark is not None and position == self.mark.position
        if at_mark and self.mark is not None and sha256(self.tip.chain + sha256(group)) != self.mark.chain:
            self._set_aside()
            self._open()
            raise Malformed("the refilled log contradicts the head mark; it begins again")
        self.write([group])

    def _genuine(self, position: int, group: bytes) -> None:
        if position == 0:
            check_opening(self._genesis, group)
            return
        received = group_from_bytes(group)
        key = self.tip.group_keys.get(received.group.header.node)
        if key is None or not received.group.genuine(key):
            raise Malformed(f"the group at position {position} is not genuine")
        if not received.group.holds(received.frames):
            raise Malformed(f"the group at position {position} holds other entries than were signed")

    @property
    def reached(self) -> bool:
        """True once everything the mark covers is back, in the mark's own order."""
        return self.mark is not None and self.head >= self.mark.position and self.chain_at_mark == self.mark.chain

    def go_live(self) -> None:
        """Everything acknowledged is back: fsync it and take appends again."""
        self.sync(self.head, self.tip.chain)
        self.mark, self.mark_certain = self._mark_file.read(), True
        self.live = True

    def close(self) -> None:
        self._rocks.close()
        self._mark_file.close()
        self._disk.close()
