"""One proxy: a node with its two doors, gRPC with TLS, and the services behind them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from eata_ledger.log.genesis import Genesis
from eata_ledger.proof.checkpoint import Checkpoint
from eata_ledger.proof.selftest import check_verify
from eata_ledger.rules import VERSION
from eata_proto.v1 import (
    blobs_pb2,
    blobs_pb2_grpc,
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

from eata_node.engine.access import ENGINE, KEEPER
from eata_node.engine.client import EmbeddedEngine, Tail
from eata_node.engine.etcd import EtcdEngine
from eata_node.engine.interface import Engine
from eata_node.ground.config import ClusterFile, NodeKeys
from eata_node.node import Disk, Node, World
from eata_node.rpc.errors import Door, Guard
from eata_node.rpc.limits import MembersDoor, PublicDoor
from eata_node.rpc.tls import SERVER_OPTIONS, Identity
from eata_node.services import public, reading
from eata_node.services.attesting import Attesting
from eata_node.services.blobs import BlobsService
from eata_node.services.carnets import Carnets
from eata_node.services.follow import Follow
from eata_node.services.lists import ListsService
from eata_node.services.presentations import Presentations
from eata_node.services.rights import Rights
from eata_node.writing.proposer import wall_clock


@dataclass(frozen=True)
class Setup:
    """What makes a proxy: its folder, the cluster around it, its clock (ms UTC), the newest rules it knows."""

    name: str
    folder: Path
    genesis: Genesis
    cluster: ClusterFile
    clock: Callable[[], int] = wall_clock
    interceptors: Sequence[grpc.aio.ServerInterceptor] = ()
    rules: int = VERSION

    def engine(self, identity: Identity, tail: Tail) -> Engine:
        """A client of the cluster's engine; on etcd under a certificate of its own, beside a voter also as its root."""
        if self.cluster.engine != "etcd":
            return EmbeddedEngine(identity.channel(self.cluster.core.members), tail)
        user, root = self.folder / ENGINE, self.folder / KEEPER
        keeper = Identity.read(root) if root.exists() else None
        return EtcdEngine(self.cluster.endpoints, Identity.read(user), self.genesis, self.cluster.quota, keeper)


class Proxy:
    """Serves at once; writes once its node has caught up and opened."""

    def __init__(self, setup: Setup) -> None:
        check_verify()
        self.setup = setup
        keys, identity = NodeKeys.read(setup.folder), Identity.read(setup.folder)
        self._identity, self._cosigner, self._statement = identity, keys.cosign, keys.statement
        others = {n.name: n for n in setup.cluster.nodes if n.name != setup.name}
        self._peers = {name: identity.channel(n.members) for name, n in others.items()}
        world = World(
            lambda tail: setup.engine(identity, tail), self._peers,
            {n.name: n.members for n in setup.cluster.nodes}, setup.clock, rules=setup.rules,
        )  # fmt: skip
        self.node = Node(setup.name, setup.genesis, keys, Disk.open(setup.folder), world)
        self.node.on_halt = self._halted
        self._presentations = Presentations(self._peers, setup.clock)
        self._rights = Rights(self.node.replica, self.node.readers, self.node.limits)
        self._attesting = Attesting(setup.genesis.ledger, keys.statement)
        self._health = health.aio.HealthServicer()
        self._servers: list[grpc.aio.Server] = []
        self._unhealthy: asyncio.Task[None] | None = None

    def _cosign(self, checkpoint: Checkpoint) -> str:
        """This node's timestamped cosignature line, empty if it has no key for it."""
        if self._cosigner is None:
            return ""
        return self._cosigner.line(self.setup.name, checkpoint, self.setup.clock() // 1000)

    async def start(self) -> None:
        here = self.setup.cluster.node(self.setup.name)
        await self._serve(here.public, False, (self._add_wallet, self._add_blobs))
        await self._serve(here.members, True, (self._add_members, self._add_blobs))
        if here.metrics:
            self.node.metrics.serve(here.metrics)
        self.node.start()

    def _halted(self) -> None:
        """A halted node is not served by a load balancer."""
        status = health_pb2.HealthCheckResponse.NOT_SERVING
        self._unhealthy = asyncio.create_task(self._health.set("", status))

    # -- services

    async def _serve(self, address: str, members: bool, adds: Sequence[Callable[[grpc.aio.Server], None]]) -> None:
        door: Door = MembersDoor(self.node.limits) if members else PublicDoor(self.node.limits)
        interceptors = [*self.setup.interceptors, Guard(self.node.metrics, door)]
        server = grpc.aio.server(interceptors=interceptors, options=SERVER_OPTIONS)
        ledger_pb2_grpc.add_LedgerServicer_to_server(
            public.Ledger(self.node, self._cosign, door, self._statement), server
        )
        for add in adds:
            add(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [d.services_by_name[n].full_name for d in _DESCRIPTORS for n in d.services_by_name]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME, health.SERVICE_NAME], server)
        server.add_secure_port(address, self._identity.server(members))
        await server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        self._servers.append(server)

    def _add_wallet(self, server: grpc.aio.Server) -> None:
        replica = self.node.replica
        wallet = reading.Wallet(self._rights, Carnets(replica), self._attesting)
        reading_pb2_grpc.add_WalletServicer_to_server(wallet, server)
        lists_pb2_grpc.add_FollowServicer_to_server(self._followers(), server)

    def _add_blobs(self, server: grpc.aio.Server) -> None:
        node = self.node
        carnets, clock = Carnets(node.replica), self.setup.clock
        service = BlobsService(node.replica, self._rights, carnets, node.blobs, self._statement, self._peers, clock)
        blobs_pb2_grpc.add_BlobsServicer_to_server(service, server)

    def _followers(self) -> Follow:
        return Follow(self.node.replica, self._rights, self._presentations, self.setup.clock)

    def _add_members(self, server: grpc.aio.Server) -> None:
        replica, rights, carnets = self.node.replica, self._rights, Carnets(self.node.replica)
        customs = reading.Customs(replica, rights, carnets, self._attesting, self._presentations)
        reading_pb2_grpc.add_CustomsServicer_to_server(customs, server)
        lists_pb2_grpc.add_ListsServicer_to_server(ListsService(replica, rights, carnets), server)
        lists_pb2_grpc.add_FollowServicer_to_server(self._followers(), server)
        reading_pb2_grpc.add_IssuerServicer_to_server(reading.Issuer(rights, carnets, self._attesting), server)
        reading_pb2_grpc.add_AuditServicer_to_server(reading.Audit(replica, rights), server)
        peer = public.Peer(self.node, self._presentations, self._statement)
        node_pb2_grpc.add_PeerServicer_to_server(peer, server)

    async def stop(self) -> None:
        await asyncio.gather(*(server.stop(0.5) for server in self._servers))
        await self.node.stop()
        self.node.metrics.close()
        if self._unhealthy is not None:
            await self._unhealthy
        for channel in self._peers.values():
            await channel.close()


_DESCRIPTORS = (
    blobs_pb2.DESCRIPTOR,
    ledger_pb2.DESCRIPTOR,
    reading_pb2.DESCRIPTOR,
    lists_pb2.DESCRIPTOR,
    node_pb2.DESCRIPTOR,
)
