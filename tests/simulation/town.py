"""Six nodes, an engine and their clients in one process, on simulated disks, wires and clocks: all that the shipped code does."""

import asyncio
import os
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eata_clients.net.network import Network
from eata_clients.net.network import NodeAddress as Address
from eata_node.engine.client import EmbeddedEngine
from eata_node.engine.core import Core
from eata_node.engine.log_store import LogStore
from eata_node.ground.config import NodeKeys
from eata_node.ground.rocks import DamagedError
from eata_node.node import Disk, Node, World
from eata_node.replica.blobs import Blobs
from eata_node.replica.store import Store
from eata_node.rpc.errors import Guard
from eata_node.rpc.limits import PublicDoor
from eata_node.services import public, reading
from eata_node.services.attesting import Attesting
from eata_node.services.carnets import Carnets
from eata_node.services.presentations import Presentations
from eata_node.services.rights import Rights
from eata_proto.v1 import ledger_pb2_grpc, node_pb2_grpc, reading_pb2_grpc

from tests.simulation.disk import Platter, SimLogDisk, SimRocks, SimSlot
from tests.simulation.engine import NAME, ModelEngine, Quorum
from tests.simulation.liars import Band, LyingAttesting, LyingLedger, LyingPeer, corrupt, rubbish
from tests.simulation.loop import Process, spawn
from tests.simulation.promises import Promises
from tests.simulation.story import Story
from tests.simulation.wire import Host, Wire
from tests.world import NODES, START, NodeSeeds

BLOBS = Path(tempfile.gettempdir()) / f"eata-simulation-{os.getpid()}"  # no run stores a document


@dataclass
class House:
    """One machine of the town: its disk and clock outlive its processes."""

    name: str
    platter: Platter
    skew: int = 0  # ms
    process: Process = field(default_factory=lambda: Process("", alive=False))
    node: Node | None = None

    @property
    def whole(self) -> bool:
        """It runs, and its replica serves what it has."""
        return self.process.alive and self.node is not None and self.node.replica.serving


class Town:
    """`quorum`: on the model of a quorum log, else on the shipped core with a disk of its own; `liars` are the attacker's."""

    def __init__(self, story: Story, seeded: random.Random, quorum: bool, liars: Sequence[str] = ()) -> None:
        self.story, self.seeded, self.promises = story, seeded, Promises(liars=frozenset(liars))
        self.band = Band(seeded, {name: self._seeds(name).statement for name in liars})
        self.genesis = story.world.genesis
        self.wire = Wire(seeded)
        self.houses = {name: House(name, Platter(seeded), skew=self.band.skew(name)) for name in NODES}
        self.core = House(NAME, Platter(seeded))
        self.quorum = Quorum(story.opening) if quorum else None
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supervisors: set[asyncio.Task[Any]] = set()
        addresses = tuple(Address(name, name, name) for name in NODES)
        self.network = TownNetwork(self.genesis.ledger, addresses, b"", self)

    def now(self) -> int:
        """What right clocks say, ms UTC."""
        return START + int(asyncio.get_running_loop().time() * 1000)

    def watch(self, work: Any, owner: Process | None = None) -> "asyncio.Task[Any]":
        """Runs on the side; what it raises ends the run."""
        task = asyncio.ensure_future(work) if owner is None else spawn(owner, work)
        self._supervisors.add(task)

        def done(gone: "asyncio.Task[Any]") -> None:
            self._supervisors.discard(gone)
            if not gone.cancelled() and gone.exception() is not None and not self.broken.done():
                self.broken.set_exception(gone.exception())  # type: ignore[arg-type]

        task.add_done_callback(done)
        return task

    # -- processes

    def start_all(self) -> None:
        if self.quorum is None:
            self.start_core(first=True)
        for house in self.houses.values():
            self.start(house)

    def kill_all(self) -> None:
        for house in (*self.houses.values(), self.core):
            house.process.kill()

    def start_core(self, first: bool = False) -> None:
        self.core.process = process = Process(NAME)
        try:
            store = LogStore(SimLogDisk(self.core.platter, process), self.genesis)
        except OSError:
            self._ended(process)
            return
        if first:
            store.refill(0, self.story.opening)
            store.go_live()
        core, host = Core(store, self.genesis, NAME), Host(process)
        node_pb2_grpc.add_LogEngineServicer_to_server(core, host)  # type: ignore[arg-type]
        self.wire.hosts[NAME] = host

        async def run() -> None:
            """A core whose disk fails ends; it is started again."""
            try:
                await core.run()
            except OSError:
                self._ended(process)

        self.watch(run(), process)

    def _ended(self, process: Process) -> None:
        self.promises.seen["core ended"] += 1
        process.kill()

        async def again() -> None:
            await asyncio.sleep(1)
            if self.core.process is process:
                self.start_core()

        self.watch(again())

    def start(self, house: House) -> None:
        """A proxy's process, as its main does: a store that does not open is set aside and built anew."""
        house.process = process = Process(house.name)
        self.watch(self._run(house, process), process)

    async def _run(self, house: House, process: Process) -> None:
        try:
            node = self._opened(house, process)
        except OSError:
            process.alive = False
            await asyncio.sleep(1)
            if house.process is process:
                self.start(house)
            return
        house.node = node
        if house.name in self.promises.liars:
            corrupt(self.band, node)
            self.watch(rubbish(self.band, node), process)
        self._observe(house, process, node)
        self._serve(house.name, process, node)
        node.start()

    def _opened(self, house: House, process: Process) -> Node:
        try:
            return self._node(house, process)
        except DamagedError:
            house.platter.wipe()
            return self._node(house, process)

    def _node(self, house: House, process: Process) -> Node:
        guard, evidence = (SimSlot(house.platter, process, name) for name in ("checkpoint.guard", "evidence.json"))
        peers = {name: self.wire.channel(house.name, name) for name in NODES if name != house.name}
        world = World(
            lambda tail: self._engine(house.name, process, tail), peers, {},  # type: ignore[arg-type]
            lambda: self.now() + house.skew, asyncio.get_running_loop().time,
        )  # fmt: skip
        seeds = self._seeds(house.name)
        disk = Disk(Store(SimRocks(house.platter, process)), Blobs(BLOBS), guard, evidence)  # type: ignore[arg-type]
        return Node(house.name, self.genesis, NodeKeys(seeds.group, seeds.statement), disk, world)

    def _seeds(self, name: str) -> NodeSeeds:
        return next(seeds for seeds in self.story.world.seeds if seeds.name == name)

    def _engine(self, name: str, process: Process, tail: Any) -> Any:
        if self.quorum is not None:
            return ModelEngine(self.quorum, self.wire, process, name)
        return EmbeddedEngine(self.wire.channel(name, NAME), tail)  # type: ignore[arg-type]

    def _serve(self, name: str, process: Process, node: Node) -> None:
        """Honest nodes as they are shipped; a liar's answers are the attacker's."""
        door, key, lying = PublicDoor(node.limits), self._seeds(name).statement, name in self.promises.liars
        host: Any = Host(process, Guard(node.metrics, door))
        peers, attesting = (node, Presentations({}, self.now), key), Attesting(self.genesis.ledger, key)
        ledger: public.Ledger = public.Ledger(node, lambda _: "", door, key)
        peer: public.Peer = public.Peer(*peers)
        if lying:
            ledger, peer = LyingLedger(self.band, node, lambda _: "", door, key), LyingPeer(self.band, *peers)
            attesting = LyingAttesting(self.band, name, self.genesis.ledger, key)
        rights = Rights(node.replica, node.readers, node.limits)
        wallet = reading.Wallet(rights, Carnets(node.replica), attesting)
        ledger_pb2_grpc.add_LedgerServicer_to_server(ledger, host)
        node_pb2_grpc.add_PeerServicer_to_server(peer, host)
        reading_pb2_grpc.add_WalletServicer_to_server(wallet, host)
        self.wire.hosts[name] = host

    def _observe(self, house: House, process: Process, node: Node) -> None:
        """Looks at the replica after every batch it takes, and at why it halts."""
        take = node.replica.take

        def taken(placed: Any) -> None:
            before = node.replica.state.size
            take(placed)
            if process.alive:
                self.promises.honest = (START, self.now() + 1)
                self.promises.applied(house.name, node, before)

        def halted() -> None:
            if process.alive:
                self.watch(self._halted(house, process, node))

        vars(node.replica)["take"] = taken
        stand_at = node.bootstrap.fetching.stand_at

        def stood(vouched: Any, charter: Any) -> None:
            before = node.replica.state.size
            stand_at(vouched, charter)
            self.promises.seen["bootstrapped"] += 1
            if process.alive:
                self.promises.applied(house.name, node, before)

        vars(node.bootstrap.fetching)["stand_at"] = stood
        node.on_halt = halted

    async def _halted(self, house: House, process: Process, node: Node) -> None:
        """An operator looks: damage is built anew, a full disk has room again; anything else breaks a promise."""
        self.promises.seen["halted"] += 1
        if house.name not in self.promises.liars:
            self.promises.halted(house.name, node.replica.halted)
        await asyncio.sleep(self.seeded.uniform(0.2, 2))
        if process.alive:
            process.kill()
            if house.process is process:
                if node.damaged.is_set():
                    house.platter.wipe()
                self.start(house)


class TownNetwork(Network):
    """The shipped client's network, over the simulated wire."""

    def __init__(self, ledger: bytes, nodes: tuple[Address, ...], authority: bytes, town: Town) -> None:
        super().__init__(ledger, nodes, authority)
        object.__setattr__(self, "_town", town)

    def channel(self, node: Address, identity: Any) -> Any:
        town: Town = vars(self)["_town"]
        return town.wire.channel("client", node.name)
