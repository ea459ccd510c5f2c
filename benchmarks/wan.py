"""Commits and reads from six regions, each against its own floor; a region lost midway; a model of the figures.

The log is the core of one region, or an etcd voter in each of three, placed well and badly. A voter's way to another voter
is delayed by a mount namespace of its own, which takes root.
"""

import random
import statistics
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from eata_clients.net.receipts import receipt
from eata_clients.net.transport import Transport
from eata_clients.trust.registry_pages import fetch
from eata_ledger.log.entry import Entry
from eata_node.operator.cluster import REGIONS
from rich.console import Console

from benchmarks.measuring import Figure, Twice, closed, machine, twice
from benchmarks.regions import ROUND_TRIPS, Log, Regions, round_trip, spread
from scripts import debian
from tests.apart import possible
from tests.load import Load
from tests.mesh import People
from tests.relay import relayed

CORES = (("frankfurt",), ("tokyo",))
VOTERS = (("frankfurt", "virginia", "mumbai"), ("tokyo", "johannesburg", "sao-paulo"))
_LOST, _LEFT = "mumbai", "johannesburg"


async def run(folder: Path, commits: int, console: Console) -> dict[str, Any]:
    """Figures and ratios to the floor of every region, for every place of the log, and with one region lost midway."""
    facts, found, reads = machine(), list[tuple[Log, str, Twice]](), list[Figure]()
    if possible():
        debian.etcd()
    for number, places in enumerate(CORES + (VOTERS if possible() else ())):
        async with spread(
            folder / str(number), places, len(places) > 1, commits * (len(REGIONS) + 1), console
        ) as world:
            left = iter(world.load.entries)
            for region in REGIONS:
                found.append((world.log, region, await _from(region, "", world, left, commits, console)))
            if not reads:
                with console.status("reading"):
                    reads = await _reads(world.people, world.load, commits)
            await world.require_leader()
            what = "the leader" if world.log.leader == _LOST else "a voter" if _LOST in places[1:] else "no voter"
            world.lose(_LOST)
            found.append((world.log, "", await _from(_LEFT, f", {_LOST} lost ({what})", world, left, commits, console)))
    ratios = {
        f"{figure.what}: p50 ÷ {floor:g} ms": round(figure.p50_ms / floor, 3)
        for log, region, both in found if region
        for figure, floor in ((both.ordered, log.floor(region)), (both.final, log.final_floor(region))) if floor
    }  # fmt: skip
    ratios["a read from the nearest proxy ÷ from any, p50"] = round(reads[0].p50_ms / reads[1].p50_ms, 3)
    ratios["model: the floor and a commit's own time where there is none, worst error"] = _model(found)
    return {
        "machine": facts, "round_trips_ms": {"–".join(k): v for k, v in ROUND_TRIPS.items()}, "ratios": ratios,
        "left_out": [] if possible() else ["voters in three regions: mount namespaces take root"],
        "figures": [vars(figure) for _, _, both in found for figure in both] + [vars(figure) for figure in reads],
    }  # fmt: skip


def _model(found: list[tuple[Log, str, Twice]]) -> float:
    """How far off the worst prediction of an ordered commit is, as a share of what was measured."""
    known = [(log.floor(region), both.ordered.p50_ms) for log, region, both in found if region]
    here = statistics.mean(p50 for floor, p50 in known if not floor)
    return round(max(abs(floor + here - p50) / p50 for floor, p50 in known), 3)


async def _from(
    region: str, how: str, world: Regions, left: Iterator[Entry], commits: int, console: Console
) -> Twice:  # fmt: skip
    """A desk in the region asks the proxy in its region."""
    what = f"{world.log.name}{how}, from {region}"
    with console.status(what):
        async with world.people.transport(prefer=[region]) as door:
            return await twice(what, lambda _, told: world.load.send(door, next(left), told), 1, commits, {})


async def _reads(people: People, load: Load, count: int) -> list[Figure]:
    """A receipt, with the session token, asked from Frankfurt: of the proxy that is measured nearest, and of any one."""
    here, chance = "frankfurt", random.Random(1)
    known, charter = sorted(load.acknowledged.items(), key=lambda pair: pair[1]), load.registry.charter
    with relayed([node.public for node in people.network.nodes]) as relays:
        apart = tuple(
            replace(node, public=relay.address) for node, relay in zip(people.network.nodes, relays, strict=True)
        )
        for node, relay in zip(apart, relays, strict=True):
            relay.delay = round_trip(here, node.name) / 2000
        network = replace(people.network, nodes=apart)
        async with AsyncExitStack() as stack:
            nearest = await stack.enter_async_context(Transport(network))
            each = [await stack.enter_async_context(Transport(network, prefer=[node.name])) for node in apart]
            for door in (nearest, *each):  # connected, and with a token, as a client is after its first call
                await fetch(door)
            found = []
            for what, choose in (("nearest", lambda: nearest), ("any", lambda: chance.choice(each))):

                async def call(number: int, choose: Callable[[], Transport] = choose) -> None:
                    digest, index = known[number % len(known)]
                    await receipt(choose(), charter, index, digest, signers=1)

                found.append(await closed(f"read in {here}, {what} proxy", call, 1, 2 * count, {}))
            return found
