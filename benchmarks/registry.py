"""The registry at full size: 80 administrations, 5,000 offices, ten years of keys. A client that begins, and one that returns.

Each is a process of its own, measured from its first call to the registry in hand; beside it, in turn, the floor: so many
signatures verified and nothing else.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eata_clients.authoring import registering
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.issuer.client import read_party
from eata_clients.net.network import Network
from eata_clients.net.receipts import Committed
from eata_clients.net.streaming import submit_many
from eata_clients.net.transport import Transport, now
from eata_clients.sandbox.registrations import registrations
from eata_clients.trust.registry_pages import KeptRegistry, fetch
from eata_host.vault import read_key
from eata_ledger.carnet.dates import DAY, day_of
from eata_ledger.log import bodies
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey, verify
from eata_ledger.seal.stanza import SealingKey
from eata_node.operator.cluster import running
from eata_node.operator.commands import write_network
from rich.console import Console
from rich.progress import Progress

from benchmarks.measuring import machine, memory_mb
from tests.mesh import People, prepare

ADMINISTRATIONS, OFFICES, YEARS = 80, 5_000, 10
_KEY_DAYS = 120  # that a generation of a territory's key lives
_TYPES, _AT_ONCE = ["AIRPORT"], 256


def parties(codes: list[str], where: list[tuple[str, str]]) -> dict[str, Any]:
    """Administrations, each with a territory of its own code, and offices: (code, administration)."""
    return {
        "organisations": [], "administrations": [{"code": code} for code in codes],
        "territories": [
            {"code": code, "administrations": [code], "digital_from": "2026-06-01", "two_step_export": False}
            for code in codes
        ],
        "offices": [
            {"code": office, "administration": code, "territory": code, "name": f"Office {office}", "zone": "Europe/Zurich"}
            for office, code in where
        ],
    }  # fmt: skip


def _source(administrations: int, offices: int) -> dict[str, Any]:
    codes = [f"T{number:02d}" for number in range(administrations)]
    where = [
        (f"{codes[n % administrations]}-{n // administrations + 1}", codes[n % administrations]) for n in range(offices)
    ]
    return parties(codes, where) | {
        "regions": [
            {"code": f"{code}-R", "administration": code, "territory": code, "name": f"Region of {code}"} for code in codes
        ],
        "described": [
            {"office": office, "administration": code, "region": f"{code}-R", "address": f"Harbour Road 12, {office}",
             "contact": "+41 61 555 01 23", "hours": "Mo-Fr 06:00-22:00, Sa 08:00-14:00",
             "latitude": 47.5, "longitude": 7.6, "types": _TYPES}
            for office, code in where
        ],
    }  # fmt: skip


def _years(people: People, codes: list[str], years: int) -> Iterator[Entry]:
    """What ten years bring: generations of territory keys, and every year another desk authority, the old one revoked."""
    ledger, stamp = people.network.ledger, Stamp(now(), life=3_600_000)
    day = day_of(datetime.now(UTC).date().isoformat()) - 1
    for code in codes:
        party = read_party(people.home / "offices" / code / "party.cbor")
        recipient = [(party.seal_id, party.seal.public)]
        for generation in range(2, years * 365 // _KEY_DAYS + 1):
            validity = (now() - DAY, now() + 90 * DAY)
            yield registering.territory_key(
                ledger, party, code, generation, SealingKey(os.urandom(32)), recipient, validity, stamp
            )
        old = SigningKey(read_key(people.home / "offices" / code / "desk-authority.key"))
        for _ in range(years - 1):
            authority = SigningKey(os.urandom(32))
            yield registering.desk_authority(ledger, party, authority, day, stamp)
            yield make(ledger, bodies.RevokeKey(old.id), stamp, (party.sign,))
            old = authority


async def run(folder: Path, size: tuple[int, int, int], rounds: int, console: Console) -> dict[str, Any]:
    """`size`: administrations, offices, years."""
    administrations, offices, years = size
    facts, home = machine(), folder / "ledger"
    prepare(home)
    with running(home):
        network = write_network(home)
        people, source = People(home), _source(administrations, offices)
        with console.status("signing the registry"):
            entries = registrations(source, home / "offices", people.network.ledger)
            entries += _years(people, [one["code"] for one in source["administrations"]], years)
        await _register(people, entries, console)
        fresh, again, floors = [], [], []
        with console.status("clients begin and return"):
            for number in range(rounds):
                own = folder / f"client-{number}"
                fresh.append(await asyncio.to_thread(_client, network, own))
                again.append(await asyncio.to_thread(_client, network, own))
                floors.append(_floor(fresh[-1]["count"]))
    floor = statistics.median(floors)
    seconds, returned = (statistics.median(one["seconds"] for one in runs) for runs in (fresh, again))
    return {
        "machine": facts, "registrations": fresh[0]["count"], "floor_seconds": round(floor, 3),
        "fresh": fresh, "returning": again,
        "ratios": {"fresh ÷ verifying its signatures": round(seconds / floor, 2), "returning ÷ fresh": round(returned / seconds, 3)},
    }  # fmt: skip


async def _register(people: People, entries: list[Entry], console: Console) -> None:
    async with people.transport() as transport:
        known = await fetch(transport)
        charter = known.charter
        with Progress(console=console) as bar:
            task = bar.add_task(f"{len(entries):,} registrations", total=len(entries))
            for first in range(0, len(entries), _AT_ONCE):
                async for _, answer in submit_many(transport, charter, entries[first : first + _AT_ONCE]):
                    assert isinstance(answer, Committed), answer
                    bar.advance(task)
                known = await fetch(transport, known)  # as in ten years of service: somebody asks now and then


def _client(network: Path, folder: Path) -> dict[str, Any]:
    """A process that has its registry; what it says of itself."""
    command = [sys.executable, "-m", "benchmarks.registry", str(network), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


async def _begin(network: Path, folder: Path) -> dict[str, Any]:
    before, started = memory_mb(os.getpid()), time.perf_counter()
    async with Transport(Network.read(network)) as transport:
        registry = await KeptRegistry(transport, folder).get()
        assert registry.live(now())
        seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 3),
        "memory_mb": round(memory_mb(os.getpid()) - before, 1),
        "count": registry.count,
    }


def _floor(count: int) -> float:
    key, message = SigningKey(os.urandom(32)), os.urandom(300)
    public, signature, started = key.public, key.sign(message), time.perf_counter()
    for _ in range(count):
        verify(public, signature, message)
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_begin(Path(sys.argv[1]), Path(sys.argv[2])))))
