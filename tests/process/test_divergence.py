"""P2 and P4 from inside: forged entries and groups, a replica whose facts were changed, doors for nodes only."""

import asyncio
import os
import threading
from pathlib import Path

import grpc.aio
import pytest
from eata_clients.authoring import issuing
from eata_clients.authoring.content import Stamp
from eata_clients.issuer.client import read_party
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_host.files import Slot
from eata_ledger.log.entry import Entry, Signed
from eata_ledger.log.group import Cosignature, Group, GroupHeader, GroupKind
from eata_ledger.log.keys import SigningKey
from eata_ledger.state import Chain, Family
from eata_ledger.wire import entry_to_proto, group_to_bytes
from eata_node.engine.interface import Placed
from eata_node.ground.config import NodeKeys
from eata_node.ground.rocks import u64
from eata_node.replica.cosigning import CosigningGuard
from eata_node.replica.replica import Replica
from eata_node.replica.store import GROUPS, Store
from eata_node.rpc.tls import Identity
from eata_proto.v1 import node_pb2, node_pb2_grpc

from tests.mesh import Mesh, People


def reservation(house: Mesh, people: People) -> Entry:
    party = read_party(people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    return issuing.reserve(house.genesis.ledger, party, 1, Stamp(now()))


def next_group(house: Mesh, name: str, entries: tuple[Entry, ...], key: SigningKey | None = None) -> bytes:
    """What the node `name` would propose next in its last lane, by hand."""
    replica = house.proxies["tokyo"].node.replica
    keys = NodeKeys.read(house.home / "nodes" / name)
    node = replica.nodes[keys.group.id]
    lane = node.lanes.get(63)
    header = GroupHeader(
        1, house.genesis.ledger, 1, GroupKind.ENTRIES, keys.group.id, node.incarnation, 63,
        1 if lane is None else lane.n + 1, bytes(32) if lane is None else lane.hash, now(), False, 0, 1, None,
        tuple(entry.frame_hash for entry in entries),
    )  # fmt: skip
    group = Group(header, header.to_bytes(), header.sign(key or keys.group))
    return group_to_bytes(group, tuple(entry_to_proto(entry) for entry in entries))


async def test_a_forged_entry_in_one_replicas_log_is_refused_by_it_alone(mesh: tuple[Mesh, People]) -> None:
    """A genuine group with a forged entry: no leaf, counted against its proposer; the others never saw it."""
    house, people = mesh
    await house.settled()
    replica = house.proxies["tokyo"].node.replica
    before = (replica.state.size, replica.root)
    good = reservation(house, people)
    [signature] = good.signatures
    forged = Entry(
        good.header, (Signed(signature.key_id, signature.value[:-1] + bytes([signature.value[-1] ^ 1])),), ()
    )
    data = next_group(house, "mumbai", (forged,))
    mumbai = house.genesis.nodes[house.cluster.nodes.index(house.cluster.node("mumbai"))].id
    replica.take([Placed(replica.position + 1, data)])
    assert (replica.state.size, replica.root) == before
    assert replica.nodes[mumbai].skipped_entries == 1
    assert house.proxies["frankfurt"].node.replica.nodes[mumbai].skipped_entries == 0


@pytest.mark.parametrize("kind", ["signature", "entries", "junk"])
async def test_a_forged_group_is_void(mesh: tuple[Mesh, People], kind: str) -> None:
    """It consumes its position and nothing else."""
    house, people = mesh
    await house.settled()
    replica = house.proxies["tokyo"].node.replica
    before = (replica.state.size, replica.root, replica.position)
    entry, other = reservation(house, people), reservation(house, people)
    if kind == "signature":
        data = next_group(house, "mumbai", (entry,), SigningKey(os.urandom(32)))
    elif kind == "entries":
        swapped = next_group(house, "mumbai", (entry,))
        data = swapped.replace(entry_to_proto(entry).header, entry_to_proto(other).header)
        assert data != swapped
    else:
        data = b"\xff" * 64
    replica.take([Placed(replica.position + 1, data)])
    assert (replica.state.size, replica.root, replica.position) == (*before[:2], before[2] + 1)


async def test_a_replica_whose_log_was_rewritten_stops_with_evidence(mesh: tuple[Mesh, People]) -> None:
    """Every reopen asks for the last applied group again and wants it byte for byte."""
    house, _ = mesh
    proxy = house.proxies["tokyo"]
    store, position = proxy.node.store, proxy.node.replica.position
    await proxy.stop()
    store = Store.open(house.home / "nodes" / "tokyo")
    store.put(GROUPS, u64(position), b"another group")
    store.commit()
    store.close()
    again = await house.start_proxy("tokyo")
    async with asyncio.timeout(20):
        while not again.node.replica.halted:
            await again.node.replica.reach(position + 10**6, 0.1)
    assert f"another group at position {position}" in again.node.replica.halted


async def insisting(replica: Replica, position: int) -> None:
    while not await replica.reach(position, 60):
        pass


async def test_the_odd_replica_halts_and_the_others_exclude_it(mesh: tuple[Mesh, People]) -> None:
    """A fact is changed on one disk; the next leaf differs, and with it the root it signs."""
    house, people = mesh
    await house.settled()
    odd = house.proxies["tokyo"]
    odd.node.store.put_facts({(int(Family.CHAIN), b""): Chain(777_777, 0).to_bytes()})
    odd.node.store.commit()
    others = [proxy for name, proxy in house.proxies.items() if name != "tokyo"]
    signing = [proxy.node.proposer._sign_checkpoint for proxy in others]

    async def nothing() -> None:
        """The odd one signs first: it would halt before it spoke if the others were quicker."""

    for proxy in others:
        proxy.node.proposer._sign_checkpoint = nothing
    async with people.transport(prefer=["frankfurt"]) as transport:
        await submit(transport, house.genesis.charter, reservation(house, people))
    async with asyncio.timeout(30):
        while any(not proxy.node.replica.cosigning._claims for proxy in others):
            await others[0].node.replica.reach(others[0].node.replica.position + 1, 0.2)
    for proxy, sign in zip(others, signing, strict=True):
        proxy.node.proposer._sign_checkpoint = sign
    async with asyncio.timeout(30):
        while not odd.node.replica.halted or any("tokyo" not in p.node.replica.cosigning.excluded for p in others):
            await others[0].node.replica.reach(others[0].node.replica.position + 1, 0.2)
    assert "signed another root" in odd.node.replica.halted
    assert not any(proxy.node.replica.halted for proxy in others)
    assert (house.home / "nodes" / "tokyo" / "evidence.json").exists()
    async with people.transport(prefer=["tokyo"]) as transport:
        await submit(transport, house.genesis.charter, reservation(house, people))
        assert transport.last_node != "tokyo", "a halted node serves only status and evidence"
    await odd.stop()
    again = await house.start_proxy("tokyo")
    assert again.node.replica.halted, "evidence outlives a restart"
    head = (await others[0].node.engine.head()).position
    with pytest.raises(TimeoutError):  # a halted one answers at once, and lets others work between two questions
        await asyncio.wait_for(insisting(again.node.replica, head + 1000), 0.2)
    assert (again.node.proposer.incarnation, again.node.submitting) == (0, None), "and it writes nothing"


async def test_an_organisations_certificate_opens_no_node_door(mesh: tuple[Mesh, People]) -> None:
    """The core's log and the peers' signatures are for nodes: entry bytes go to no one else (P5)."""
    house, _ = mesh
    outsider = Identity.read(house.home / "offices" / "XS")
    async with outsider.channel(house.cluster.core.members) as channel:
        stub = node_pb2_grpc.LogEngineStub(channel)
        calls = (
            stub.Head(node_pb2.HeadRequest()),
            stub.Lanes(node_pb2.LanesRequest(node=house.genesis.nodes[0].id)),
            stub.Append(node_pb2.AppendRequest()),
            stub.Follow(node_pb2.FollowRequest(from_position=0)).read(),
        )
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    async with outsider.channel(house.cluster.nodes[0].members) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await node_pb2_grpc.PeerStub(channel).SignStatements(node_pb2.SignStatementsRequest(indexes=[0]))
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_the_guard_signs_one_history_from_any_number_of_threads(tmp_path: Path) -> None:
    """Never smaller, never contradicting, also after a restart; the same checkpoint as often as asked."""
    key, path = SigningKey(os.urandom(32)), tmp_path / "checkpoint.guard"
    guard = CosigningGuard(Slot(path), key, bytes(32))
    signed: list[Cosignature | None] = []

    def sign() -> None:
        for size in range(1, 60):
            signed.append(guard.sign(1, size, bytes([size]) * 32))

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(signed) == 4 * 59
    again = CosigningGuard(Slot(path), key, bytes(32))
    assert again.last == (1, 59, bytes([59]) * 32)
    assert again.sign(1, 58, bytes(32)) is None
    assert again.sign(1, 59, bytes(32)) is None
    assert again.sign(1, 59, bytes([59]) * 32) is not None
    assert again.sign(2, 1, bytes(32)) is not None
