"""What a commit costs, and a replica weighs, as its store grows: the same commits at 10,000 carnets and at many.

Commits of 200 carnets are prepared first, so that what they read lies deep. Then carnets are added in bulk as a replica
writes them: a real carnet's facts under another ID, its entries, parts and tree nodes. Only `apply` is left out of the bulk.
"""

import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from eata_ledger.apply import Applied, apply
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.facts import Facts, key_of
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.log.leaf import Leaf
from eata_ledger.seal.codes import CodeKeys
from eata_node.replica.store import Store
from rich.console import Console
from rich.progress import Progress

from benchmarks.measuring import machine, memory_mb
from tests.world import World

_FIRST, _EACH, _BATCH = 10_000, 100, 64
_FAR = 1 << 40  # bulk carnets' IDs begin here


def _prepared(count: int) -> tuple[World, list[Entry], int]:
    """Carnets with a voucher each, and the desk's commit of it, not yet applied; the last one's ID."""
    world = World()
    keys = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
    entries, last = list[Entry](), 0
    with patch("eata_clients.authoring.issuing.code_keys", return_value=keys):
        for _ in range(count):
            held = world.hold(world.issue(), keys)
            [ticket] = world.travel(held, (Kind.VALIDATION, "CH", "1-20"))
            entries.append(world.commit_entry(ticket, "CHZRH"))
            last = held.carnet_id
    return world, entries, last


class _Grown:
    """A store that takes real commits and carnets in bulk."""

    def __init__(self, folder: Path, world: World, entry: Entry, like: int) -> None:
        self.folder, self.world, self.size, self.carnets = folder, world, 0, 0
        self.store = Store.open(folder)
        self.store.put_facts(world.facts)
        self.store.commit()
        applied = apply(world, entry, world.moment())
        assert isinstance(applied, Applied), "it is new"
        self._entry, self._leaf, self._facts = entry, Leaf.from_bytes(applied.leaf), applied.facts
        self._like = {name: value for name, value in world.facts.items() if name[1].startswith(key_of(like))}

    def grow(self, to: int, bar: Progress) -> None:
        """Carnets in bulk until there are so many, each with its facts and two entries."""
        task = bar.add_task(f"{to:,} carnets", total=to - self.carnets)
        while self.carnets < to:
            for _ in range(_BATCH):
                identity = key_of(_FAR + self.carnets)
                self.store.put_facts(
                    {(family, identity + key[8:]): value for (family, key), value in self._like.items()}
                )
                for _ in range(2):
                    leaf = replace(self._leaf, index=self.size).to_bytes()
                    self.store.put_entry(self.size, self.size + 1, self._entry, leaf, self._facts, Facts(self.store))
                    self.size += 1
                self.carnets += 1
            self.store.commit()
            bar.advance(task, _BATCH)

    def commits(self, entries: list[Entry]) -> dict[str, Any]:
        """Each judged, written and committed by itself, on a store just opened: nothing is warm."""
        self.store.flush()
        self.store.close()
        self.store = Store.open(self.folder)
        took = []
        for entry in entries:
            started = time.process_time()
            applied = apply(self.store, entry, replace(self.world.moment(), index=self.size))
            assert isinstance(applied, Applied), "it is new"
            self.store.put_facts(applied.effects)
            self.store.put_entry(self.size, self.size + 1, entry, applied.leaf, applied.facts, applied.state)
            self.store.commit()
            self.size += 1
            took.append(time.process_time() - started)
        disk = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        return {
            "carnets": self.carnets, "entries": self.size, "commit_ms": round(statistics.median(took) * 1000, 3),
            "memory_mb": memory_mb(os.getpid()), "store_mb": disk >> 20,
        }  # fmt: skip


def run(carnets: int, console: Console) -> dict[str, Any]:
    """The two stages and their ratio."""
    facts = machine()
    with tempfile.TemporaryDirectory() as folder, Progress(console=console, transient=True) as bar:
        world, entries, last = _prepared(2 * _EACH + 1)
        grown = _Grown(Path(folder), world, entries[-1], last)
        stages = []
        for at, stage in enumerate((_FIRST, carnets)):
            grown.grow(stage, bar)
            stages.append(grown.commits(entries[at * _EACH : (at + 1) * _EACH]))
        grown.store.close()
    ratio = round(stages[1]["commit_ms"] / stages[0]["commit_ms"], 3)
    return {"machine": facts, "stages": stages, "ratios": {f"a commit at {carnets:,} carnets ÷ at {_FIRST:,}": ratio}}
