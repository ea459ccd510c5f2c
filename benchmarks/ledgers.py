"""Ledgers to measure: real processes on the embedded engine or on etcd, with commits built beforehand."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc.aio
from eata_clients.net.errors import from_answer
from eata_clients.net.receipts import committed
from eata_clients.net.submitting import Told
from eata_ledger.log.entry import Entry
from eata_ledger.wire import entry_to_proto
from eata_node.engine.members import FLAGS
from eata_node.operator.cluster import REGIONS, Cluster
from eata_node.operator.commands import write_network
from eata_node.replica.store import Store
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from benchmarks.peers import Peer
from tests.load import Clerk, Load, build
from tests.mesh import People, prepare, register

BATCH, BATCHES = 64, 4  # entries of a message; messages under way
Clerks: TypeAlias = Callable[[People], Awaitable[Iterator[Clerk]]]  # makes who commits what is built
STREAM, BATCHED = "{}, on streams", "{}, in batches"


@dataclass
class Ledger:
    """A running cluster; `peer` commits one entry a call, through its nodes in turn; `many` on streams, and in batches.

    `commit` is the peer's call, and tells when the commit is ordered.
    """

    cluster: Cluster
    people: People
    load: Load
    commit: Callable[[int, Told | None], Awaitable[None]]
    peer: Peer
    many: list[Peer]

    def found(self) -> int:
        """Acknowledged commits that stand at their index in every store. Stops the nodes."""
        position = max(self.cluster.status(name).position for name in self.cluster.names)
        for name in self.cluster.names:
            self.cluster.wait(name, position)
        for name in self.cluster.names:
            self.cluster.stop(name)
        good = set(self.load.acknowledged)
        for name in self.cluster.names:
            store = Store.open(self.cluster.home / "nodes" / name)
            good = {digest for digest in good if store.whole_entry(self.load.acknowledged[digest])[1].hash == digest}
            store.close()
        return len(good)


@asynccontextmanager
async def ledger(
    name: str,
    home: Path,
    commits: int,
    voters: int = 0,
    regions: tuple[str, ...] = REGIONS,
    clerks: Clerks | None = None,
) -> AsyncIterator[Ledger]:
    """`commits` are ready to send; on `voters` etcd members, or on the embedded engine."""
    prepare(home, voters=voters, regions=regions)
    cluster = Cluster(home)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, cluster.stop_all)
        people, load = await begun(cluster, commits, clerks)
        doors = [await stack.enter_async_context(people.transport(prefer=[region])) for region in regions]
        streams = [
            await stack.enter_async_context(streaming(door.channel(region), load))
            for door, region in zip(doors, regions, strict=True)
        ]
        about, left = _about(cluster), iter(load.entries)

        async def commit(number: int, told: Told | None = None) -> None:
            await load.send(doors[number % len(doors)], next(left), told)

        async def stream(number: int) -> None:
            await streams[number % len(streams)]([next(left)])

        async def batch(number: int) -> None:
            await streams[number % len(streams)](list(itertools.islice(left, BATCH)))

        many = [
            Peer(STREAM.format(name), stream, *about, at_once=(64,)),
            Peer(BATCHED.format(name), batch, *about, at_once=(BATCHES,), each=BATCH),
        ]
        yield Ledger(cluster, people, load, commit, Peer(name, commit, *about), many)


@asynccontextmanager
async def streaming(
    channel: grpc.aio.Channel, load: Load
) -> AsyncIterator[Callable[[list[Entry]], Awaitable[None]]]:  # fmt: skip
    """One stream of a client that keeps it open: each call is one message, and returns with its answers checked."""
    stream = ledger_pb2_grpc.LedgerStub(channel).SubmitMany()
    waiting: asyncio.Queue[asyncio.Future[ledger_pb2.SubmitManyReply]] = asyncio.Queue()
    turn = asyncio.Lock()

    async def listen() -> None:
        while True:
            answered = await waiting.get()
            try:
                reply = await stream.read()
                assert isinstance(reply, ledger_pb2.SubmitManyReply), "the node ended the stream"
                answered.set_result(reply)
            except (AssertionError, grpc.aio.AioRpcError) as error:
                answered.set_exception(error)

    async def send(entries: list[Entry]) -> None:
        answered: asyncio.Future[ledger_pb2.SubmitManyReply] = asyncio.get_running_loop().create_future()
        async with turn:
            waiting.put_nowait(answered)
            await stream.write(ledger_pb2.SubmitManyRequest(entries=[entry_to_proto(entry) for entry in entries]))
        for entry, answer in zip(entries, (await answered).answers, strict=True):
            if answer.refused:
                raise from_answer(answer.refused)
            load.acknowledged[entry.hash] = committed(answer.reply.statement, load.registry.charter, entry.hash).index

    listening = asyncio.create_task(listen())
    try:
        yield send
    finally:
        listening.cancel()
        stream.cancel()


async def begun(cluster: Cluster, commits: int, clerks: Clerks | None = None) -> tuple[People, Load]:
    """Everything runs, the sandbox is registered, and the commits are built."""
    await asyncio.to_thread(_start, cluster)
    people = People(cluster.home)
    async with people.transport() as transport:
        await register(cluster.home, transport)
    return people, await build(people, commits, None if clerks is None else await clerks(people))


def _start(cluster: Cluster) -> None:
    cluster.start_all()
    cluster.ready()
    write_network(cluster.home)


def _about(cluster: Cluster) -> tuple[dict[str, int], dict[str, object]]:
    """Its processes and its settings."""
    pids = {member: process.pid for member, process in cluster.processes.items()}
    if cluster.voters is not None:
        pids |= {member: process.pid for member, process in cluster.voters.processes.items()}
    settings = {
        "replicas": len(cluster.names), "engine": cluster.file.engine, "tls": True,
        "fsync": "unsafe-no-fsync" not in FLAGS if cluster.voters else "the core's log, before every answer",
        "signatures_verified": "both, by every replica",
    }  # fmt: skip
    return pids, settings
