"""What is etcd's own: who may do what in it, how it fills up and is emptied, and what it shows of others' writes."""

import asyncio
import http.client
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from eata_ledger.log.opening import first_era
from eata_node.engine.access import lanes_of, prefix_of, protect
from eata_node.engine.etcd import EtcdEngine
from eata_node.engine.members import Members, assign
from eata_node.rpc.tls import Authority, Identity
from eata_proto.etcd import rpc_pb2, rpc_pb2_grpc

from scripts import debian
from tests.engines import EtcdRig, Lane, read
from tests.world import World


@pytest_asyncio.fixture
async def rig(world: World, tmp_path: Path) -> AsyncIterator[EtcdRig]:
    made = EtcdRig(world, tmp_path, first_era(world.genesis, (world.root,)))
    await made.start()
    yield made
    await made.stop()


async def test_a_watch_gets_more_at_once_than_a_message_holds(rig: EtcdRig) -> None:
    """Twenty groups of 900 kB: etcd sends them in fragments, none left out, however far behind a follower begins."""
    engine, node = rig.client(0), rig.world.seeds[0].record.id
    groups = [os.urandom(900_000) for _ in range(20)]
    for n, group in enumerate(groups, 1):
        assert (await engine.append(node, 0, n, group)).position == n
    assert [placed.group for placed in await read(rig.client(1), 1, 20)] == groups


async def test_a_stranger_appends_nothing(rig: EtcdRig) -> None:
    """Without a certificate of the engine's own authority nobody is heard: the ledger's organisations have another's."""
    Authority(rig.home / "tls").admit("root", rig.home / "thief")
    thief = Identity.read(rig.home / "thief")
    own = rig.identity(0)
    mixed = Identity(thief.key, thief.certificate, own.authority)
    async with mixed.channel(rig.members.endpoints[0]) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await rpc_pb2_grpc.KVStub(channel).Range(rpc_pb2.RangeRequest(key=b"x"), timeout=2)


async def test_a_node_writes_its_own_lanes_and_nothing_else(rig: EtcdRig) -> None:
    """What a stolen node can do to the log: no other's lane, no era, no stray key, no member, no role is its to change."""
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


async def test_a_node_is_no_member(rig: EtcdRig) -> None:
    """A vote or a log entry of consensus comes from a member's certificate only."""
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


async def test_roles_are_given_while_groups_pass_and_given_again(rig: EtcdRig) -> None:
    """A node that joins changes etcd's roles under every other's calls; no append is refused for it."""
    lanes = [Lane(rig.world, rig.client(node), node) for node in range(4)]
    root, nodes = rig.joined(rig.members.operator), [seeds.record.id for seeds in rig.world.seeds]
    joining = asyncio.create_task(protect(root.doors, rig.world.ledger, nodes * 4))
    places = []
    while not joining.done():
        places += await asyncio.gather(*(lane.append() for lane in lanes))
    await joining
    assert len(places) > 20, "too little traffic"
    assert sorted(places) == list(range(1, len(places) + 1))


async def test_what_another_writer_leaves_in_etcd_is_a_void_position_for_all(rig: EtcdRig) -> None:
    """An operator's stray key moves every replica's count alike: the position is there, and holds no group."""
    lane = Lane(rig.world, rig.client(0), 0)
    await lane.append()
    async with rig.members.operator.channel(rig.members.endpoints[0]) as channel:
        await rpc_pb2_grpc.KVStub(channel).Put(rpc_pb2.PutRequest(key=b"stray", value=b"x"), timeout=2)
    assert await lane.append() == 3
    assert [placed.group == b"" for placed in await read(rig.client(1), 0, 3)] == [False, False, True, False]


async def filled(engine: EtcdEngine) -> None:
    """Until every member has said that it is full: from here on none of them writes at all.

    Each is asked for itself, with more than any of them has left: their files differ a little, and grow at their own moments.
    """
    size = 100 << 10
    while await alarms(engine) < len(engine.doors.order):
        for door in engine.doors.order:
            try:
                put = rpc_pb2.PutRequest(key=b"eata/waste", value=bytes(size))
                await rpc_pb2_grpc.KVStub(door.calls).Put(put, timeout=10)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                size = 1 << 20


async def alarms(engine: EtcdEngine) -> int:
    """How many members have said that they are full."""
    stub = rpc_pb2_grpc.MaintenanceStub(engine.doors.order[0].calls)
    return len((await stub.Alarm(rpc_pb2.AlarmRequest(), timeout=10)).alarms)


async def test_a_log_that_was_full_to_the_brim_takes_groups_again(world: World, tmp_path: Path) -> None:
    """etcd refuses every write once its quota is reached, until it is told that there is room again."""
    debian.etcd()
    made = EtcdRig(world, tmp_path, first_era(world.genesis, (world.root,)))
    made.members = Members(tmp_path, assign(3), world.ledger, 4 << 20)
    try:
        await made.start()
        engine, other = made.joined(made.members.operator, made.members.operator), made.client(0)
        await engine.room()
        async with asyncio.timeout(60):
            await filled(engine)
        waiting = asyncio.create_task(Lane(world, other, 0).append())
        assert (await engine.room()).full() == 1
        async with asyncio.timeout(20):  # `eata up` begins so, in whatever state the log was left
            await engine.open_era(made.opening)
            await protect(engine.doors, world.ledger, [seeds.record.id for seeds in world.seeds])
        await engine.compact((await engine.head()).position)
        async with asyncio.timeout(60):
            while not waiting.done():
                await engine.make_room()
                await asyncio.wait({waiting}, timeout=0.5)
        assert waiting.result() > 0
    finally:
        await made.stop()
