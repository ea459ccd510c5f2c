"""The embedded log on disk: cut, flipped, unmarked and lost logs are noticed and refilled (P1)."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from eata_ledger.encoding import Malformed
from eata_ledger.log.group import NO_HASH, Group, GroupHeader, GroupKind
from eata_ledger.log.opening import first_era
from eata_ledger.wire import group_to_bytes
from eata_node.engine.log_store import LogDisk, LogStore
from eata_node.engine.mark import File, MarkFile

from tests.world import World


@dataclass
class Log:
    """A log with a hundred genuine groups, as a crash leaves it."""

    world: World
    folder: Path
    groups: list[bytes]

    def open(self) -> LogStore:
        return LogStore(LogDisk(self.folder), self.world.genesis)

    def wal(self) -> Path:
        return max((self.folder / "log").glob("*.log"), key=lambda path: path.stat().st_size)


def make_group(world: World, n: int, previous: bytes, padding: int = 0) -> tuple[bytes, bytes]:
    seeds = world.seeds[0]
    header = GroupHeader(
        1,
        world.ledger,
        1,
        GroupKind.ENTRIES,
        seeds.record.id,
        1,
        0,
        n,
        previous,
        world.now + padding,
        False,
        0,
        1,
        None,
        (),
    )
    group = Group(header, header.to_bytes(), header.sign(seeds.group))
    return group_to_bytes(group, ()), group.hash


@pytest.fixture
def log(world: World, tmp_path: Path) -> Log:
    store = LogStore(LogDisk(tmp_path / "core"), world.genesis)
    groups = [first_era(world.genesis, (world.root,))]
    store.refill(0, groups[0])
    store.go_live()
    previous = NO_HASH
    for n in range(1, 101):
        data, previous = make_group(world, n, previous)
        store.write([data])
        store.sync(store.head, store.tip.chain)
        groups.append(data)
    shutil.copytree(tmp_path / "core", tmp_path / "crashed")  # a clean close would empty the write-ahead log
    store.close()
    return Log(world, tmp_path / "crashed", groups)


def test_a_whole_log_opens_live(log: Log) -> None:
    store = log.open()
    assert (store.live, store.head) == (True, 100)
    assert [group for _, group in store.read(0, 101)] == log.groups
    store.close()


def test_a_cut_log_is_noticed_and_refilled(log: Log) -> None:
    """RocksDB opens a cut write-ahead log without complaint; the head mark does not."""
    wal = log.wal()
    os.truncate(wal, wal.stat().st_size - 3000)
    store = log.open()
    assert not store.live
    assert 0 < store.head < 100
    for position in range(store.head + 1, 101):
        store.refill(position, log.groups[position])
    store.go_live()
    assert (store.live, store.head) == (True, 100)
    store.close()
    assert log.open().live


def test_a_flipped_bit_sets_the_log_aside_and_refills_all(log: Log) -> None:
    wal = log.wal()
    data = bytearray(wal.read_bytes())
    data[len(data) // 2] ^= 1
    wal.write_bytes(data)
    store = log.open()
    assert (store.live, store.head) == (False, -1)
    assert list(log.folder.glob("damaged-*"))
    for position, group in enumerate(log.groups):
        store.refill(position, group)
    store.go_live()
    assert store.head == 100
    store.close()


def test_a_lost_mark_waits_for_the_replicas(log: Log) -> None:
    (log.folder / "head.mark").unlink()
    store = log.open()
    assert not store.live
    assert store.mark is None
    store.close()


def test_a_torn_mark_falls_back_to_the_one_before(tmp_path: Path) -> None:
    """Two slots, written in turn; a log with a torn one asks its replicas before it goes live."""
    marks = MarkFile(File(tmp_path / "head.mark"))
    marks.write(1, b"a" * 32)
    marks.write(2, b"b" * 32)
    marks.close()
    data = bytearray((tmp_path / "head.mark").read_bytes())
    data[0] ^= 1  # the second write went to slot 0
    (tmp_path / "head.mark").write_bytes(data)
    marks = MarkFile(File(tmp_path / "head.mark"))
    found = marks.read()
    assert found is not None
    assert (found.position, marks.damaged) == (1, True)


def test_a_refill_cannot_rewrite_forge_or_skip(log: Log) -> None:
    """What is there stays; a group must be genuine and the next one; the chain must meet the mark."""
    wal = log.wal()
    os.truncate(wal, wal.stat().st_size - 3000)
    store = log.open()
    nearest = store.head + 1
    with pytest.raises(Malformed, match="another group"):
        store.refill(3, log.groups[4])
    with pytest.raises(Malformed, match="comes next"):
        store.refill(nearest + 1, log.groups[nearest + 1])
    forged = bytearray(log.groups[nearest])
    forged[-1] ^= 1
    with pytest.raises(Malformed):
        store.refill(nearest, bytes(forged))
    store.close()


def test_a_refill_in_another_order_contradicts_the_mark(log: Log) -> None:
    """Groups are genuine one by one; only the running hash tells their order."""
    store = LogStore(LogDisk(log.folder), log.world.genesis)
    store.close()
    for path in (log.folder / "log").iterdir():
        path.unlink()
    store = log.open()
    for position, source in enumerate([*range(99), 100]):
        store.refill(position, log.groups[source])
    with pytest.raises(Malformed, match="contradicts the head mark"):
        store.refill(100, log.groups[99])
    assert (store.head, store.live, store.reached) == (-1, False, False)
    for position, group in enumerate(log.groups):
        store.refill(position, group)
    assert store.reached
    store.close()


def test_an_opening_not_signed_by_the_root_is_no_log(world: World, tmp_path: Path) -> None:
    store = LogStore(LogDisk(tmp_path / "core"), world.genesis)
    with pytest.raises(Malformed, match="root"):
        store.refill(0, first_era(world.genesis, (world.operations,)))
    store.close()
