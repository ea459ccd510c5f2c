"""Both log engines with their servers, for the tests that try what a replica may rely on."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eata_ledger.log.group import NO_HASH, Group, GroupHeader, GroupKind
from eata_ledger.wire import group_to_bytes
from eata_node.engine.access import admitted, protect, user_of
from eata_node.engine.client import EmbeddedEngine
from eata_node.engine.core import CoreServer
from eata_node.engine.etcd import EtcdEngine
from eata_node.engine.interface import Engine, Placed
from eata_node.engine.log_store import LogDisk, LogStore
from eata_node.engine.members import Members, assign
from eata_node.ground.config import free_ports
from eata_node.rpc.tls import Authority, Identity

from scripts import debian
from tests.world import World

QUOTA = 64 << 20


@dataclass
class Rig(ABC):
    """An engine with its servers, and the fault it must live through."""

    world: World
    home: Path
    opening: bytes

    @abstractmethod
    async def start(self) -> None:
        """Servers up, position 0 placed."""

    @abstractmethod
    def client(self, node: int) -> Engine:
        """A node's own client."""

    @abstractmethod
    async def strike(self) -> None:
        """Takes the leader away at once, as a power cut would; what it acknowledged must still be there."""

    @abstractmethod
    async def stop(self) -> None:
        """Nothing is left running."""

    @abstractmethod
    def identity(self, node: int) -> Identity:
        """A node's certificate for the engine."""


@dataclass
class EmbeddedRig(Rig):
    core: Any = None
    address: str = ""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        folder = self.home / "core"
        Authority(self.home / "tls").admit("node:core", folder)
        store = LogStore(LogDisk(folder), self.world.genesis)
        store.refill(0, self.opening)
        store.go_live()
        store.close()
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        await self._up()

    async def _up(self) -> None:
        self.core = CoreServer(self.home / "core", self.world.genesis, self.address)
        await self.core.start()

    def identity(self, node: int) -> Identity:
        name = self.world.seeds[node].name
        folder = self.home / "nodes" / name
        if not (folder / "tls.key").exists():
            Authority(self.home / "tls").admit(f"node:{name}", folder)
        return Identity.read(folder)

    def client(self, node: int) -> Engine:
        channel = self.identity(node).channel(self.address)
        self.stack.push_async_callback(channel.close)
        return EmbeddedEngine(channel, lambda position: iter(()))

    async def strike(self) -> None:
        await self.core.stop()
        await self._up()

    async def stop(self) -> None:
        await self.stack.aclose()
        await self.core.stop()


@dataclass
class EtcdRig(Rig):
    members: Any = None
    clients: list[EtcdEngine] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)

    async def start(self) -> None:
        debian.etcd()
        if self.members is None:
            self.members = Members(self.home, assign(3), self.world.ledger, QUOTA)
        self.members.start_all()
        await self.members.leader()
        engine = self.joined(self.members.operator)
        await engine.open_era(self.opening)
        await protect(engine.doors, self.world.ledger, [seeds.record.id for seeds in self.world.seeds])

    def identity(self, node: int) -> Identity:
        seeds = self.world.seeds[node]
        return admitted(self.home, user_of(seeds.record.id), self.home / "nodes" / seeds.name)

    def client(self, node: int) -> EtcdEngine:
        """The first two stand beside voters and keep room."""
        return self.joined(self.identity(node), self.members.operator if node < 2 else None)

    def joined(self, identity: Identity, keeper: Identity | None = None) -> EtcdEngine:
        made = EtcdEngine(self.members.endpoints, identity, self.world.genesis, self.members.quota, keeper)
        self.clients.append(made)
        return made

    async def strike(self) -> None:
        for name in self.struck:
            self.members.start(name)
        leader = await self.members.leader()
        self.members.kill(leader)
        self.struck = [leader]
        assert await self.members.leader() != leader

    async def stop(self) -> None:
        for client in self.clients:
            await client.close()
        self.members.stop_all()


@dataclass
class Lane:
    """One node's lane as its proposer sees it."""

    world: World
    engine: Engine
    node: int
    lane: int = 0
    n: int = 0
    previous: bytes = NO_HASH

    @property
    def id(self) -> bytes:
        return self.world.seeds[self.node].record.id

    def next(self, padding: int = 0) -> bytes:
        """The lane's next group; nothing is sent."""
        seeds = self.world.seeds[self.node]
        header = GroupHeader(
            1, self.world.ledger, 1, GroupKind.ENTRIES, seeds.record.id, 1, self.lane, self.n + 1, self.previous,
            self.world.now + padding, False, 0, 1, None, (),
        )  # fmt: skip
        self._made = Group(header, header.to_bytes(), header.sign(seeds.group))
        return group_to_bytes(self._made, ())

    def took(self) -> None:
        self.n, self.previous = self.n + 1, self._made.hash

    async def append(self) -> int:
        data = self.next()
        answer = await self.engine.append(self.id, self.lane, self.n + 1, data)
        assert answer.done
        self.took()
        return answer.position


async def read(engine: Engine, low: int, high: int) -> list[Placed]:
    """Positions low to high, however often the connection breaks."""
    found: list[Placed] = []
    async with asyncio.timeout(30):
        while not found or found[-1].position < high:
            at = found[-1].position + 1 if found else low
            async with aclosing(engine.follow(at)) as stream:  # type: ignore[type-var]
                async for batch in stream:
                    found += batch
                    if found[-1].position >= high:
                        break
    return [placed for placed in found if placed.position <= high]
