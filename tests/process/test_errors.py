"""Every RPC against bad input: a coded error with advice, state unchanged, the process alive (P4, P7)."""

import os
import random
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from eata_clients.authoring import issuing
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.issuer.client import read_party
from eata_clients.net.errors import EataError, from_rpc
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_clients.trust.registry_pages import fetch
from eata_ledger.log import bodies
from eata_ledger.log.entry import Entry, Signed
from eata_ledger.log.keys import SigningKey
from eata_ledger.wire import entry_to_proto
from eata_node.rpc.tls import Identity
from eata_proto import errors as wire
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc, node_pb2, node_pb2_grpc, reading_pb2, reading_pb2_grpc

from tests.mesh import Mesh, People

Call = Callable[[], Awaitable[object]]
PUBLIC = ("Submit", "Receipt", "Status", "Checkpoint", "Inclusion", "Consistency", "Number", "Registry")
SIGNED = ("Wallet/Carnet", "Customs/Voucher", "Customs/Carnet", "Issuer/Carnet")


async def refused(call: Call) -> EataError:
    with pytest.raises((EataError, grpc.aio.AioRpcError)) as caught:
        await call()
    error = caught.value
    if isinstance(error, grpc.aio.AioRpcError):
        return from_rpc(error)
    assert isinstance(error, EataError)
    return error


def states(mesh: Mesh) -> set[tuple[int, bytes]]:
    return {(proxy.node.replica.state.size, proxy.node.replica.root) for proxy in mesh.proxies.values()}


async def raw(channel: grpc.aio.Channel, method: str, data: bytes) -> bytes:
    """Bytes as they are, past every stub."""
    call: Any = channel.unary_unary(method, request_serializer=None, response_deserializer=None)
    answer: bytes = await call(data, timeout=10)
    return answer


@pytest.mark.parametrize(
    "junk", [b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f", random.Random(1).randbytes(300)], ids=["ff", "length", "random"]
)
async def test_malformed_bytes_get_a_code_on_every_rpc(mesh: tuple[Mesh, People], junk: bytes) -> None:
    house, people = mesh
    await house.settled()
    before = states(house)
    async with people.transport("CH") as transport:
        channel = transport.channel("frankfurt")
        methods = [f"/eata.v1.Ledger/{name}" for name in PUBLIC] + [f"/eata.v1.{name}" for name in SIGNED[1:]]
        for method in [*methods, "/eata.v1.Peer/SignStatements"]:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await raw(channel, method, b"\x0a\xff\xff\xff\xff\x0f" + junk)
            coded = wire.from_rpc(caught.value)
            assert coded is not None, method
            assert coded.code == "REQUEST_MALFORMED"
            assert coded.details["advice"]
        status = await ledger_pb2_grpc.LedgerStub(channel).Status(ledger_pb2.StatusRequest())
        assert status.state == "FOLLOWING"
    assert states(house) == before


async def test_bad_entries_get_a_code_and_change_nothing(mesh: tuple[Mesh, People]) -> None:
    """Malformed, oversized, wrong part, wrong signature, unknown key, wrong ledger, expired, wrong role."""
    house, people = mesh
    party = read_party(people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    good = issuing.reserve(house.genesis.ledger, party, 5, Stamp(now()))
    proto = entry_to_proto(good)
    [signature] = good.signatures
    stamp = Stamp(now())
    other = read_party(people.home / "offices" / "DE" / "party.cbor")

    def entry(body: bodies.Body, key: SigningKey, ledger: bytes = house.genesis.ledger, at: Stamp = stamp) -> object:
        return entry_to_proto(make(ledger, body, at, (key,)))

    flipped = Signed(signature.key_id, signature.value[:-1] + bytes([signature.value[-1] ^ 1]))
    cases: list[tuple[str, object]] = [
        ("ENTRY_MALFORMED", ledger_pb2.Entry(header=b"\x80", signatures=proto.signatures)),
        ("ENTRY_MALFORMED", ledger_pb2.Entry(header=proto.header + b"\x00", signatures=proto.signatures)),
        ("ENTRY_MALFORMED", ledger_pb2.Entry(header=proto.header)),
        ("ENTRY_MALFORMED", ledger_pb2.Entry(header=proto.header, signatures=[*proto.signatures] * 2)),
        ("ENTRY_MALFORMED", ledger_pb2.Entry(header=proto.header, signatures=proto.signatures, parts=[b"more"])),
        ("ENTRY_TOO_LARGE", ledger_pb2.Entry(header=proto.header, parts=[bytes(600_000)])),
        ("SIGNATURE_INVALID", entry_to_proto(Entry(good.header, (flipped,), ()))),
        ("KEY_UNKNOWN", entry(bodies.ReserveIds(1), SigningKey(os.urandom(32)))),
        ("ROLE_FORBIDDEN", entry(bodies.ReserveIds(1), other.sign)),
        ("WRONG_LEDGER", entry(bodies.ReserveIds(1), party.sign, bytes(32))),
        ("ENTRY_EXPIRED", entry(bodies.ReserveIds(1), party.sign, at=Stamp(now() - 3_600_000))),
    ]
    await house.settled()
    before = states(house)
    async with people.transport() as transport:
        await transport.measure()
        for code, message in cases:
            request = ledger_pb2.SubmitRequest(entry=message)  # type: ignore[arg-type]
            error = await refused(
                lambda r=request: transport.call(lambda c: ledger_pb2_grpc.LedgerStub(c).Submit, r)  # type: ignore[misc]
            )
            assert (error.code, error.final) == (code, False)
            assert error.advice
    await house.settled()
    assert states(house) == before


async def test_the_same_bytes_give_the_first_outcome_from_any_proxy_also_after_a_restart(
    mesh: tuple[Mesh, People],
) -> None:
    """P7."""
    house, people = mesh
    party = read_party(people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    request_id = os.urandom(16)
    entry = make(house.genesis.ledger, bodies.ReserveIds(5), Stamp(now()), (party.sign,), request_id=request_id)
    async with people.transport() as transport:
        first = await submit(transport, house.genesis.charter, entry)
        size = max(proxy.node.replica.state.size for proxy in house.proxies.values())
        await house.settled()
        await house.proxies["tokyo"].stop()
        await house.start_proxy("tokyo")
        await house.ready("tokyo")
        for node in people.network.nodes:
            async with people.transport(prefer=[node.name]) as other:
                again = await submit(other, house.genesis.charter, entry)
                assert (again.index, again.facts, other.last_node) == (first.index, first.facts, node.name)
        assert max(proxy.node.replica.state.size for proxy in house.proxies.values()) == size
        reused = make(house.genesis.ledger, bodies.ReserveIds(6), Stamp(now()), (party.sign,), request_id=request_id)
        error = await refused(lambda: submit(transport, house.genesis.charter, reused))
        assert error.code == "REQUEST_ID_REUSED"


async def test_ranges_beyond_the_log_are_refused(mesh: tuple[Mesh, People]) -> None:
    _, people = mesh
    async with people.transport() as transport:
        stub = ledger_pb2_grpc.LedgerStub(transport.channel("mumbai"))
        huge = 2**63
        for call in (
            lambda: stub.Receipt(ledger_pb2.ReceiptRequest(index=huge)),
            lambda: stub.Inclusion(ledger_pb2.InclusionRequest(index=0, size=huge)),
            lambda: stub.Inclusion(ledger_pb2.InclusionRequest(index=5, size=5)),
            lambda: stub.Consistency(ledger_pb2.ConsistencyRequest(old_size=3, new_size=2)),
            lambda: stub.Consistency(ledger_pb2.ConsistencyRequest(old_size=1, new_size=huge)),
        ):
            assert (await refused(call)).code == "OUT_OF_RANGE"
        for number, code in (("", "REQUEST_MALFORMED"), ("X" * 25, "REQUEST_MALFORMED"), ("NONE1", "NOT_FOUND")):
            error = await refused(lambda n=number: stub.Number(ledger_pb2.NumberRequest(number=n)))  # type: ignore[misc]
            assert error.code == code


async def test_signed_reads_are_fresh_once_and_by_the_right_key(mesh: tuple[Mesh, People]) -> None:
    """Stale, replayed, for another method, forged, unsigned."""
    _, people = mesh
    issued = await people.issue(people.order())
    party = read_party(people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    body = reading_pb2.CarnetQuery(carnet_id=issued.carnet_id).SerializeToString()
    async with people.transport("CH-ALLIANCE") as transport:
        stub = reading_pb2_grpc.IssuerStub(transport.channel("virginia"))

        def sign(key: SigningKey = party.sign, method: str = "/eata.v1.Issuer/Carnet") -> ledger_pb2.SignedRequest:
            return transport.signed(method, body, [key])

        good = sign()
        await stub.Carnet(good)
        stale, short, changed = sign(), sign(), sign()
        stale.time -= 61_000
        short.nonce = b"short"
        changed.body = reading_pb2.CarnetQuery(carnet_id=issued.carnet_id + 1).SerializeToString()
        unsigned = sign()
        unsigned.ClearField("signatures")
        for request, code in (
            (good, "NONCE_USED"), (stale, "READ_STALE"), (short, "REQUEST_MALFORMED"), (changed, "KEY_UNKNOWN"),
            (unsigned, "REQUEST_MALFORMED"), (sign(SigningKey(os.urandom(32))), "KEY_UNKNOWN"),
            (sign(method="/eata.v1.Wallet/Carnet"), "KEY_UNKNOWN"),
        ):  # fmt: skip
            assert (await refused(lambda r=request: stub.Carnet(r))).code == code  # type: ignore[misc]


async def test_a_session_never_sees_older_state(mesh: tuple[Mesh, People]) -> None:
    """P6: a position that the log has not reached is said, and so is another era."""
    _, people = mesh
    async with people.transport() as transport:
        await fetch(transport)
        ahead = ledger_pb2.Session(era=1, position=10**9)
        party = read_party(people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
        entry = entry_to_proto(issuing.reserve(people.network.ledger, party, 1, Stamp(now())))
        stub = ledger_pb2_grpc.LedgerStub(transport.channel("tokyo"))
        error = await refused(lambda: stub.Submit(ledger_pb2.SubmitRequest(entry=entry, session=ahead)))
        assert (error.code, error.retryable) == ("SESSION_AHEAD", True)
        other = ledger_pb2.Session(era=2, position=0)
        error = await refused(lambda: stub.Submit(ledger_pb2.SubmitRequest(entry=entry, session=other)))
        assert error.code == "ERA_CHANGED"


async def test_the_core_takes_only_genuine_groups_of_their_own_lane(mesh: tuple[Mesh, People]) -> None:
    """A node's certificate admits; the group's signature decides."""
    house, _ = mesh
    proxy = house.proxies["frankfurt"]
    genuine = proxy.node.store.group(proxy.node.replica.position)
    assert genuine is not None
    channel = Identity.read(house.home / "nodes" / "frankfurt").channel(house.cluster.core.members)
    stub = node_pb2_grpc.LogEngineStub(channel)
    other = house.genesis.nodes[1].id
    for node, lane, n, group in (
        (other, 0, 1, genuine),
        (other, 0, 1, b"\xff"),
        (other, 0, 1, genuine[:-1]),
        (other, 0, 1, bytes(2 << 20)),
    ):
        error = await refused(
            lambda a=(node, lane, n, group): stub.Append(
                node_pb2.AppendRequest(node=a[0], lane=a[1], n=a[2], group=a[3])
            )  # type: ignore[misc]
        )
        assert error.code == "INVALID_ARGUMENT"
    assert (await stub.Head(node_pb2.HeadRequest())).state == "LIVE"
    await channel.close()
