"""The two processes of a cluster: the core and a proxy. Each runs until SIGTERM or until its parent is gone."""

import asyncio
import logging
import os
import signal
from pathlib import Path

import grpc.aio
import structlog
import uvloop
from eata_proto.v1 import node_pb2_grpc

from eata_node.config import ClusterFile, read_genesis
from eata_node.engine.core import Core
from eata_node.engine.log_store import LogStore
from eata_node.server import Proxy, Setup
from eata_node.tls import SERVER_OPTIONS, Identity


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
        genesis, cluster = read_genesis(home), ClusterFile.read(home)
        folder = home / "core"
        store = LogStore(folder, genesis)
        if store.evidence or not store.live:
            structlog.get_logger().error("the log is not whole; waiting for replicas", evidence=store.evidence)
        core = Core(store, genesis, "core")
        server = grpc.aio.server(options=(*SERVER_OPTIONS[1:], ("grpc.max_receive_message_length", 8 << 20)))
        node_pb2_grpc.add_LogEngineServicer_to_server(core, server)
        server.add_secure_port(cluster.core.members, Identity.read(folder).server(True))
        await server.start()
        writer = asyncio.create_task(core.run())
        told = asyncio.create_task(_until_told(parent))
        await asyncio.wait({writer, told}, return_when=asyncio.FIRST_COMPLETED)
        failed = writer.done() and not told.done()
        await server.stop(0.2)
        writer.cancel()
        store.close()
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
