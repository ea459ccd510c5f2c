"""Commits beside a raw gRPC echo, interleaved in one run: `python -m benchmarks [--commits N] [--json FILE]`.

A commit is a real customs commit on six replicas in six processes: two author signatures, verified by every
replica, sealed parts, group commit with fsync. It counts once found in all six stores afterwards. The ratio
travels between machines; the absolute figures do not.
"""

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import grpc
import grpc.aio
import typer
import uvloop
from eata_node.cluster import Cluster, running
from eata_node.store import Store
from rich.console import Console

from benchmarks.echo import METHOD
from tests.load import Load, build
from tests.mesh import People, prepare, register

_MESSAGE = bytes(3_500)  # the size of a commit on the wire
_ROUNDS = 3
_CONCURRENCY = (1, 32)


@dataclass(frozen=True)
class Figure:
    """One measurement: calls a second, milliseconds."""

    what: str
    concurrency: int
    per_second: float
    p50_ms: float
    p99_ms: float


def _figure(what: str, concurrency: int, seconds: list[float], took: float) -> Figure:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Figure(
        what, concurrency, round(len(ordered) / took, 1), round(ordered[len(ordered) // 2] * 1e3, 3),
        round(p99 * 1e3, 3),
    )  # fmt: skip


@contextmanager
def _echo_server(folder: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.echo", str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


async def _measure_echo(address: str, authority: bytes, concurrency: int, count: int) -> Figure:
    credentials = grpc.ssl_channel_credentials(authority)
    seconds: list[float] = []
    left = iter(range(count))
    async with grpc.aio.secure_channel(address, credentials, options=(("grpc.enable_http_proxy", 0),)) as channel:
        call: Any = channel.unary_unary(METHOD)

        async def client() -> None:
            for _ in left:
                started = time.perf_counter()
                await call(_MESSAGE)
                seconds.append(time.perf_counter() - started)

        await call(_MESSAGE)
        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(concurrency)))
        return _figure("echo", concurrency, seconds, time.perf_counter() - started)


async def _measure_commits(people: People, load: Load, concurrency: int) -> Figure:
    started = time.perf_counter()
    await load.run(people, concurrency)
    return _figure("commit", concurrency, load.seconds, time.perf_counter() - started)


async def _run(cluster: Cluster, echo: str, commits: int, console: Console) -> tuple[list[Figure], Load]:
    people = People(cluster.home)
    async with people.transport() as transport:
        await register(cluster.home, transport)
    with console.status(f"building {commits} commits"):
        load = await build(people, commits)
    figures, at = [], 0
    share = {1: 0.2, 32: 0.8}
    for number in range(_ROUNDS):
        for concurrency in _CONCURRENCY:
            size = int(commits * share[concurrency]) // _ROUNDS
            part = Load(load.registry, load.entries[at : at + size], load.acknowledged)
            at += size
            with console.status(f"round {number + 1} of {_ROUNDS}, concurrency {concurrency}"):
                figures.append(await _measure_echo(echo, people.network.authority, concurrency, size * 4))
                figures.append(await _measure_commits(people, part, concurrency))
    return figures, load


def _found_everywhere(cluster: Cluster, load: Load) -> int:
    """Commits that stand at their acknowledged index in all six stores."""
    position = max(cluster.status(name).position for name in cluster.names)
    for name in cluster.names:
        cluster.wait(name, position)
    cluster.stop_all()
    good = set(load.acknowledged)
    for name in cluster.names:
        store = Store(cluster.home / "nodes" / name)
        good = {digest for digest in good if store.whole_entry(load.acknowledged[digest])[1].hash == digest}
        store.close()
    return len(good)


def _summary(figures: list[Figure]) -> dict[str, Any]:
    """Medians over the rounds, and the ratio commit to echo."""
    summary: dict[str, Any] = {}
    for concurrency in _CONCURRENCY:
        middle = {}
        for what in ("echo", "commit"):
            found = sorted(
                (f for f in figures if (f.what, f.concurrency) == (what, concurrency)), key=lambda f: f.per_second
            )
            middle[what] = found[len(found) // 2]
        ratio = middle["commit"].per_second / middle["echo"].per_second
        summary[str(concurrency)] = {
            "echo": vars(middle["echo"]), "commit": vars(middle["commit"]), "commit_to_echo": round(ratio, 4),
        }  # fmt: skip
    return summary


def bench(
    commits: Annotated[int, typer.Option(help="How many commits to measure.")] = 600,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure as JSON here.")] = None,
) -> None:
    """Commit latency and throughput on six replicas beside a raw gRPC echo, interleaved."""
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        prepare(home)
        with running(home) as cluster, _echo_server(home / "core") as echo:
            figures, load = uvloop.run(_run(cluster, echo, commits, console))
            found = _found_everywhere(cluster, load)
    summary = _summary(figures)
    data = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "settings": {"fsync": True, "tls": True, "replicas": 6, "rounds": _ROUNDS, "message_bytes": len(_MESSAGE)},
        "acknowledged": len(load.acknowledged), "found_in_all_six": found, "summary": summary,
        "figures": [vars(figure) for figure in figures],
    }  # fmt: skip
    if json_file is not None:
        json_file.write_text(json.dumps(data, indent=2) + "\n")
    for concurrency, row in summary.items():
        commit, reference = row["commit"], row["echo"]
        typer.echo(
            f"concurrency {concurrency:>2}: {commit['per_second']:8.1f} commits/s (p50 {commit['p50_ms']} ms, p99 "
            f"{commit['p99_ms']} ms), {reference['per_second']:8.1f} echoes/s (p50 {reference['p50_ms']} ms), "
            f"ratio {row['commit_to_echo']}"
        )
    if found != len(load.acknowledged):
        typer.echo(f"{len(load.acknowledged) - found} acknowledged commits are not in all six stores", err=True)
        raise typer.Exit(1)


if __name__ == "__main__":
    sys.argv[0] = "benchmarks"
    typer.run(bench)
