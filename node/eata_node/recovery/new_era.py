"""What is left when the engine is lost for good: the longest replica that is whole, and a new era over its tree.

An engine is never restored from a copy of itself: a copy has forgotten what it has acknowledged since.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eata_host.files import write_durable
from eata_ledger.encoding import Malformed
from eata_ledger.log.entry import Entry
from eata_ledger.log.genesis import Charter, Genesis
from eata_ledger.log.leaf import Leaf
from eata_ledger.log.opening import EraOpening, check_opening, next_era
from eata_ledger.outcomes import Outcome

from eata_node.engine.log_store import LogDisk, LogStore
from eata_node.engine.members import JOINS
from eata_node.ground.config import ClusterFile
from eata_node.ground.rocks import DamagedError, Rocks
from eata_node.replica.scrub import scrub
from eata_node.replica.store import FAMILIES, ORPHANED, Store

Progress = Callable[[str, int, int], None]  # node, entries found whole, entries


class NothingLeft(Exception):
    """No replica here is whole, or the one named is not."""


@dataclass(frozen=True)
class Found:
    """A stopped node's replica: its entries and root, and why it cannot be trusted, empty if it can."""

    node: str
    size: int
    root: bytes
    damage: str = ""


def survey(home: Path, progress: Progress) -> list[Found]:
    """Every replica on this machine, each entry of it recomputed; the longest whole one first."""
    found = [_look(folder, progress) for folder in _stores(home)]
    return sorted(found, key=lambda one: (not one.damage, one.size), reverse=True)


def longest(home: Path, progress: Progress) -> Found | None:
    """The first of `survey` that is whole and not empty; shorter ones are recomputed only where longer ones are damaged."""
    found = (_look(folder, progress) for folder in sorted(_stores(home), key=_size, reverse=True))
    return next((one for one in found if not one.damage and one.size), None)


def _stores(home: Path) -> list[Path]:
    """The folders of nodes that have a store on this machine."""
    folders = (home / "nodes" / member.name for member in ClusterFile.read(home).nodes)
    return [folder for folder in folders if (folder / "store").exists()]


def _size(folder: Path) -> int:
    """Entries as the store itself says, 0 where it cannot be asked."""
    try:
        store = Store.open(folder)
    except (DamagedError, Malformed):
        return 0
    try:
        kept = store.log_state()
        return 0 if kept is None else kept[0].size
    except (DamagedError, Malformed):
        return 0
    finally:
        store.close()


def _look(folder: Path, progress: Progress) -> Found:
    try:
        store = Store.open(folder)
        try:
            kept = store.log_state()
            size = 0 if kept is None else kept[0].size
            for whole in scrub(store, size):
                progress(folder.name, whole, size)
            fetching = store.fetching()
            damage = "" if fetching is None else "it was still fetching entries from its peers"
            return Found(folder.name, size, store.root(size), damage)
        finally:
            store.close()
    except (DamagedError, Malformed, KeyError) as error:
        return Found(folder.name, 0, b"", str(error))


def propose(
    home: Path, genesis: Genesis, found: list[Found], node: str = "", log_time: int | None = None
) -> tuple[Found, EraOpening]:
    """An opening over the longest whole replica, or over the one named; unsigned. Raises `NothingLeft`.

    `log_time` (ms UTC) where wrong clocks have moved it.
    """
    whole = [one for one in found if not one.damage and node in ("", one.node)]
    if not whole:
        raise NothingLeft(node or "no replica is whole")
    before = check_opening(genesis, (home / "era.cbor").read_bytes())
    return whole[0], next_era(genesis, before.era, whole[0].size, whole[0].root, log_time)


def charter_here(home: Path, genesis: Genesis, node: str) -> Charter:
    """Root and node set as a stopped node's replica knows them."""
    store = Store.open(home / "nodes" / node)
    try:
        return store.charter(genesis)
    finally:
        store.close()


def install(home: Path, genesis: Genesis, opening: EraOpening) -> None:
    """The old engine becomes evidence, an empty one takes its place; the nodes enter the era when they start."""
    before = opening.era.previous_era
    for folder in (home / "etcd").glob("*"):
        _move(folder / "data", folder / f"era-{before}")
        (folder / JOINS).unlink(missing_ok=True)  # there is nobody left to join
    core = home / "core"
    for name in ("log", "head.mark"):
        _move(core / name, core / f"era-{before}" / name)
    write_durable(home / "era.cbor", opening.to_bytes())
    log = LogStore(LogDisk(core), genesis)
    log.refill(0, opening.to_bytes())
    log.go_live()
    log.close()


def _move(path: Path, to: Path) -> None:
    if path.exists():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, to)


def orphans(home: Path, node: str) -> Iterator[tuple[int, Leaf, Entry]]:
    """Entries that a node had and the era that came after does not: (index then, leaf, entry), whole, accepted ones."""
    size = EraOpening.from_bytes((home / "era.cbor").read_bytes()).era.size
    store = Store(Rocks(home / "nodes" / node / ORPHANED, FAMILIES))
    try:
        kept = store.log_state()
        for index in range(size, 0 if kept is None else kept[0].size):
            stored, entry = store.whole_entry(index)
            leaf = Leaf.from_bytes(stored.leaf)
            if leaf.outcome == Outcome.ACCEPTED:
                yield index, leaf, entry
    finally:
        store.close()
