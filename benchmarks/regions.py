"""Six regions on one machine: the ways to the log, between its voters and between the proxies go through relays that hold each
message for half a round trip. A client asks the proxy of its own region.

Published round trips, rounded: Azure's inter-region medians.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

from eata_node.ground.config import ClusterFile
from eata_node.operator.cluster import REGIONS, Cluster
from rich.console import Console

from benchmarks.ledgers import begun
from tests.apart import Apart, kept_apart
from tests.load import Load
from tests.mesh import People, prepare
from tests.relay import Relay, relayed

# ms, there and back; west Germany, east US, south Brazil, north South Africa, west India, east Japan.
ROUND_TRIPS = {
    ("frankfurt", "virginia"): 91, ("frankfurt", "sao-paulo"): 206, ("frankfurt", "johannesburg"): 168,
    ("frankfurt", "mumbai"): 123, ("frankfurt", "tokyo"): 243, ("virginia", "sao-paulo"): 120,
    ("virginia", "johannesburg"): 230, ("virginia", "mumbai"): 195, ("virginia", "tokyo"): 163,
    ("sao-paulo", "johannesburg"): 340, ("sao-paulo", "mumbai"): 312, ("sao-paulo", "tokyo"): 266,
    ("johannesburg", "mumbai"): 280, ("johannesburg", "tokyo"): 390, ("mumbai", "tokyo"): 128,
}  # fmt: skip


def round_trip(one: str, other: str) -> int:
    """ms; 0 within a region, where nothing is held back."""
    return 0 if one == other else ROUND_TRIPS.get((one, other)) or ROUND_TRIPS[other, one]


@dataclass(frozen=True)
class Log:
    """Where the log is: the core in one region, or an etcd voter in each of several; `leader` is the region that orders."""

    name: str
    places: tuple[str, ...]
    leader: str

    def floor(self, region: str) -> int:
        """ms: to who leads and back, and from there to the nearest quorum; what is answered through a leader takes no less."""
        others = sorted(round_trip(self.leader, place) for place in self.places if place != self.leader)
        return round_trip(region, self.leader) + (others[len(self.places) // 2 - 1] if others else 0)

    def final_floor(self, region: str) -> float:
        """ms: until more than half of the proxies have heard of it from who leads, and the region has their signatures.

        Who leads knows that it is ordered when a follower in its own place would; each proxy hears of it half a round trip later.
        """
        known = self.floor(region) - round_trip(region, self.leader) / 2
        back = sorted(
            known + round_trip(self.leader, one) / 2 + round_trip(one, region) / 2 for one in REGIONS if one != region
        )
        return max(self.floor(region), back[len(REGIONS) // 2 - 1])


@dataclass
class Regions:
    """A cluster of six regions that runs, with commits ready to be sent."""

    people: People
    load: Load
    cluster: "_Spread"
    log: Log

    async def require_leader(self) -> None:
        """Raises `RuntimeError` where another has been elected: every floor is another one then."""
        if (await _placed(self.cluster, self.log.places)).leader != self.log.leader:
            raise RuntimeError("another voter leads now: measure again")

    def lose(self, region: str) -> None:
        """Its proxy, and its voter where it has one."""
        self.cluster.kill(region)
        if isinstance(self.cluster.voters, Apart) and region in self.log.places:
            self.cluster.voters.kill(f"etcd-{self.log.places.index(region) + 1}")


@asynccontextmanager
async def spread(
    home: Path, places: tuple[str, ...], etcd: bool, commits: int, console: Console
) -> AsyncIterator[Regions]:
    """Held back once everything is built."""
    prepare(home, voters=len(places) if etcd else 0)
    cluster = _Spread(home, keep_ports=True)
    file = cluster.file
    doors = file.endpoints if etcd else [file.core.members]
    ways = list(product(REGIONS, range(len(doors))))
    async with AsyncExitStack() as stack:
        relays = stack.enter_context(relayed([doors[n] for _, n in ways]))
        cluster.ways = dict(zip(ways, relays, strict=True))
        pairs = list(permutations(REGIONS, 2))
        between = stack.enter_context(relayed([file.node(to).members for _, to in pairs]))
        cluster.between = dict(zip(pairs, between, strict=True))
        if cluster.voters is not None:
            cluster.voters = stack.enter_context(kept_apart(cluster.voters))
        stack.push_async_callback(asyncio.to_thread, cluster.stop_all)
        with console.status(f"building {commits} commits"):
            people, load = await begun(cluster, commits)
        for (region, n), relay in cluster.ways.items():
            relay.delay = round_trip(region, places[n]) / 2000
        for pair, relay in cluster.between.items():
            relay.delay = round_trip(*pair) / 2000
        if isinstance(cluster.voters, Apart):
            for (one, to), relay in cluster.voters.ways.items():
                relay.delay = round_trip(_place(places, one), _place(places, to)) / 2000
        await asyncio.to_thread(_again, cluster)
        yield Regions(people, load, cluster, await _placed(cluster, places))


def _again(cluster: "_Spread") -> None:
    """Every proxy looks which voter is near, as one that starts in its region does."""
    for name in REGIONS:
        cluster.stop(name)
        cluster.start(name)
    cluster.ready()


async def _placed(cluster: "_Spread", places: tuple[str, ...]) -> Log:
    if not isinstance(cluster.voters, Apart):
        return Log(f"log in {places[0]}", places, places[0])
    leader = _place(places, await cluster.voters.leader())
    return Log(f"voters in {' '.join(places)}, {leader} leads", places, leader)


def _place(places: tuple[str, ...], voter: str) -> str:
    """The members are etcd-1, etcd-2, … in the order of their places."""
    return places[int(voter.removeprefix("etcd-")) - 1]


class _Spread(Cluster):
    """Every proxy reads a cluster file of its own, in which the log and the others are behind the relays of its region."""

    ways: dict[tuple[str, int], Relay]
    between: dict[tuple[str, str], Relay]

    def start(self, name: str) -> int:
        if name == "core":
            return super().start(name)
        home = self.home.with_name(f"{self.home.name}-{name}")
        home.mkdir(exist_ok=True)
        for path in self.home.iterdir():
            if path.name != "cluster.json" and not (home / path.name).exists():
                (home / path.name).symlink_to(path)
        file = ClusterFile.read(self.home)
        addresses = [relay.address for (region, _), relay in self.ways.items() if region == name]
        file.core.members, file.endpoints = addresses[0], addresses if self.voters else []
        for (region, to), relay in self.between.items():
            if region == name:
                file.node(to).members = relay.address
        (home / "cluster.json").write_text(json.dumps(file.model_dump()))
        with (self.home / "nodes" / name / "log.jsonl").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "eata_node", str(home), str(os.getpid()), "proxy", name],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.processes[name] = process
        return process.pid
