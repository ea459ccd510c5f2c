"""A trade fair's morning on six replicas, replayed from a seed: an even trickle, and lorries that come together.

81 territories, each with its keys and offices, and 80,000 officers, of whom every commit has another: no certificate has
been seen before. Open loop: a late answer delays nobody but is counted from when its lorry came.
"""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from eata_clients.authoring.clearing import sign_in
from eata_clients.net.receipts import Committed
from eata_clients.net.streaming import submit_many
from eata_clients.net.transport import now
from eata_clients.sandbox.registrations import registrations
from eata_clients.trust.registry_pages import fetch
from eata_host.vault import read_key
from eata_ledger.carnet.vocabulary import Role
from eata_ledger.log.keys import SigningKey
from rich.console import Console

from benchmarks.ledgers import ledger
from benchmarks.measuring import at_times, machine
from benchmarks.registry import parties
from tests.load import Clerk
from tests.mesh import People

TERRITORIES, OFFICERS = 81, 80_000
_SANDBOX = 6  # territories that are there before
_EVEN, _CONVOY = 15.0, 12  # lorries a second all morning; how many come at once in a burst
_SHARE = 0.5  # of all come in convoys


def arrivals(seed: int, count: int) -> list[float]:
    """Seconds from the doors' opening, ascending."""
    chance, length = random.Random(seed), count / _EVEN
    convoys = [chance.uniform(0, length) for _ in range(round(count * _SHARE / _CONVOY))]
    together = [at + chance.expovariate(20) for at in convoys for _ in range(_CONVOY)]
    alone = [chance.uniform(0, length) for _ in range(count - len(together))]
    return sorted(together + alone)


async def _clerks(seed: int, people: People) -> Iterator[Clerk]:
    """Registers the territories that the sandbox lacks; then officers, each signed in once, in any of these."""
    codes = [f"T{number:02d}" for number in range(TERRITORIES - _SANDBOX)]
    source = parties(codes, [(f"{code}-1", code) for code in codes])
    offices = people.home / "offices"
    async with people.transport() as transport:
        charter = (await fetch(transport)).charter
        entries = registrations(source, offices, charter.ledger)
        async for _, answer in submit_many(transport, charter, entries):
            assert isinstance(answer, Committed), answer
    people.tell(transport)
    authorities = {code: SigningKey(read_key(offices / code / "desk-authority.key")) for code in codes}

    def officers() -> Iterator[Clerk]:
        for number in random.Random(seed).sample(range(OFFICERS), OFFICERS):
            code = codes[number % len(codes)]
            who = number.to_bytes(16, "big")
            yield code, sign_in(charter.ledger, authorities[code], f"{code}-1", Role.OFFICER, now(), who)

    return officers()


async def run(folder: Path, commits: int, seed: int, console: Console) -> dict[str, Any]:
    """One figure, and that every commit was found in every store."""
    facts, name = machine(), f"fair, seed {seed}"
    with console.status(f"building {commits} commits by as many officers in {TERRITORIES} territories") as told:
        async with ledger(name, folder / "ledger", commits, clerks=partial(_clerks, seed)) as running:
            told.update("the doors open")
            due = arrivals(seed, commits)
            figure = await at_times(name, running.peer.call, due, f"{_EVEN:g}/s, bursts", running.peer.pids)
            kept = (len(running.load.acknowledged), running.found())
    return {"machine": facts, "settings": running.peer.settings, "figures": [vars(figure)],
            "territories": TERRITORIES, "officers": OFFICERS,
            "acknowledged_and_found_in_every_store": {"fair": kept}, "ratios": {}}  # fmt: skip
