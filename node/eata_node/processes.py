"""The two processes of a cluster: the core and a proxy. Each runs until SIGTERM or until its parent is gone."""

import asyncio
import logging
import os
import signal
from pathlib import Path

import structlog
import uvloop

from eata_node.config import ClusterFile, read_genesis
from eata_node.engine.core import CoreServer
from eata_node.server import Proxy, Setup


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


async def _until_told(parent: int | None) -> None:
    """Returns on SIGTERM or SIGINT, or when the parent process has gone."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, told.set)
    while not told.is_set():
        if parent is not None and os.getppid() != parent:
            return
        try:
            async with asyncio.timeout(0.5):
                await told.wait()
        except TimeoutError:
            continue


def run_core(home: Path, parent: int | None) -> int:
    """The embedded engine's process. Returns the exit code."""
    _log_to_stderr()

    async def main() -> int:
        core = CoreServer(home / "core", read_genesis(home), ClusterFile.read(home).core.members)
        await core.start()
        told = asyncio.create_task(_until_told(parent))
        broken = asyncio.create_task(core.failed())
        await asyncio.wait({broken, told}, return_when=asyncio.FIRST_COMPLETED)
        failed = broken.done()
        await core.stop()
        return 1 if failed else 0

    return uvloop.run(main())


def run_proxy(home: Path, name: str, parent: int | None) -> int:
    """A proxy's process. Returns the exit code; 3 where another process took this identity."""
    _log_to_stderr()

    async def main() -> int:
        setup = Setup(name, home / "nodes" / name, read_genesis(home), ClusterFile.read(home))
        proxy = Proxy(setup)
        await proxy.start()
        told = asyncio.create_task(_until_told(parent))
        superseded = asyncio.create_task(proxy.superseded.wait())
        await asyncio.wait({told, superseded}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        superseded.cancel()
        await proxy.stop()
        return 3 if proxy.superseded.is_set() else 0

    return uvloop.run(main())
