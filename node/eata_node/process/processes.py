"""The two processes of a cluster: the core and a proxy. Each runs until SIGTERM or until its parent is gone."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import structlog
import uvloop
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from eata_node.engine.core import CoreServer
from eata_node.ground.config import ClusterFile, read_genesis
from eata_node.ground.rocks import DamagedError
from eata_node.process.server import Proxy, Setup
from eata_node.process.watchdog import Watchdog
from eata_node.replica.store import ORPHANED, set_aside
from eata_node.rpc.tls import Identity

_HEALINGS, _DISK_SECONDS, _HEARD_SECONDS = 4, 5.0, 10.0
log = structlog.get_logger()


class _BestEffort:
    """Standard error, for which a full disk is no reason to fail: what is logged is lost, not what is logged about."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(_BestEffort()),  # type: ignore[arg-type]
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


def _told(parent: int | None, folder: Path, address: str) -> "asyncio.Task[None]":
    """Done once this process is to end; until then it listens whether its own door at `address` is heard."""
    channel = Identity.read(folder).channel(address)
    watchdog = Watchdog(lambda: HealthStub(channel).Check(HealthCheckRequest(), timeout=_HEARD_SECONDS))
    told = asyncio.create_task(_until_told(parent))
    told.add_done_callback(lambda _: watchdog.told_to_end())
    return told


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
        address = ClusterFile.read(home).core.members
        core = CoreServer(home / "core", read_genesis(home), address)
        await core.start()
        told = _told(parent, home / "core", address)
        broken = asyncio.create_task(core.failed())
        await asyncio.wait({broken, told}, return_when=asyncio.FIRST_COMPLETED)
        failed = broken.done()
        await core.stop()
        return 1 if failed else 0

    return uvloop.run(main())


def run_proxy(home: Path, name: str, parent: int | None) -> int:
    """A proxy's process. Returns the exit code; 3 where another process took this identity."""
    _log_to_stderr()

    setup = Setup(name, home / "nodes" / name, read_genesis(home), ClusterFile.read(home))
    return uvloop.run(_healing(setup, parent))


async def _healing(setup: Setup, parent: int | None) -> int:
    """Starts the node again after what a restart mends.

    A store found damaged is set aside as evidence and built anew, a few times; then a person must look. A disk that is full,
    read-only or fails, and an error that nobody foresaw, is tried again until it works: meanwhile the node halts and says
    why, and the others serve.
    """
    told = _told(parent, setup.folder, setup.cluster.node(setup.name).members)
    healings = 0
    while healings < _HEALINGS:
        try:
            proxy = Proxy(setup)
        except DamagedError as error:
            log.error("the store does not open; it is built anew", why=str(error))
            healings += 1
            if await _aside(setup.folder, told):
                continue
            return 0
        except OSError as error:
            log.error("the store does not open", why=str(error))
            if "/LOCK" in str(error):
                return 5
            if await _within(told, _DISK_SECONDS):
                return 0
            continue
        ended = await _served(proxy, told)
        if ended is not None:
            return ended
        node = proxy.node
        log.error("starting anew", why=node.replica.halted)
        healings += node.damaged.is_set()
        wanted = "damaged" if node.damaged.is_set() else ORPHANED if node.orphaned else ""
        if wanted and not await _aside(setup.folder, told, wanted):
            return 0
    log.error("the store was damaged again and again; a person must look at this disk")
    return 4


async def _served(proxy: Proxy, told: "asyncio.Task[None]") -> int | None:
    """Until something ends it: the exit code, or None where it starts again."""
    await proxy.start()
    node = proxy.node
    events = [
        asyncio.create_task(event.wait()) for event in (node.superseded, node.damaged, node.reopened, node.failed)
    ]
    await asyncio.wait({told, *events}, return_when=asyncio.FIRST_COMPLETED)
    for event in events:
        event.cancel()
    if node.failed.is_set() and not node.damaged.is_set():  # halted, and says why, until it may be well again
        await _within(told, _DISK_SECONDS)
    ends = told.done() or node.superseded.is_set()
    await proxy.stop()
    if not ends:
        return None
    return 3 if node.superseded.is_set() else 0


async def _aside(folder: Path, told: "asyncio.Task[None]", name: str = "damaged") -> bool:
    """The store is out of the way, as soon as the disk takes it; False if the process is told to end before."""
    while True:
        try:
            set_aside(folder, name)
            return True
        except FileNotFoundError:  # nothing is there to be kept
            return True
        except OSError as error:
            log.error("the store cannot be set aside", why=str(error))
            if await _within(told, _DISK_SECONDS):
                return False


async def _within(told: "asyncio.Task[None]", seconds: float) -> bool:
    """True if the process is told to end in this time."""
    await asyncio.wait({told}, timeout=seconds)
    return told.done()
