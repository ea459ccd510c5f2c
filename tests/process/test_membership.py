"""A proxy more, a proxy less, a proxy with new keys: commits go on all the while, and no client is told an error."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eata_clients.net.network import Network
from eata_clients.net.transport import Transport
from eata_clients.trust.registry_pages import fetch
from eata_node.ground.config import ClusterFile
from eata_node.operator.cluster import Cluster, proxy_status

from scripts import debian
from tests.load import build
from tests.mesh import People, seeded_processes
from tests.process.test_recovery import EATA, eata

NEW, COMMITS, LEAST = "sydney", 400, 60


@contextmanager
def started(home: Path, node: str) -> Iterator[None]:
    process = subprocess.Popen(
        [str(EATA), "start", node], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "EATA_HOME": str(home)},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == f"{node} is up."
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


def named(home: Path, record: Path, tmp_path: Path) -> None:
    """The root takes the record into the node set."""
    key, decision = str(home / "offices" / "icc" / "root.key"), str(tmp_path / f"{record.name}.decision")
    eata(home, "root", "node", str(record), "--key", key, "--out", decision)
    eata(home, "root", "submit", decision)


def test_nodes_come_and_go_while_commits_pass(cluster: Cluster, tmp_path: Path) -> None:
    home, people = cluster.home, People(cluster.home)

    def change() -> None:
        """One more joins; another is drained: it ends what it has begun, its clients are elsewhere, and it comes back."""
        record = tmp_path / "record"
        eata(home, "node-add", NEW, "--out", str(record))
        assert eata(home, "node-add", NEW, "--out", str(record), code=1)["error"]["code"] == "EXISTS"
        named(home, record, tmp_path)
        with started(home, NEW):
            cluster.stop("virginia")
            assert proxy_status(home, ClusterFile.read(home).node(NEW)).incarnation == 1
            cluster.start("virginia")
            cluster.wait("virginia")

    async def story() -> None:
        load = await build(people, COMMITS)
        changed = asyncio.create_task(asyncio.to_thread(change))
        async with people.transport() as transport:
            for n, entry in enumerate(load.entries):  # as many as fit while it changes, at a desk's pace
                await load.send(transport, entry)
                await asyncio.sleep(0.02)
                if changed.done() and n >= LEAST:
                    break
        await changed
        assert len(load.acknowledged) == n + 1 > LEAST

    asyncio.run(asyncio.wait_for(story(), 100))
    with started(home, NEW):
        asyncio.run(equal(home, [NEW, *cluster.names]))

        async def charter() -> set[str]:
            async with Transport(Network.read(home / "network.json"), prefer=[NEW]) as transport:
                return {node.name for node in (await fetch(transport)).charter.nodes}

        assert asyncio.run(charter()) == {NEW, *cluster.names}


@pytest.mark.slow
def test_a_node_that_is_new_or_has_new_keys_writes_its_own_lanes_on_etcd(tmp_path: Path) -> None:
    """`eata start` gives it its role in the engine, while the others go on; it commits under the old keys and the new."""
    debian.etcd()
    with seeded_processes(tmp_path / "home", voters=3) as cluster:
        home, people, record = cluster.home, People(cluster.home), tmp_path / "record"

        async def commit() -> None:
            load = await build(people, 4)
            async with Transport(Network.read(home / "network.json"), prefer=[NEW]) as transport:
                for entry in load.entries:
                    await load.send(transport, entry)

        eata(home, "node-add", NEW, "--out", str(record))
        named(home, record, tmp_path)
        with started(home, NEW):
            asyncio.run(commit())
            first = proxy_status(home, ClusterFile.read(home).node(NEW))
        record = tmp_path / "record again"
        eata(home, "node-keys", NEW, "--out", str(record))
        named(home, record, tmp_path)
        with started(home, NEW):  # under the old keys, until it has met the root's decision
            member, deadline = ClusterFile.read(home).node(NEW), time.monotonic() + 60
            while proxy_status(home, member).state != "HALTED":
                assert time.monotonic() < deadline
        eata(home, "node-keys", NEW, "--install")
        with started(home, NEW):
            asyncio.run(commit())
            asyncio.run(equal(home, [NEW, *cluster.names]))
            again = proxy_status(home, ClusterFile.read(home).node(NEW))
        assert (first.incarnation, again.incarnation) == (1, 1), "each key counts its own"


async def equal(home: Path, names: list[str]) -> None:
    """Until these stand at one root."""
    members = [ClusterFile.read(home).node(name) for name in names]
    async with asyncio.timeout(60):
        while True:
            found = [await asyncio.to_thread(proxy_status, home, member) for member in members]
            if len({(s.size, s.root) for s in found}) == 1:
                return
            await asyncio.sleep(0.05)
