"""How long a replica takes to start on a store of many entries: `python -m benchmarks.restart --entries 1000000`.

The store is written as a replica writes it (entry, leaf, parts, views, tree nodes, one batch a group of 64), with one real
commit's bytes at every index; only `apply` is left out. What is measured is what a start does before it follows its log:
opening RocksDB and reading where it stood. A start after a kill -9 replays RocksDB's write-ahead log as well.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from eata_ledger import order
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.facts import Facts
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.log.leaf import Leaf
from eata_ledger.seal.codes import CodeKeys
from eata_node.replica.store import Store
from rich.console import Console
from rich.progress import Progress

from tests.world import World

_GROUP = 64


def _commit() -> tuple[World, Entry, Leaf, bytes]:
    """A real commit with its leaf and facts."""
    world = World()
    keys = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
    with patch("eata_clients.authoring.issuing.code_keys", return_value=keys):
        held = world.hold(world.issue(), keys)
    [ticket] = world.travel(held, (Kind.VALIDATION, "CH", "1-20"))
    entry = world.commit_entry(ticket, "CHZRH")
    applied = world.must(entry)
    return world, entry, Leaf.from_bytes(applied.leaf), applied.facts


def write(folder: Path, entries: int) -> None:
    world, entry, leaf, facts = _commit()
    store = Store.open(folder)
    store.put_facts(world.facts)
    state, nodes = order.start(world.genesis, 1)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("writing", total=entries)
        for first in range(0, entries, _GROUP):
            many = min(_GROUP, entries - first)
            for index in range(first, first + many):
                store.put_entry(
                    index, first // _GROUP + 1, entry, replace(leaf, index=index).to_bytes(), facts, Facts(store)
                )
            state = replace(state, position=state.position + 1, size=first + many)
            store.put_log_state(state, nodes, set(nodes))
            store.commit()
            bar.update(task, completed=first + many)
    store.close()


def opened(folder: Path) -> dict[str, Any]:
    """In a process of its own, as a start is."""
    started = time.perf_counter()
    store = Store.open(folder)
    kept = store.log_state()
    assert kept is not None, "it was written"
    root = store.root(kept[0].size)
    seconds = time.perf_counter() - started
    store.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"entries": kept[0].size, "root": root.hex(), "start_ms": round(seconds * 1000), "memory_mb": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.open is not None:
        print(json.dumps(opened(given.open)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), given.entries)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        runs = [_run(Path(folder)) for _ in range(3)]
    data = {**runs[0], "start_ms": sorted(run["start_ms"] for run in runs)[1], "store_mb": size >> 20}
    if given.json:
        print(json.dumps(data, indent=2))
    else:
        print(
            f"{data['entries']:,} entries, {data['store_mb']:,} MB: started in {data['start_ms']} ms, {data['memory_mb']} MB"
        )


def _run(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.restart", "--open", str(folder)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
