"""Live clusters for the process suite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.mesh import Mesh, People
from tests.process.scene import scene

__all__ = ["mesh", "scene"]


@pytest_asyncio.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[tuple[Mesh, People]]:
    """Six proxies and a core in this loop, the sandbox registered."""
    mesh = Mesh(tmp_path / "home")
    people = await mesh.start()
    yield mesh, people
    await mesh.stop()
