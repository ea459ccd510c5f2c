"""P1, P2 where etcd is put back from an old copy of itself: it delivers another history at the same revisions, without an error."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from eata_node.operator.cluster import Cluster

from scripts import debian
from tests.load import Load, build, committed
from tests.mesh import People, seeded_processes
from tests.process.test_degradation import halted, not_served
from tests.process.test_etcd_faults import voters
from tests.process.test_faults import settle

FIRST, OTHER = "tokyo", "mumbai"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    debian.etcd()
    with seeded_processes(tmp_path / "home", voters=3) as cluster:
        yield cluster


def folders(cluster: Cluster) -> list[Path]:
    """What each member keeps on its disk."""
    return [cluster.home / "etcd" / member.name / "data" for member in voters(cluster).members]


def copied(paths: list[Path], to: Path) -> None:
    for n, path in enumerate(paths):
        shutil.copytree(path, to / str(n))


def put_back(paths: list[Path], copy: Path) -> None:
    for n, path in enumerate(paths):
        shutil.rmtree(path)
        shutil.copytree(copy / str(n), path)


def test_every_replica_that_knows_more_halts_and_nothing_is_served(cluster: Cluster, tmp_path: Path) -> None:
    people, members = People(cluster.home), voters(cluster)
    members.stop_all()
    copied(folders(cluster), tmp_path / "old")
    members.start_all()
    load = committed(people, 40)
    settle(cluster)
    members.stop_all()
    put_back(folders(cluster), tmp_path / "old")
    members.start_all()
    for name in cluster.names:
        assert "the engine's" in asyncio.run(halted(cluster, name))
    not_served(people, load)


@pytest.mark.slow
def test_a_longer_other_history_is_told_by_its_bytes(cluster: Cluster, tmp_path: Path) -> None:
    """A replica put back with it goes on past what the others had; to who knew the first history the head says nothing."""
    people, members = People(cluster.home), voters(cluster)
    load = asyncio.run(build(people, 80))
    first, other = Load(load.registry, load.entries[:10]), Load(load.registry, load.entries[10:])
    settle(cluster)
    for name in cluster.names:
        cluster.stop(name)
    members.stop_all()
    kept = [*folders(cluster), cluster.home / "nodes" / FIRST]
    copied(kept, tmp_path / "old")
    members.start_all()
    for name in cluster.names:
        cluster.start(name)
    settle(cluster)
    asyncio.run(first.run(people, 2))
    known = settle(cluster)
    for name in cluster.names:
        cluster.stop(name)
    members.stop_all()
    put_back(kept, tmp_path / "old")
    members.start_all()
    cluster.start(FIRST)
    cluster.wait(FIRST)
    asyncio.run(other.run(people, 1))
    cluster.wait(FIRST, known + 1)
    cluster.start(OTHER)
    assert "another group at position" in asyncio.run(halted(cluster, OTHER))
