"""One contract, two engines: what a replica may rely on, tried on the embedded core and on three real etcd members."""

import asyncio
import http.client
import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from eata_ledger.proof.group import NO_HASH, Group, GroupHeader, GroupKind
from eata_ledger.wire import group_to_bytes
from eata_node.config import free_ports
from eata_node.engine.access import admitted, lanes_of, prefix_of, protect, user_of
from eata_node.engine.client import EmbeddedEngine
from eata_node.engine.core import CoreServer
from eata_node.engine.era import first_era
from eata_node.engine.etcd import EtcdEngine
from eata_node.engine.interface import Engine, MustBootstrap, Placed
from eata_node.engine.log_store import LogDisk, LogStore
from eata_node.engine.members import Members, assign
from eata_node.tls import Authority, Identity
from eata_proto.etcd import rpc_pb2, rpc_pb2_grpc

from scripts import debian
from tests.world import World

ROOT = Path(__file__).parents[2]
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


@pytest_asyncio.fixture(params=["embedded", "etcd"])
async def rig(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> AsyncIterator[Rig]:
    kind = EtcdRig if request.param == "etcd" else EmbeddedRig
    made = kind(world, tmp_path, first_era(world.genesis, (world.root,)))
    await made.start()
    yield made
    await made.stop()


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
            self.world.now + padding, 0, 1, None, (),
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


async def test_positions_are_counted_from_the_opening_and_read_back_in_order(rig: Rig) -> None:
    engine = rig.client(0)
    lane = Lane(rig.world, engine, 0)
    assert [await lane.append() for _ in range(5)] == [1, 2, 3, 4, 5]
    found = await read(rig.client(1), 0, 5)
    assert [placed.position for placed in found] == [0, 1, 2, 3, 4, 5]
    assert found[0].group == rig.opening
    assert await read(rig.client(2), 3, 5) == found[3:]
    head = await engine.head()
    assert (head.position, head.era, head.state) == (5, 1, "LIVE")


async def test_the_same_bytes_again_have_their_first_place(rig: Rig) -> None:
    engine = rig.client(0)
    lane = Lane(rig.world, engine, 0)
    data = lane.next()
    answers = [await engine.append(lane.id, 0, 1, data) for _ in range(3)]
    assert [(a.done, a.position) for a in answers] == [(True, 1)] * 3
    assert (await engine.head()).position == 1


async def test_a_lane_takes_only_its_next_group_and_says_what_is_there(rig: Rig) -> None:
    engine = rig.client(0)
    lane = Lane(rig.world, engine, 0)
    await lane.append()
    there = lane.next()
    assert (await engine.append(lane.id, 0, 2, there)).done
    other = lane.next(padding=1)  # another group 2: a late packet of an old process
    answer = await engine.append(lane.id, 0, 2, other)
    assert (answer.done, answer.lane_n, answer.lane_group) == (False, 2, there)
    lane.n = 3
    skipped = await engine.append(lane.id, 0, 4, lane.next())
    assert (skipped.done, skipped.lane_n) == (False, 2)
    assert (await engine.lanes(lane.id))[0] == (2, there)
    assert (await engine.head()).position == 2


async def test_lanes_do_not_wait_for_each_other_and_share_one_order(rig: Rig) -> None:
    lanes = [Lane(rig.world, rig.client(node), node, lane) for node in range(3) for lane in range(2)]

    async def fill(lane: Lane) -> list[int]:
        return [await lane.append() for _ in range(20)]

    places = await asyncio.gather(*(fill(lane) for lane in lanes))
    assert all(own == sorted(own) for own in places)
    assert sorted(position for own in places for position in own) == list(range(1, 121))
    found = await read(rig.client(3), 1, 120)
    assert len({placed.group for placed in found}) == 120


async def test_nothing_acknowledged_is_lost_or_moved_when_the_leader_goes(rig: Rig, seeded: random.Random) -> None:
    """Four strikes under traffic: every acknowledged group is at its position afterwards, once."""
    lanes = [Lane(rig.world, rig.client(node), node) for node in range(4)]
    acknowledged: dict[int, bytes] = {}
    stop, grown = asyncio.Event(), asyncio.Event()

    async def write(lane: Lane) -> None:
        while not stop.is_set():
            data = lane.next()
            answer = await lane.engine.append(lane.id, 0, lane.n + 1, data)
            assert answer.done
            assert acknowledged.setdefault(answer.position, data) == data
            lane.took()
            grown.set()

    writers = [asyncio.create_task(write(lane)) for lane in lanes]
    for _ in range(4):
        wanted = len(acknowledged) + seeded.randrange(20, 60)
        async with asyncio.timeout(60):
            while len(acknowledged) < wanted:
                await grown.wait()
                grown.clear()
        await rig.strike()
    stop.set()
    await asyncio.gather(*writers)
    assert len(acknowledged) > 80, "too little traffic"
    top = (await rig.client(0).head()).position
    found = {placed.position: placed.group for placed in await read(rig.client(5), 0, top)}
    assert sorted(found) == list(range(top + 1))
    assert {position: found[position] for position in acknowledged} == acknowledged


async def test_what_is_compacted_is_gone_and_everything_else_goes_on(rig: Rig) -> None:
    """The position compacted to is still there, also after a strike; whoever needs more must bootstrap."""
    engine = rig.client(0)
    lanes = [Lane(rig.world, engine, 0, lane) for lane in range(2)]
    for _ in range(20):
        for lane in lanes:
            await lane.append()
    whole = await read(engine, 0, 40)
    await engine.compact(25)
    await engine.compact(25)
    await engine.compact(10)
    await rig.strike()
    assert await read(rig.client(1), 25, 40) == whole[25:]
    for low in (0, 1, 24):
        with pytest.raises(MustBootstrap):
            await read(rig.client(1), low, 40)
    assert [await lane.append() for lane in lanes] == [41, 42]
    assert (await engine.lanes(lanes[0].id))[0][0] == 21
    await engine.compact(42)
    await rig.strike()
    assert await lanes[0].append() == 43
    await engine.make_room()
    assert 0 <= (await engine.room()).full() < 1


async def test_a_stranger_appends_nothing(rig: Rig) -> None:
    """Without a certificate of the engine's own authority nobody is heard: the ledger's organisations have another's."""
    if not isinstance(rig, EtcdRig):
        pytest.skip("the embedded core's door is tried in test_divergence.py")
    Authority(rig.home / "tls").admit("root", rig.home / "thief")
    thief = Identity.read(rig.home / "thief")
    own = rig.identity(0)
    mixed = Identity(thief.key, thief.certificate, own.authority)
    async with mixed.channel(rig.members.endpoints[0]) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await rpc_pb2_grpc.KVStub(channel).Range(rpc_pb2.RangeRequest(key=b"x"), timeout=2)


async def test_a_node_writes_its_own_lanes_and_nothing_else(rig: Rig) -> None:
    """What a stolen node can do to the log: no other's lane, no era, no stray key, no member, no role is its to change."""
    if not isinstance(rig, EtcdRig):
        pytest.skip("the embedded core takes groups alone, and reads whose they are")
    lane, other = Lane(rig.world, rig.client(0), 0), Lane(rig.world, rig.client(1), 1)
    assert [await lane.append(), await other.append()] == [1, 2]
    with pytest.raises(grpc.aio.AioRpcError, match="permission denied"):
        await lane.engine.append(other.id, 0, 2, b"not its own")
    async with rig.identity(0).channel(rig.members.endpoints[0]) as channel:
        put, calls = rpc_pb2_grpc.KVStub(channel).Put, list[Any]()
        for key in (prefix_of(rig.world.ledger) + b"era", lanes_of(rig.world.ledger, other.id)[0] + b"000", b"stray"):
            calls.append(put(rpc_pb2.PutRequest(key=key, value=b"x"), timeout=2))
        calls.append(rpc_pb2_grpc.AuthStub(channel).RoleAdd(rpc_pb2.AuthRoleAddRequest(name="more"), timeout=2))
        calls.append(rpc_pb2_grpc.MaintenanceStub(channel).Defragment(rpc_pb2.DefragmentRequest(), timeout=2))
        calls.append(rpc_pb2_grpc.ClusterStub(channel).MemberRemove(rpc_pb2.MemberRemoveRequest(ID=1), timeout=2))
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError, match="permission denied"):
                await call
    assert [await lane.append(), await other.append()] == [3, 4]


async def test_a_node_is_no_member(rig: Rig) -> None:
    """A vote or a log entry of consensus comes from a member's certificate only."""
    if not isinstance(rig, EtcdRig):
        pytest.skip("the embedded core has no members")
    rig.identity(0)
    member = rig.members.members[0]
    folders = rig.home / "etcd" / member.name, rig.home / "nodes" / rig.world.seeds[0].name
    answers = [await asyncio.to_thread(members_told, member.peer, folder) for folder in folders]
    assert answers == [True, False]


def members_told(address: str, folder: Path) -> bool:
    """Whether a member's door for the others answers who comes with this certificate."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    host, _, port = address.partition(":")
    with closing(http.client.HTTPSConnection(host, int(port), timeout=5, context=context)) as connection:
        try:
            connection.request("GET", "/members")
            return connection.getresponse().status == 200
        except OSError:
            return False


async def test_roles_are_given_while_groups_pass_and_given_again(rig: Rig) -> None:
    """A node that joins changes etcd's roles under every other's calls; no append is refused for it."""
    if not isinstance(rig, EtcdRig):
        pytest.skip("the embedded core has no roles")
    lanes = [Lane(rig.world, rig.client(node), node) for node in range(4)]
    root, nodes = rig.joined(rig.members.operator), [seeds.record.id for seeds in rig.world.seeds]
    joining = asyncio.create_task(protect(root.doors, rig.world.ledger, nodes * 4))
    places = []
    while not joining.done():
        places += await asyncio.gather(*(lane.append() for lane in lanes))
    await joining
    assert len(places) > 20, "too little traffic"
    assert sorted(places) == list(range(1, len(places) + 1))


async def test_what_another_writer_leaves_in_etcd_is_a_void_position_for_all(rig: Rig) -> None:
    """An operator's stray key moves every replica's count alike: the position is there, and holds no group."""
    if not isinstance(rig, EtcdRig):
        pytest.skip("nobody else can write to the embedded core")
    lane = Lane(rig.world, rig.client(0), 0)
    await lane.append()
    async with rig.members.operator.channel(rig.members.endpoints[0]) as channel:
        await rpc_pb2_grpc.KVStub(channel).Put(rpc_pb2.PutRequest(key=b"stray", value=b"x"), timeout=2)
    assert await lane.append() == 3
    assert [placed.group == b"" for placed in await read(rig.client(1), 0, 3)] == [False, False, True, False]


async def filled(engine: EtcdEngine) -> grpc.StatusCode:
    """What a member says once it takes nothing more."""
    stub = rpc_pb2_grpc.KVStub(engine.doors.order[0].calls)
    try:
        while True:
            await stub.Put(rpc_pb2.PutRequest(key=b"eata/waste", value=bytes(100 << 10)), timeout=5)
    except grpc.aio.AioRpcError as error:
        return error.code()


async def alarms(engine: EtcdEngine) -> int:
    """How many members have said that they are full."""
    stub = rpc_pb2_grpc.MaintenanceStub(engine.doors.order[0].calls)
    return len((await stub.Alarm(rpc_pb2.AlarmRequest(), timeout=5)).alarms)


async def test_a_log_that_was_full_to_the_brim_takes_groups_again(world: World, tmp_path: Path) -> None:
    """etcd refuses every write once its quota is reached, until it is told that there is room again."""
    debian.etcd()
    made = EtcdRig(world, tmp_path, first_era(world.genesis, (world.root,)))
    made.members = Members(tmp_path, assign(3), world.ledger, 4 << 20)
    try:
        await made.start()
        engine, other = made.joined(made.members.operator, made.members.operator), made.client(0)
        await engine.room()
        assert await filled(engine) is grpc.StatusCode.RESOURCE_EXHAUSTED
        lane = Lane(world, other, 0)
        waiting = asyncio.create_task(lane.append())
        async with asyncio.timeout(30):
            while await alarms(engine) < len(made.members.members):  # from here on no member writes at all
                await asyncio.wait({waiting}, timeout=0.1)
        assert (await engine.room()).full() == 1
        async with asyncio.timeout(20):  # `eata up` begins so, in whatever state the log was left
            await engine.open_era(made.opening)
            await protect(engine.doors, world.ledger, [seeds.record.id for seeds in world.seeds])
        await engine.compact((await engine.head()).position)
        async with asyncio.timeout(30):
            while not waiting.done():
                await engine.make_room()
                await asyncio.wait({waiting}, timeout=0.5)
        assert waiting.result() > 0
    finally:
        await made.stop()
