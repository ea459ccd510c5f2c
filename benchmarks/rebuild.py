"""How fast a replica that has lost its disk is whole again while the others serve: from its start to the same root.

It takes the log where the log still reaches back, and peers' entries up to a cosigned landmark where it does not.
"""

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import grpc
from eata_node.operator.cluster import Cluster
from rich.console import Console

from benchmarks.ledgers import BATCH, ledger
from benchmarks.measuring import closed, cpu_seconds, machine, memory_mb

_LOST, _PATIENCE = "tokyo", 600.0  # seconds


async def run(folder: Path, commits: int, console: Console) -> dict[str, Any]:
    """Seconds, entries a second, CPU seconds and memory of the replica that was rebuilt."""
    facts, rounds = machine(), max(1, commits // BATCH)
    with console.status(f"building {rounds * BATCH} commits"):
        async with ledger("rebuild", folder / "ledger", rounds * BATCH) as running:
            batches = running.many[1]
            await closed(batches.name, batches.call, batches.at_once[0], rounds, {}, BATCH)
            cluster = running.cluster
            cluster.kill(_LOST)
            shutil.rmtree(cluster.home / "nodes" / _LOST / "store")
            started, pid = time.perf_counter(), cluster.start(_LOST)
            console.print(f"{_LOST} has lost its store")
            size = await asyncio.to_thread(_whole, cluster)
            seconds, cpu, memory = time.perf_counter() - started, cpu_seconds(pid), memory_mb(pid)
            kept = (len(running.load.acknowledged), running.found())
    return {
        "machine": facts, "entries": size, "seconds": round(seconds, 1), "entries_a_second": round(size / seconds),
        "cpu_seconds": round(cpu, 1), "memory_mb": memory, "acknowledged_and_found_in_every_store": {"rebuild": kept},
        "ratios": {},
    }  # fmt: skip


def _whole(cluster: Cluster) -> int:
    """Its size once it follows with the root that another has at that size."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            lost, other = (cluster.status(name) for name in (_LOST, cluster.names[0]))
            if lost.state == "FOLLOWING" and (lost.size, lost.root) == (other.size, other.root):
                return lost.size
        except grpc.RpcError:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"{_LOST} is not whole after {_PATIENCE:.0f} s")
