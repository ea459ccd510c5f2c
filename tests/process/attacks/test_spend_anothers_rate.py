"""H10. The attacker is anybody at all: it sends other people's entries again, with signatures that are void, so that those who
signed them once are told to wait."""

import asyncio
import os

import grpc.aio
import pytest
from eata_clients.authoring import clearing, issuing
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import Stamp
from eata_clients.customs.scanned import Scanned
from eata_clients.issuer.client import read_party
from eata_clients.net.errors import from_rpc
from eata_clients.net.transport import now
from eata_ledger.log.entry import Entry, Signed
from eata_ledger.wire import entry_to_proto
from eata_node.rpc.limits import Limit, Rate
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from tests.process.scene import Scene, scene

__all__ = ["scene"]
NODE = "frankfurt"


async def code_of(stub: "ledger_pb2_grpc.LedgerAsyncStub", entry: ledger_pb2.Entry, record: bool = False) -> str:
    try:
        await stub.Submit(ledger_pb2.SubmitRequest(entry=entry, record=record))
    except grpc.aio.AioRpcError as error:
        return from_rpc(error).code
    return ""


@pytest.fixture
def narrow(scene: Scene) -> Scene:
    """Ten entries a minute for each author, at the node that is attacked."""
    limits = scene.mesh.proxies[NODE].node.limits
    limits._rates[Limit.IDENTITY] = Rate(1, 10)
    limits._buckets[Limit.IDENTITY].clear()
    return scene


async def test_replayed_and_forged_entries_cost_their_author_nothing(narrow: Scene) -> None:
    ledger = narrow.people.network.ledger
    party = read_party(narrow.people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    stub = ledger_pb2_grpc.LedgerStub(narrow.public.channel(NODE))
    known = issuing.reserve(ledger, party, 1, Stamp(now()))
    assert await code_of(stub, entry_to_proto(known)) == ""
    void = Entry(known.header, tuple(type(s)(s.key_id, bytes(64)) for s in known.signatures), known.parts)
    assert {await code_of(stub, entry_to_proto(void)) for _ in range(20)} == {""}  # answered as before
    forged = issuing.reserve(ledger, party, 2, Stamp(now()))
    forged = Entry(forged.header, tuple(type(s)(s.key_id, bytes(64)) for s in forged.signatures), forged.parts)
    assert {await code_of(stub, entry_to_proto(forged)) for _ in range(20)} == {"SIGNATURE_INVALID"}
    own = [await code_of(stub, entry_to_proto(issuing.reserve(ledger, party, 1, Stamp(now())))) for _ in range(9)]
    assert own == [""] * 9
    assert await code_of(stub, entry_to_proto(issuing.reserve(ledger, party, 1, Stamp(now())))) == "RATE_LIMITED"


async def test_copies_of_an_entry_on_its_way_cost_its_author_once(narrow: Scene) -> None:
    """As it is, and with signatures added that nobody asked for: each copy is another frame of the same entry."""
    ledger = narrow.people.network.ledger
    party = read_party(narrow.people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    stub = ledger_pb2_grpc.LedgerStub(narrow.public.channel(NODE))
    fresh = issuing.reserve(ledger, party, 1, Stamp(now()))
    copies = [entry_to_proto(fresh)] * 8
    for _ in range(8):
        junk = Signed(os.urandom(16), os.urandom(64))
        copies.append(entry_to_proto(Entry(fresh.header, (*fresh.signatures, junk), fresh.parts)))
    assert set(await asyncio.gather(*(code_of(stub, copy) for copy in copies))) == {""}
    another = entry_to_proto(issuing.reserve(ledger, party, 1, Stamp(now())))
    for _ in range(20):  # asked for, and hung up on
        call = stub.Submit(ledger_pb2.SubmitRequest(entry=another))
        await asyncio.wait({asyncio.ensure_future(call.initial_metadata())}, timeout=0.002)
        call.cancel()
    assert await code_of(stub, another) == ""
    own = [await code_of(stub, entry_to_proto(issuing.reserve(ledger, party, 1, Stamp(now())))) for _ in range(8)]
    assert own == [""] * 8


async def test_a_void_commit_is_not_ordered_on_request(narrow: Scene) -> None:
    """`record` asks for a refusal in the log; it takes its author's own signature."""
    customs, _, _ = await narrow.customs("CH-ZRH", prefer=NODE)
    scanned = await customs.scan(narrow.qr(1))
    made = narrow.mesh.proxies[NODE].node.replica.state.size
    entry = await _commit(narrow, scanned)
    void = Entry(entry.header, tuple(type(s)(s.key_id, bytes(64)) for s in entry.signatures), entry.parts)
    stub = ledger_pb2_grpc.LedgerStub(narrow.public.channel(NODE))
    assert {await code_of(stub, entry_to_proto(void), record=True) for _ in range(5)} == {"SIGNATURE_INVALID"}
    assert narrow.mesh.proxies[NODE].node.replica.state.size == made


async def _commit(scene: Scene, scanned: Scanned) -> Entry:
    """A desk's commit, made and not sent."""
    registry = await (await scene.customs("CH-ZRH"))[0].registry()
    desk = scene.people.desk("CH-ZRH")
    presented = scanned.presented
    return clearing.commit(
        registry.genesis.ledger, desk, presented, Decision(presented.items), registry.live(now()),
        registry.issuer("CH-ALLIANCE"), Stamp(now(), 60),
    )  # fmt: skip
