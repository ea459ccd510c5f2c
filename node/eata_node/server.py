"""One proxy, assembled: engine client, replica, proposer, services, background tasks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import structlog
from eata_ledger.encoding import Malformed
from eata_ledger.facts import DamagedFact
from eata_ledger.proof.genesis import Genesis
from eata_ledger.proof.selftest import check_verify
from eata_proto.v1 import (
    ledger_pb2,
    ledger_pb2_grpc,
    lists_pb2,
    lists_pb2_grpc,
    node_pb2,
    node_pb2_grpc,
    reading_pb2,
    reading_pb2_grpc,
)
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from eata_node.config import ClusterFile, NodeKeys
from eata_node.cosigning import Guard as CheckpointGuard
from eata_node.engine.client import EmbeddedEngine
from eata_node.guarding import Guard
from eata_node.metrics import Metrics
from eata_node.proposer import Proposer, SupersededError, wall_clock
from eata_node.receipts import Receipts
from eata_node.replica import Divergence, Replica
from eata_node.rocks import DamagedError
from eata_node.scrub import scrub
from eata_node.services import public, reading
from eata_node.services.carnets import Carnets
from eata_node.services.follow import Follow
from eata_node.services.lists import Lists
from eata_node.services.presentations import Presentations
from eata_node.services.reader import Readers
from eata_node.services.submitting import Submitting
from eata_node.store import Store
from eata_node.ticking import Ticking
from eata_node.tls import SERVER_OPTIONS, Identity

_APPLY_AT_ONCE = 4
log = structlog.get_logger()


@dataclass(frozen=True)
class Setup:
    """What makes a proxy: its folder, the cluster around it, its clock (ms UTC)."""

    name: str
    folder: Path
    genesis: Genesis
    cluster: ClusterFile
    clock: Callable[[], int] = wall_clock
    interceptors: Sequence[grpc.aio.ServerInterceptor] = ()


class Proxy:
    """Runs until `stop`; every task's failure is an alarm, never a silent end."""

    def __init__(self, setup: Setup) -> None:
        check_verify()
        self.setup, genesis = setup, setup.genesis
        self.metrics = Metrics()
        keys, identity = NodeKeys.read(setup.folder), Identity.read(setup.folder)
        self._identity, self._exchange = identity, keys.exchange
        record = genesis.by_id[keys.group.id]
        self.store = Store(setup.folder)
        self.replica = Replica(
            genesis, self.store, self.metrics, record.id, setup.folder / "evidence.json", setup.clock
        )
        self.replica.on_halt = self._halted
        self._core = identity.channel(setup.cluster.core.members)
        self.engine = EmbeddedEngine(self._core, self.replica.tail)
        peers = {n.name: identity.channel(n.members) for n in setup.cluster.nodes if n.name != setup.name}
        self._peers = peers
        self.receipts = Receipts(genesis, self.replica, keys.statement, record.kid, peers)
        self._guard = CheckpointGuard(setup.folder / "checkpoint.guard", keys.statement, genesis.ledger)
        self.proposer = Proposer(self.engine, self.replica, keys.group, self._sign, self.metrics, setup.clock)
        self._ticking = Ticking(self.replica, self.proposer, keys.group, genesis)
        self._presentations = Presentations(peers)
        self._readers = Readers(self.replica, setup.clock, {n.name: n.members for n in setup.cluster.nodes})
        self._head = -1
        self.scrubbed = 0
        self._ledger = public.Ledger(
            setup.name, self.replica, None, self.receipts, self._readers, lambda: self.proposer.incarnation, lambda: self._head,
            lambda: self.scrubbed,
        )  # fmt: skip
        self._health = health.aio.HealthServicer()
        self._servers: list[grpc.aio.Server] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self.superseded = asyncio.Event()

    def _sign(self) -> Any:
        wanted, newest = self.replica.cosigning.to_sign(), self.replica.cosigning.newest
        if wanted is None or newest is None or self.replica.halted:
            return None
        era = self.replica.state.era
        return self._guard.sign(era, *wanted) or self._guard.sign(era, *newest)

    async def start(self) -> None:
        """Serves at once; writes once caught up and opened."""
        here = self.setup.cluster.node(self.setup.name)
        await self._serve(here.public, False, (self._add_ledger, self._add_wallet))
        await self._serve(here.members, True, (self._add_ledger, self._add_members))
        if here.metrics:
            self.metrics.serve(here.metrics)
        if self.replica.halted:  # evidence of an earlier run: only status is served
            self.metrics.halted.set(1)
            self._halted()
            return
        for work in (self._follow, self._write, self._sync, self._scrub):
            self._tasks[work.__name__] = asyncio.create_task(self._watched(work))

    async def _watched(self, work: Callable[[], Any]) -> None:
        """A background task that ends before the proxy does is a failure of the proxy."""
        try:
            await work()
        except asyncio.CancelledError:
            if not self._stopping and not self.replica.halted:
                self.replica.halt(f"{work.__name__.strip('_')} was cancelled")
            raise
        except (DamagedError, DamagedFact, Malformed) as error:
            self.replica.halt(f"damaged: {error}")
        except Exception as error:
            self.replica.halt(f"{work.__name__.strip('_')} failed: {type(error).__name__}: {error}")

    def _halted(self) -> None:
        """A halted node proposes nothing more and is not served by a load balancer."""
        self._ledger.submitting = None
        if "_write" in self._tasks:
            self._tasks["_write"].cancel()
        status = health_pb2.HealthCheckResponse.NOT_SERVING
        self._tasks["health"] = asyncio.create_task(self._health.set("", status))

    # -- services

    async def _serve(self, address: str, members: bool, adds: Sequence[Callable[[grpc.aio.Server], None]]) -> None:
        interceptors = [*self.setup.interceptors, Guard(self.metrics)]
        server = grpc.aio.server(interceptors=interceptors, options=SERVER_OPTIONS)
        for add in adds:
            add(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [d.services_by_name[n].full_name for d in _DESCRIPTORS for n in d.services_by_name]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME, health.SERVICE_NAME], server)
        server.add_secure_port(address, self._identity.server(members))
        await server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        self._servers.append(server)

    def _add_ledger(self, server: grpc.aio.Server) -> None:
        ledger_pb2_grpc.add_LedgerServicer_to_server(self._ledger, server)

    def _add_wallet(self, server: grpc.aio.Server) -> None:
        carnets = Carnets(self.replica)
        reading_pb2_grpc.add_WalletServicer_to_server(reading.Wallet(self.replica, self._readers, carnets), server)
        lists_pb2_grpc.add_FollowServicer_to_server(self._followers(), server)

    def _followers(self) -> Follow:
        return Follow(self.replica, self._readers, self._presentations, self.setup.clock)

    def _add_members(self, server: grpc.aio.Server) -> None:
        replica, readers, carnets = self.replica, self._readers, Carnets(self.replica)
        customs = reading.Customs(replica, readers, carnets, self._presentations)
        reading_pb2_grpc.add_CustomsServicer_to_server(customs, server)
        lists_pb2_grpc.add_ListsServicer_to_server(Lists(replica, readers, carnets), server)
        lists_pb2_grpc.add_FollowServicer_to_server(self._followers(), server)
        reading_pb2_grpc.add_IssuerServicer_to_server(reading.Issuer(replica, readers, carnets), server)
        reading_pb2_grpc.add_AuditServicer_to_server(reading.Audit(replica, readers), server)
        node_pb2_grpc.add_PeerServicer_to_server(public.Peer(replica, self.receipts, self._presentations), server)

    # -- background

    async def _follow(self) -> None:
        while not self.replica.halted:
            try:
                await self._check_head()
                async for placed in self.engine.follow(max(self.replica.position, 0)):
                    self._head = max(self._head, placed[-1].position)
                    self.metrics.head.set(self._head)
                    for at in range(0, len(placed), _APPLY_AT_ONCE):
                        self.replica.take(placed[at : at + _APPLY_AT_ONCE])
                        self._measure()
                        await asyncio.sleep(0)
                    if self.replica.halted:
                        return
            except Divergence as error:
                self.replica.halt(str(error))
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)

    async def _check_head(self) -> None:
        """A live engine that holds less than was applied is not the log this replica followed."""
        head = await self.engine.head()
        self._head = max(self._head, head.position)
        if head.state == "LIVE" and head.position < self.replica.position:
            raise Divergence(f"the engine's head is {head.position}, {self.replica.position} was applied")

    def _measure(self) -> None:
        self.metrics.excluded.set(len(self.replica.cosigning.excluded))
        state = self.replica.state
        newest = max(node.clock for node in self.replica.nodes.values())
        self.metrics.clock_stalled.set(1 if newest > state.log_time + 60_000 else 0)

    async def _write(self) -> None:
        """Catches up, opens this incarnation, proposes and ticks until the end."""
        await self._catch_up()
        if self.replica.halted:
            return
        try:
            await self.proposer.open()
            self._ledger.submitting = Submitting(
                self.replica, self.proposer, self.engine, self._readers, self.receipts, self.metrics, self._exchange
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.proposer.run())
                tasks.create_task(self._ticking.run())
        except* SupersededError as group:
            log.error("superseded", why=str(group.exceptions[0]))
            self._ledger.submitting = None
            self.replica.halt("another process runs with this node's identity")
            self.superseded.set()

    async def _catch_up(self) -> None:
        while True:
            try:
                head = await self.engine.head()
                if head.state == "LIVE" and await self.replica.reach(head.position, 1.0):
                    return
            except grpc.aio.AioRpcError:
                pass
            await asyncio.sleep(0.05)

    async def _sync(self) -> None:
        """Once a second: what is fsynced here is told in the next group; the engine's head gives the lag."""
        while True:
            await asyncio.sleep(1)
            position = max(self.replica.position, 0)
            await asyncio.to_thread(self.store.sync)
            self.proposer.synced = position
            try:
                self._head = max(self._head, (await self.engine.head()).position)
            except grpc.aio.AioRpcError:
                continue
            self.metrics.head.set(self._head)

    async def _scrub(self) -> None:
        """Walks the store from the start, gently, again and again."""
        while True:
            for whole in scrub(self.store, self.replica.state.size):
                self.scrubbed = whole
                self.metrics.scrubbed.set(whole)
                await asyncio.sleep(0.02)
            await asyncio.sleep(60)

    async def stop(self) -> None:
        """Leaves a flushed store behind."""
        await asyncio.gather(*(server.stop(0.5) for server in self._servers))
        self._stopping = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for channel in (self._core, *self._peers.values()):
            await channel.close()
        self.store.flush()
        self.store.close()


_DESCRIPTORS = (ledger_pb2.DESCRIPTOR, reading_pb2.DESCRIPTOR, lists_pb2.DESCRIPTOR, node_pb2.DESCRIPTOR)
