"""Live clusters for the process suite."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from eata_node.operator.cluster import Cluster

from tests.mesh import Mesh, People, seeded_processes
from tests.office import Office
from tests.process.scene import scene, travelled

__all__ = ["mesh", "scene", "travelled"]


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped cluster with the sandbox registered, for many to begin as."""
    home = tmp_path_factory.mktemp("registered") / "home"

    async def made() -> None:
        mesh = Mesh(home)
        await mesh.start()
        replica = mesh.proxies["tokyo"].node.replica
        async with asyncio.timeout(60):
            while mesh.proxies["tokyo"].node._ticking._due() is not None:  # the day's tick is in no test's way
                await replica.reach(replica.position + 1, 0.5)
        await mesh.settled()
        await mesh.stop()

    asyncio.run(made())
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def cluster(home: Path, registered: Path) -> Iterator[Cluster]:
    """Seven processes with the sandbox registered."""
    with seeded_processes(home, like=registered) as cluster:
        yield cluster


@pytest_asyncio.fixture
async def mesh(tmp_path: Path, registered: Path) -> AsyncIterator[tuple[Mesh, People]]:
    """Six proxies and a core in this loop, the sandbox registered."""
    mesh = Mesh(tmp_path / "home", like=registered)
    people = await mesh.start()
    yield mesh, people
    await mesh.stop()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, registered: Path) -> Iterator[Office]:
    """A gateway before six proxies of its own, which the tests of one file share."""
    with seeded_processes(tmp_path_factory.mktemp("gateway") / "home", like=registered) as cluster:
        office = Office(cluster)
        yield office
        office.stop()
