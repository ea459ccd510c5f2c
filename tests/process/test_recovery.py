"""P1, P6 after the worst: the engine and five disks are gone; one replica opens a new era, a backup takes a node's place."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eata_clients.net.submitting import submit
from eata_node.engine.interface import Head
from eata_node.ground.config import ClusterFile, read_genesis
from eata_node.operator.cluster import Cluster, running
from eata_node.process.server import Proxy, Setup
from eata_node.recovery.resubmitting import resubmit
from eata_node.replica.store import ORPHANED, Store

from scripts import debian
from tests.load import Load, build, committed
from tests.mesh import People
from tests.process.test_faults import settle

EATA = Path(sys.executable).with_name("eata")
LEAST, MOST = 40, 500  # commits before a backup is taken, and by its end


def eata(home: Path, *arguments: str, code: int = 0) -> Any:
    done = subprocess.run(
        [str(EATA), *arguments, "--json"], capture_output=True, text=True, check=False,
        env={**os.environ, "EATA_HOME": str(home), "EATA_NETWORK": str(home / "network.json")},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def only_mumbai_survives(cluster: Cluster) -> None:
    """Everything is stopped; the core's log and the five other stores are gone."""
    cluster.stop_all()
    shutil.rmtree(cluster.home / "core" / "log")
    for name in cluster.names:
        if name != "mumbai":
            shutil.rmtree(cluster.home / "nodes" / name / "store")


def open_era(home: Path, folder: Path, open_with: tuple[str, ...] = ()) -> Any:
    """What was proposed; the next era is open, signed by the root."""
    folder.mkdir(exist_ok=True)
    opening = folder / "opening"
    proposed = eata(home, "era", "propose", "--out", str(opening))
    refused = eata(home, "era", "open", str(opening), code=1)
    assert refused["error"]["code"] == "SIGNATURE_MISSING"
    eata(home, "era", "sign", str(opening), "--key", str(home / "offices" / "icc" / "root.key"))
    eata(home, "era", "open", str(opening), *open_with)
    return proposed


def test_the_whole_system_comes_back_from_one_surviving_replica(cluster: Cluster, home: Path, tmp_path: Path) -> None:
    """Core and five stores are gone. Nothing acknowledged is lost, and what is handed in again has its first outcome."""
    people = People(home)
    load = committed(people, 60)
    settle(cluster)
    before = cluster.status("mumbai")
    only_mumbai_survives(cluster)
    proposed = open_era(home, tmp_path)
    assert (proposed["node"], proposed["entries"], proposed["era"]) == ("mumbai", before.size, 2)
    assert proposed["root"] == before.root.hex()
    with running(home) as again:
        settle(again)
        assert {(s.size, s.root, s.era) for s in map(again.status, again.names)} == {(before.size, before.root, 2)}

        async def resend() -> None:
            async with people.transport() as transport:
                for entry in load.entries:
                    done = await submit(transport, load.registry.charter, entry)
                    assert done.index == load.acknowledged[entry.hash]

        asyncio.run(resend())
        more = committed(people, 20)
        settle(again)
        assert min(more.acknowledged.values()) >= before.size
        assert len({again.status(name).root for name in again.names}) == 1
        again.kill("tokyo")
        shutil.rmtree(home / "nodes" / "tokyo" / "store")
        again.start("tokyo")
        settle(again)
        assert len({again.status(name).root for name in again.names}) == 1, "an era's newcomer gets it all as well"


@pytest.mark.slow
def test_a_lost_core_is_followed_by_etcd_and_that_by_another_etcd(cluster: Cluster, home: Path, tmp_path: Path) -> None:
    """The engine may change with the era; members that had once been replaced begin anew like any other."""
    debian.etcd()
    people = People(home)
    load = committed(people, 40)
    settle(cluster)
    only_mumbai_survives(cluster)
    assert open_era(home, tmp_path / "2", open_with=("--engine", "etcd", "--voters", "3"))["era"] == 2
    with running(home) as on_etcd:
        settle(on_etcd)
        assert on_etcd.head().engine == "etcd"
        load.acknowledged |= committed(people, 40).acknowledged
        members = on_etcd.voters
        assert members is not None
        for name in list(members.processes):
            members.kill(name)
            asyncio.run(members.replace(name))
        load.acknowledged |= committed(people, 20).acknowledged
        settle(on_etcd)
        only_mumbai_survives(on_etcd)
    for member in members.members:
        assert list((home / "etcd" / member.name / "data").iterdir())
        shutil.rmtree(home / "etcd" / member.name / "data")
    assert open_era(home, tmp_path / "3")["era"] == 3
    with running(home) as again:
        settle(again)
        committed(people, 20)
        settle(again)
        assert {again.status(name).era for name in again.names} == {3}
        assert len({again.status(name).root for name in again.names}) == 1
        again.stop_all()
        store = Store.open(home / "nodes" / "tokyo")
        assert {index: store.whole_entry(index)[1].hash for index in load.acknowledged.values()} == {
            index: digest for digest, index in load.acknowledged.items()
        }
        store.close()


def test_what_the_new_era_does_not_know_is_listed_and_handed_in_again(
    cluster: Cluster, home: Path, tmp_path: Path
) -> None:
    """The survivor was behind; the node that knew more comes back later. Its entries are orphans, and lost to nobody."""
    people = People(home)
    committed(people, 20)
    settle(cluster)
    cluster.stop("mumbai")
    late = committed(people, 20)
    ahead = cluster.wait("tokyo", cluster.head().head)
    cluster.stop_all()
    shutil.rmtree(home / "core" / "log")
    aside = tmp_path / "tokyo"
    for name in cluster.names:
        if name == "tokyo":
            shutil.move(home / "nodes" / name / "store", aside)
        elif name != "mumbai":
            shutil.rmtree(home / "nodes" / name / "store")
    proposed = open_era(home, tmp_path)
    assert proposed["entries"] < ahead.size
    shutil.move(aside, home / "nodes" / "tokyo" / "store")
    with running(home) as again:
        settle(again)
        own = {0, 1}  # the tick of a day that begins just now
        assert {again.status(name).size - proposed["entries"] for name in again.names} <= own
        assert (home / "nodes" / "tokyo" / ORPHANED).exists()
        listed = eata(home, "era", "orphans", "tokyo")["orphans"]
        assert {row["index"] for row in listed} == set(range(proposed["entries"], ahead.size))
        assert set(late.acknowledged.values()) <= {row["index"] for row in listed}
        done = eata(home, "era", "orphans", "tokyo", "--submit")["orphans"]
        ticks = [row for row in done if row["type"] == "Tick"]
        assert {row["outcome"] for row in ticks} <= {"ACCEPTED", "TICK_EARLY"}
        assert {row["outcome"] for row in done if row not in ticks} == {"ACCEPTED"}
        settle(again)
        assert {again.status(name).size - ahead.size for name in again.names} <= own
        assert len({again.status(name).root for name in again.names}) == 1
        [entry] = asyncio.run(build(people, 1)).entries
        forged = replace(entry, signatures=(replace(entry.signatures[0], value=bytes(64)), *entry.signatures[1:]))
        assert resubmit(home, forged) == {"outcome": "SIGNATURE_INVALID"}, "the rules’ word is the answer"


def test_a_backup_of_a_running_node_proves_itself_and_takes_a_nodes_place(
    cluster: Cluster, home: Path, tmp_path: Path
) -> None:
    """Taken under traffic; a flipped byte anywhere in it is found; restored, the node takes what is missing from the log."""
    people, copy = People(home), tmp_path / "copy"

    async def story() -> Load:
        load = await build(people, MOST)
        done = asyncio.Event()
        work = asyncio.create_task(load.run(people, 8, pause=0.1, until=done))
        while len(load.acknowledged) < LEAST:
            await asyncio.wait({work}, timeout=0.02)
        await asyncio.to_thread(eata, home, "backup", "virginia", "--out", str(copy))
        done.set()
        await work
        assert LEAST < len(load.acknowledged) < MOST, "it was not taken under traffic"
        return load

    asyncio.run(story())
    settle(cluster)
    found = eata(home, "verify-backup", str(copy))
    assert found["whole"]
    assert found["signers"] >= 4
    assert LEAST <= found["size"] < cluster.status("virginia").size
    assert not any(path.suffix == ".key" for path in copy.rglob("*"))
    assert not list((home / "nodes" / "virginia" / "backups").iterdir())

    damaged = tmp_path / "damaged"
    shutil.copytree(copy, damaged)
    largest = max((damaged / "store").glob("*.sst"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 3] ^= 1
    largest.write_bytes(data)
    assert not eata(home, "verify-backup", str(damaged), code=1)["whole"]

    refused = eata(home, "restore", "virginia", "--from", str(copy), code=1)
    assert refused["error"]["code"] == "RUNNING"
    cluster.kill("virginia")
    shutil.rmtree(home / "nodes" / "virginia" / "store")
    assert eata(home, "restore", "virginia", "--from", str(damaged), code=1)["error"]["code"] == "DAMAGED"
    eata(home, "restore", "virginia", "--from", str(copy))
    cluster.start("virginia")
    settle(cluster)
    assert len({cluster.status(name).root for name in cluster.names}) == 1


async def test_a_replica_writes_nothing_before_it_has_entered_the_new_era(
    cluster: Cluster, home: Path, tmp_path: Path
) -> None:  # fmt: skip
    """Its position in the old era is no position in the new one: a group of the old era would be void, and end it."""
    settle(cluster)
    only_mumbai_survives(cluster)
    await asyncio.to_thread(open_era, home, tmp_path)
    cluster.start("core")
    proxy = Proxy(Setup("mumbai", home / "nodes" / "mumbai", read_genesis(home), ClusterFile.read(home)))
    node, let_in, asked = proxy.node, asyncio.Event(), asyncio.Semaphore(0)
    enter, head = node.bootstrap.enter, node.engine.head

    async def held(data: bytes) -> None:
        await let_in.wait()
        await enter(data)

    async def told() -> Head:
        answer = await head()
        asked.release()
        return answer

    node.bootstrap.enter, node.engine.head = held, told  # type: ignore[method-assign]
    await proxy.start()
    try:
        async with asyncio.timeout(30):
            for _ in range(6):
                await asked.acquire()
            assert (node.replica.state.era, node.proposer.incarnation) == (1, 0)
            let_in.set()
            while node.submitting is None:
                assert not node.superseded.is_set()
                await node.replica.reach(node.replica.position + 1, 0.1)
        assert (node.replica.state.era, node.proposer.incarnation) == (2, 1)
    finally:
        await proxy.stop()
