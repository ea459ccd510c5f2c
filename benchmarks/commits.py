"""Commits beside what one would use instead, interleaved in one run; a commit counts when found in every store.

One at a time and 64 at once, on streams and in batches of 64: an echo, six replicas on both engines, one replica, and
the peers that are installed.
"""

import os
import statistics
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eata_node.operator.cluster import REGIONS
from rich.console import Console

from benchmarks import peers
from benchmarks.ledgers import BATCH, BATCHED, BATCHES, STREAM, Ledger, ledger
from benchmarks.measuring import Figure, closed, machine, twice
from benchmarks.peers import Missing, Peer
from scripts import debian

AT_ONCE = (1, BATCHES, 64)
SIX, SIX_ETCD, ONE = "commit, six replicas", "commit, six on etcd", "commit, one replica"
_WARM = 8


@dataclass
class Field:
    """Everything that runs at the same time, and what was measured of it."""

    ledgers: list[Ledger] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)


@asynccontextmanager
async def _field(folder: Path, commits: int, all_of_them: bool, console: Console) -> AsyncIterator[Field]:
    found = Field()
    async with AsyncExitStack() as stack:
        if all_of_them:
            debian.etcd()
        wanted: list[tuple[str, int, tuple[str, ...]]] = [(SIX, 0, REGIONS)]
        if all_of_them:
            wanted += [(SIX_ETCD, 3, REGIONS), (ONE, 0, REGIONS[:1])]
        for number, (name, voters, regions) in enumerate(wanted):
            with console.status(f"building {commits} commits for “{name}”"):
                running = ledger(name, folder / f"ledger-{number}", commits, voters, regions)
                found.ledgers.append(await stack.enter_async_context(running))
        core = found.ledgers[0].cluster.home / "core"
        found.peers.append(await stack.enter_async_context(peers.echo(core)))
        for one in found.ledgers:
            found.peers += [one.peer, *one.many]
        if all_of_them:
            members = found.ledgers[1].cluster.voters
            assert members is not None, "it runs on etcd"
            found.peers.append(await stack.enter_async_context(peers.etcd_put(members)))
            for name, other in (("PostgreSQL insert", peers.postgres), ("NATS JetStream R3", peers.jetstream)):
                try:
                    found.peers.append(await stack.enter_async_context(other(folder / name.split()[0].lower())))
                except Missing as missing:
                    found.missing[name] = str(missing)
        yield found


async def run(folder: Path, commits: int, rounds: int, all_of_them: bool, console: Console) -> dict[str, Any]:
    """Figures of every round, their medians' ratios, and how many commits were found in every store."""
    one, many = max(1, commits // 5 // rounds), commits * 4 // 5 // rounds
    batches = max(BATCHES, many // BATCH)
    facts = machine()
    needed = rounds * (one + 2 * many + batches * BATCH) + 2 * _WARM + BATCH
    async with _field(folder, needed, all_of_them, console) as found:
        for peer in found.peers:
            await closed(peer.name, peer.call, 4, max(1, _WARM // peer.each), {}, peer.each)
        for number in range(rounds):
            for at_once, peer in [(n, peer) for n in AT_ONCE for peer in found.peers if n in peer.at_once]:
                count = batches if peer.each > 1 else many if at_once == 64 else one
                count *= 1 if peer.name.startswith("commit") else 4
                with console.status(f"round {number + 1} of {rounds}, {at_once} at once: {peer.name}"):
                    found.figures += await _measured(found, peer, at_once, count)
        kept = {one.peer.name: (len(one.load.acknowledged), one.found()) for one in found.ledgers}
    return {
        "machine": facts, "settings": {peer.name: peer.settings for peer in found.peers}, "missing": found.missing,
        "ratios": ratios(found.figures), "figures": [vars(figure) for figure in found.figures],
        "acknowledged_and_found_in_every_store": kept,
    }  # fmt: skip


async def _measured(found: Field, peer: Peer, at_once: int, count: int) -> list[Figure]:
    """One peer's figure; a ledger's commits one by one both as ordered and as final."""
    for one in found.ledgers:
        if one.peer is peer:
            return list(await twice(peer.name, one.commit, at_once, count, peer.pids))
    return [await closed(peer.name, peer.call, at_once, count, peer.pids, peer.each)]


def ratios(figures: list[Figure]) -> dict[str, float]:
    """The figures that are asked for, each of medians over the rounds."""

    def rate(what: str) -> float:
        load = next(one.load for one in figures if one.what == what and one.load != "1 at once")
        return _median(figures, what, load, "per_second")

    def p50(what: str) -> float:
        return _median(figures, what, "1 at once", "p50_ms")

    measured = {figure.what for figure in figures}
    wanted: dict[str, tuple[str, Callable[[], float]]] = {
        "six replicas ÷ echo": (SIX, lambda: rate(SIX) / rate("echo")),
        "six replicas, streams ÷ echo": (STREAM.format(SIX), lambda: rate(STREAM.format(SIX)) / rate("echo")),
        "six replicas, batches ÷ echo": (BATCHED.format(SIX), lambda: rate(BATCHED.format(SIX)) / rate("echo")),
        "one replica ÷ echo": (ONE, lambda: rate(ONE) / rate("echo")),
        "one replica, streams ÷ echo": (STREAM.format(ONE), lambda: rate(STREAM.format(ONE)) / rate("echo")),
        "six on etcd ÷ etcd put": (SIX_ETCD, lambda: rate(SIX_ETCD) / rate("etcd put")),
        "six on etcd, batches ÷ etcd put": (
            BATCHED.format(SIX_ETCD), lambda: rate(BATCHED.format(SIX_ETCD)) / rate("etcd put"),
        ),
        "single on etcd p50 ÷ (echo + etcd put) p50": (
            SIX_ETCD, lambda: p50(SIX_ETCD) / (p50("echo") + p50("etcd put")),
        ),
        "six on etcd ÷ PostgreSQL insert": (
            "PostgreSQL insert", lambda: rate(SIX_ETCD) / rate("PostgreSQL insert"),
        ),
        "six on etcd ÷ NATS JetStream R3": (
            "NATS JetStream R3", lambda: rate(SIX_ETCD) / rate("NATS JetStream R3"),
        ),
    }  # fmt: skip
    return {name: round(ratio(), 4) for name, (needs, ratio) in wanted.items() if needs in measured}


def _median(figures: list[Figure], what: str, load: str, of: str) -> float:
    return float(statistics.median(vars(one)[of] for one in figures if (one.what, one.load) == (what, load)))


def passphrase(folder: Path) -> None:
    """The benchmark's nodes lock their keys with one of their own."""
    os.environ["EATA_PASSPHRASE_FILE"] = str(folder / "passphrase")
    (folder / "passphrase").write_text(os.urandom(16).hex())
