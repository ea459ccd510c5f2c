"""P1, P2, P7 under kill -9 of real processes: nothing acknowledged is lost, doubled or reordered."""

import asyncio
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eata_clients.net.transport import HEDGE_SECONDS
from eata_clients.trust.registry_pages import fetch
from eata_node.operator.cluster import Cluster
from eata_node.replica.store import Store

from tests.load import Load, build
from tests.mesh import People

COMMITS = 300
CLIENTS = 12


def settle(cluster: Cluster) -> int:
    """Until all six follow at the newest position; returns it."""
    position = max(cluster.wait(name).position for name in cluster.names)
    for name in cluster.names:
        status = cluster.wait(name, position)
        assert status.state == "FOLLOWING", status.evidence
    return position


@contextmanager
def held(cluster: Cluster) -> Iterator[None]:
    """The proxies stand still, and all six have what the core has: nothing is on its way."""
    proxies = [cluster.processes[name] for name in cluster.names]
    while True:
        position = settle(cluster)
        for process in proxies:
            process.send_signal(signal.SIGSTOP)
        if cluster.head().head == position:
            break
        for process in proxies:
            process.send_signal(signal.SIGCONT)
    try:
        yield
    finally:
        for process in proxies:
            process.send_signal(signal.SIGCONT)


def check(cluster: Cluster, load: Load, least: int = COMMITS) -> None:
    """Every acknowledged entry stands once, at its index, on all six; roots are equal."""
    settle(cluster)
    statuses = [cluster.status(name) for name in cluster.names]
    assert len({(s.size, s.root) for s in statuses}) == 1
    cluster.stop_all()
    for name in cluster.names:
        store = Store.open(cluster.home / "nodes" / name)
        hashes = [store.whole_entry(index)[1].hash for index in range(statuses[0].size)]
        store.close()
        doubled = [digest for digest, n in Counter(hashes).items() if n > 1]
        lost = [digest for digest, index in load.acknowledged.items() if hashes[index] != digest]
        assert (len(lost), len(doubled)) == (0, 0), f"lost and doubled on {name}"
    assert len(load.acknowledged) == len(load.entries) >= least


def test_no_commit_is_lost_or_doubled_by_kill_9(cluster: Cluster, seeded: random.Random) -> None:
    """Proxies, one after another, and the core twice, while three hundred commits pass."""

    async def story() -> Load:
        people = People(cluster.home)
        load = await build(people, COMMITS)
        work = asyncio.create_task(load.run(people, CLIENTS))
        names = [*cluster.names, "core", "core"]
        seeded.shuffle(names)
        for n, name in enumerate(names, 1):
            while len(load.acknowledged) < COMMITS * n // (len(names) + 1) and not work.done():
                await asyncio.wait({work}, timeout=0.02)
            await asyncio.to_thread(cluster.kill, name)
            await asyncio.to_thread(cluster.start, name)
        assert not work.done(), "too little traffic: everything was done before the last kill"
        await work
        return load

    check(cluster, asyncio.run(story()))


def test_a_cut_core_log_is_noticed_and_refilled(cluster: Cluster) -> None:
    """The core loses half of its write-ahead log; its replicas bring it back before it takes anything.

    Half: the last 20 kB may be a compaction alone, without which the log is whole.
    """

    async def story(first: int, load: Load | None) -> Load:
        people = People(cluster.home)
        if load is None:
            load = await build(people, 80)
        part = Load(load.registry, load.entries[first : first + 40], load.acknowledged)
        await part.run(people, 4)
        return load

    load = asyncio.run(story(0, None))
    with held(cluster):
        before = cluster.head()
        cluster.kill("core")
    wal = max((cluster.home / "core" / "log").glob("*.log"))  # the newest: an older one may not be deleted yet
    os.truncate(wal, wal.stat().st_size // 2)
    cluster.start("core")
    asyncio.run(story(40, load))
    assert cluster.head().head > before.head
    said = (cluster.home / "core" / "log.jsonl").read_text()
    assert "the log is not whole" in said, [path.name for path in wal.parent.glob("*.log")]
    assert "log refilled" in said
    assert len(load.acknowledged) == 80
    settle(cluster)
    assert len({cluster.status(name).root for name in cluster.names}) == 1


def test_a_lost_core_folder_comes_back_from_the_six(cluster: Cluster) -> None:
    """Nothing of the core's disk is left; with all six there, none of the log is."""

    async def story(people: People) -> Load:
        load = await build(people, 40)
        await load.run(people, 4)
        return load

    people = People(cluster.home)
    load = asyncio.run(story(people))
    settle(cluster)
    before = {name: cluster.status(name).size for name in cluster.names}
    with held(cluster):
        cluster.kill("core")
    shutil.rmtree(cluster.home / "core")
    cluster.start("core")

    async def write() -> None:
        async with people.transport() as transport:
            await fetch(transport)
        more = await build(people, 5)
        await more.run(people, 2)

    asyncio.run(write())
    settle(cluster)
    assert all(cluster.status(name).size > before[name] for name in cluster.names)
    assert len(load.acknowledged) == 40


def test_a_second_process_with_a_nodes_identity_is_kept_out(cluster: Cluster, tmp_path: Path) -> None:
    """On the same folder the lock refuses it; on a copy, the log does: the older process ends, not the ledger."""
    name = cluster.names[0]
    cluster.stop(name)
    copy = tmp_path / "copy"
    shutil.copytree(cluster.home, copy)
    cluster.start(name)
    cluster.wait(name)
    file = cluster.file.model_copy(deep=True)
    member = file.node(name)
    member.public, member.members, member.metrics = "127.0.0.1:0", "127.0.0.1:0", 0
    file.write(copy)
    clone = Cluster(copy, keep_ports=True)
    clone.start(name)
    try:
        assert cluster.processes[name].wait(60) == 3
    finally:
        clone.kill(name)
    del cluster.processes[name]
    cluster.start(name)
    assert cluster.wait(name).state == "FOLLOWING"


@pytest.mark.rule("PRX-02")
@pytest.mark.rule("PRX-03")
def test_a_silent_proxy_costs_one_hedge_and_a_dead_one_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: the same bytes go to the next node after a second; a client never has to know why."""
    people = People(cluster.home)
    silent, dead = cluster.names[:2]

    async def commit(prefer: str, load: Load) -> str:
        async with people.transport(prefer=[prefer]) as transport:
            await load.send(transport, load.entries.pop())
            return transport.last_node

    load = asyncio.run(build(people, 2))
    process = cluster.processes[silent]
    process.send_signal(signal.SIGSTOP)
    try:
        assert asyncio.run(commit(silent, load)) != silent
    finally:
        process.send_signal(signal.SIGCONT)
    assert load.seconds[0] >= HEDGE_SECONDS, "the silent node was asked first"
    cluster.kill(dead)
    monkeypatch.setattr("eata_clients.net.transport.HEDGE_SECONDS", (for_ever := 200.0))
    assert asyncio.run(commit(dead, load)) != dead
    assert load.seconds[1] < for_ever, "a refused connection is passed over without waiting for the next one's turn"
    cluster.start(dead)
    settle(cluster)
