"""P1, P6, P7 on the etcd engine: leaders and proxies killed and paused under traffic; nothing lost, doubled, moved."""

import asyncio
import base64
import random
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from eata_clients.authoring.content import CarnetContent
from eata_clients.issuer.client import Issuer, read_party
from eata_clients.net.errors import EataError
from eata_clients.net.receipts import receipt
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.wire import entry_to_proto
from eata_node.engine.members import Members
from eata_node.operator.cluster import Cluster
from eata_node.replica.store import Store

from scripts import debian
from tests.load import Load, build
from tests.mesh import People, metric, seeded_processes
from tests.process.test_faults import check, settle

ROOT = Path(__file__).parents[2]
COMMITS, CLIENTS = 240, 10


@pytest.fixture
def etcd() -> None:
    """Debian's own, fetched once."""
    debian.etcd()


@pytest.fixture
def cluster(tmp_path: Path, etcd: None) -> Iterator[Cluster]:
    """Six proxies over three real etcd members, the sandbox registered."""
    with seeded_processes(tmp_path / "home", voters=3) as cluster:
        yield cluster


def voters(cluster: Cluster) -> Members:
    assert cluster.voters is not None
    return cluster.voters


def test_leaders_and_proxies_die_and_nothing_acknowledged_is_lost(cluster: Cluster, seeded: random.Random) -> None:
    """Twice the leader by kill -9, once by a pause; three proxies; commits pass meanwhile."""

    async def story() -> tuple[Load, list[float]]:
        people, resumed = People(cluster.home), list[float]()
        load = await build(people, COMMITS)
        work = asyncio.create_task(load.run(people, CLIENTS))
        strikes = ["leader", "leader", "pause", *seeded.sample(cluster.names, 3)]
        seeded.shuffle(strikes)
        for n, strike in enumerate(strikes, 1):
            while len(load.acknowledged) < COMMITS * n // (len(strikes) + 1) and not work.done():
                await asyncio.wait({work}, timeout=0.02)
            resumed += await _strike(cluster, strike, load, work)
        assert not work.done(), "too little traffic: everything was done before the last strike"
        await work
        return load, resumed

    load, resumed = asyncio.run(story())
    print("writes resumed after a leader's death in", [f"{seconds:.2f} s" for seconds in resumed])
    check(cluster, load, COMMITS)


async def _strike(cluster: Cluster, strike: str, load: Load, work: "asyncio.Task[None]") -> list[float]:
    """One fault; for a leader's, how long until the next commit was acknowledged (s)."""
    if strike not in ("leader", "pause"):
        await asyncio.to_thread(cluster.kill, strike)
        await asyncio.to_thread(cluster.start, strike)
        return []
    members = voters(cluster)
    leader = await members.leader()
    (members.kill if strike == "leader" else members.pause)(leader)
    done, started = len(load.acknowledged), time.perf_counter()
    while len(load.acknowledged) <= done + CLIENTS and not work.done():  # what was under way may still come
        await asyncio.wait({work}, timeout=0.02)
    seconds = time.perf_counter() - started
    members.start(leader) if strike == "leader" else members.resume(leader)
    return [seconds]


def test_without_a_quorum_nothing_is_answered_and_with_it_everything_goes_on(cluster: Cluster) -> None:
    """Two of three voters are down: a commit waits, retryably; nothing is answered that is not on a quorum. Reads go on."""

    async def story() -> Load:
        people, members = People(cluster.home), voters(cluster)
        load = await build(people, 30)
        first, rest = Load(load.registry, load.entries[:10]), Load(load.registry, load.entries[10:])
        await first.run(people, 4)
        down = ["etcd-1", "etcd-2"]
        for name in down:
            members.kill(name)
        work = asyncio.create_task(rest.run(people, 4))
        done, _ = await asyncio.wait({work}, timeout=4)
        assert (not done, rest.acknowledged) == (True, {})
        async with people.transport() as transport:
            for digest, index in first.acknowledged.items():
                await receipt(transport, load.registry.charter, index, digest, signers=4)
        while await asyncio.to_thread(metric, cluster, "tokyo", "eata_engine_up"):
            await asyncio.wait({work}, timeout=0.1)
        for name in down:
            members.start(name)
        await asyncio.wait_for(work, 60)
        return rest

    rest = asyncio.run(story())
    assert len(rest.acknowledged) == 20
    settle(cluster)
    while not metric(cluster, "tokyo", "eata_engine_up"):
        settle(cluster)
    assert len({cluster.status(name).root for name in cluster.names}) == 1


def test_a_store_that_is_gone_comes_back_from_the_log(cluster: Cluster) -> None:
    """One replica loses its whole store; it replays the era from etcd and ends with the same root."""

    async def story() -> None:
        people = People(cluster.home)
        await (await build(people, 40)).run(people, 4)

    asyncio.run(story())
    settle(cluster)
    cluster.kill("tokyo")
    shutil.rmtree(cluster.home / "nodes" / "tokyo" / "store")
    cluster.start("tokyo")
    settle(cluster)
    assert len({cluster.status(name).root for name in cluster.names}) == 1


QUOTA, LARGE, WIDTH = 16 << 20, 440_000, 4_000  # bytes: what an etcd member may hold, one sealed list, one of its lines


@pytest.fixture
def narrow(tmp_path: Path, etcd: None) -> Iterator[Cluster]:
    """The same on members that may hold 16 MB."""
    with seeded_processes(tmp_path / "home", voters=3, quota=QUOTA) as cluster:
        yield cluster


@pytest.mark.timeout(800)
@pytest.mark.slow
def test_ten_times_the_quota_is_written_and_the_log_never_stops_for_good(
    narrow: Cluster, pin_keys: CodeKeys, seeded: random.Random
) -> None:
    """160 MB through 16 MB: the log is compacted behind signed landmarks, a full member takes writes again by itself."""

    acknowledged: dict[int, bytes] = {}

    async def story() -> int:
        people, written = People(narrow.home), 0
        order = people.order(items=1)
        folder = people.home / "offices" / "CH-ALLIANCE"
        async with people.transport("CH-ALLIANCE") as transport:
            client = Issuer(folder, transport, read_party(folder / "party.cbor"))
            for n in range(10 * QUOTA // LARGE + 1):
                numbered = replace(order, number=f"CHLA{n:08d}", content=large(order.content, seeded))
                issued, done = await _patiently(partial(client.issue, numbered.number, numbered))
                acknowledged[done.index] = issued.entry.hash
                written += entry_to_proto(issued.entry).ByteSize()
        return written

    written = asyncio.run(story())
    assert written > 10 * QUOTA
    settle(narrow)
    assert len({narrow.status(name).root for name in narrow.names}) == 1
    narrow.kill("tokyo")
    shutil.rmtree(narrow.home / "nodes" / "tokyo" / "store")
    narrow.start("tokyo")
    settle(narrow)
    assert len({narrow.status(name).root for name in narrow.names}) == 1, "what the log forgot comes from the peers"
    narrow.stop_all()
    for name in narrow.names:
        store = Store.open(narrow.home / "nodes" / name)
        assert {index: store.whole_entry(index)[1].hash for index in acknowledged} == acknowledged
        store.close()


def large(content: CarnetContent, seeded: random.Random) -> CarnetContent:
    """A goods list that no compression makes small."""
    line = content.goods[0]
    text = base64.b64encode(seeded.randbytes(LARGE)).decode()
    lines = [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]
    return replace(content, goods=tuple(replace(line, item=n, description=t) for n, t in enumerate(lines, 1)))


async def _patiently(work: Callable[[], Awaitable[Any]]) -> Any:
    """A log that is full for a moment says so, retryably."""
    while True:
        try:
            return await work()
        except EataError as error:
            if not error.retryable:
                raise
