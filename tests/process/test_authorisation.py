"""The whole authorisation table walked: every party at every call, every kind of author at every entry."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from eata_clients.authoring import clearing
from eata_clients.authoring.clearing import Desk
from eata_clients.authoring.holding import Wish
from eata_clients.holder.devices import Devices
from eata_clients.issuer.client import read_party
from eata_clients.net.errors import from_rpc
from eata_clients.net.transport import Transport, now
from eata_host.vault import read_key
from eata_ledger.carnet.vocabulary import Kind, Role, VoucherState
from eata_ledger.facts import Facts
from eata_ledger.log.bodies import BODIES, EnrolDevice
from eata_ledger.log.entry import Entry, Header
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Skipped
from eata_ledger.proof.qr import CodeQr
from eata_ledger.rules import authors
from eata_ledger.rules.act import Act
from eata_ledger.seal.codes import CodeKeys, code_keys
from eata_ledger.state import Device
from eata_node.services.rights import RIGHTS
from eata_proto.v1 import (
    blobs_pb2,
    blobs_pb2_grpc,
    ledger_pb2,
    lists_pb2,
    lists_pb2_grpc,
    node_pb2,
    node_pb2_grpc,
    reading_pb2,
    reading_pb2_grpc,
)

from tests.process.scene import ALL, Scene, scene
from tests.world import World

__all__ = ["scene"]
TABLE = Path(__file__).with_name("authorisation.txt").read_text(encoding="utf-8")
LETTERS = {"+": "", "v": "NOT_VISIBLE", "k": "KEY_UNKNOWN", "c": "CODE_INVALID", "r": "ROLE_FORBIDDEN",
           "x": "CERT_EXPIRED", "w": "WRONG_TERRITORY_FOR_TYPE"}  # fmt: skip
STUBS = {"Wallet": reading_pb2_grpc.WalletStub, "Customs": reading_pb2_grpc.CustomsStub,
         "Issuer": reading_pb2_grpc.IssuerStub, "Audit": reading_pb2_grpc.AuditStub,
         "Blobs": blobs_pb2_grpc.BlobsStub, "Follow": lists_pb2_grpc.FollowStub, "Lists": lists_pb2_grpc.ListsStub,
         "Peer": node_pb2_grpc.PeerStub}  # fmt: skip
PUBLIC = frozenset({"Wallet/Carnet", "Follow/Carnet"})


def table(name: str) -> tuple[list[str], dict[str, list[str]]]:
    """(columns, row → cells) of a table of the file."""
    lines = TABLE.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"{name} "))
    rows: dict[str, list[str]] = {}
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        row, *cells = line.split()
        rows[row] = cells
    return lines[start].split()[1:], rows


@dataclass(frozen=True)
class Party:
    """What somebody has to sign with."""

    key: SigningKey
    certificate: bytes = b""


@dataclass
class Cast:
    """Every party of the table, and what they ask for."""

    scene: Scene
    parties: dict[str, Party]
    voucher: SigningKey
    document: bytes
    public: Transport
    members: Transport

    def body(self, method: str) -> bytes:
        carnet_id = self.scene.carnet_id
        match method:
            case "Customs/Voucher":
                return reading_pb2.VoucherQuery(
                    carnet_id=carnet_id, voucher_key=self.voucher.public
                ).SerializeToString()
            case "Customs/Voucher?":
                return reading_pb2.VoucherQuery(carnet_id=carnet_id, voucher_key=UNKNOWN.public).SerializeToString()
            case "Blobs/Put":
                return blobs_pb2.BlobPut(carnet_id=carnet_id, content=b"sealed").SerializeToString()
            case "Blobs/Get":
                return blobs_pb2.BlobQuery(carnet_id=carnet_id, blob=self.document).SerializeToString()
            case "Audit/Entries":
                return reading_pb2.EntriesQuery(to_index=2).SerializeToString()
            case _ if method.startswith("Follow/"):
                return lists_pb2.FollowQuery(carnet_id=carnet_id).SerializeToString()
            case _ if method.startswith("Lists/"):
                return lists_pb2.ListQuery().SerializeToString()
            case _:
                return reading_pb2.CarnetQuery(carnet_id=carnet_id).SerializeToString()

    async def ask(self, method: str, party: Party) -> str:
        """The code of the answer, empty for a good one."""
        transport = self.public if method in PUBLIC else self.members
        service, name = method.rstrip("?").split("/")
        signers = [party.key]
        if service == "Customs" and name == "Voucher":
            signers.append(UNKNOWN if method.endswith("?") else self.voucher)
        request: Any = transport.signed(f"/eata.v1.{service}/{name}", self.body(method), signers, party.certificate)
        if service == "Peer":
            request = {"SignStatements": node_pb2.SignStatementsRequest(), "Presented": node_pb2.PresentedRequest(),
                       "Blob": node_pb2.BlobRequest(), "Entries": node_pb2.EntriesRequest(),
                       "Backup": node_pb2.BackupRequest(),
                       "Landmarks": node_pb2.LandmarksRequest()}[name]  # fmt: skip
        call = getattr(STUBS[service](transport.channel("frankfurt")), name)
        try:
            if name == "Entries" or service == "Follow":
                return await _first(call(request, timeout=0.7))
            await call(request, timeout=10)
        except grpc.aio.AioRpcError as error:
            return from_rpc(error).code
        return ""


UNKNOWN = SigningKey(bytes([9]) * 32)


async def _first(stream: Any) -> str:
    """A stream is granted once it has said anything, or has stayed open until its deadline."""
    try:
        async for _ in stream:
            return ""
    except grpc.aio.AioRpcError as error:
        return "" if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED else from_rpc(error).code
    return ""


async def cast(scene: Scene) -> Cast:
    people, held = scene.people, scene.wallet.holding(scene.carnet_id)
    ledger = held.ledger
    await scene.commit(1, "CH-ZRH")
    await scene.commit(2, "CH-ZRH")
    await scene.commit(3, "DE-BER")
    await scene.wallet.attach(scene.carnet_id, "a.pdf", b"%PDF-1.7 x")
    [document] = await scene.wallet.documents(scene.carnet_id)
    [(slot, _, _)] = (await scene.wallet.travel(scene.carnet_id, (Wish(Kind.REIMPORTATION, "CH", ALL),))).slots
    second = people.wallet(scene.public, "second")
    await people.admit(scene.wallet, second, scene.carnet_id)
    revoked = second.kept(scene.carnet_id).keys.sign
    await Devices(scene.wallet).revoke(scene.carnet_id, [revoked.id])
    [slot] = [v.slot for v in (await scene.wallet.show(scene.carnet_id)).vouchers if v.state is VoucherState.PREPARED]
    issued = await people.issue(people.order())
    stranger = people.wallet(scene.public, "stranger")
    await stranger.sign(CodeQr(str(issued.carnet_id), issued.pin))

    def party(code: str) -> Party:
        return Party(read_party(people.home / "offices" / code / "party.cbor").sign)

    def desk(office: str, role: Role = Role.OFFICER) -> Party:
        found = people.desk(office, role)
        return Party(found.key, found.certificate)

    def signed_in(authority: SigningKey, when: int) -> Party:
        found: Desk = clearing.sign_in(ledger, authority, "CH-ZRH", Role.OFFICER, when)
        return Party(found.key, found.certificate)

    home = read_key(people.home / "offices" / "CH" / "desk-authority.key")
    parties = {
        "nobody": Party(SigningKey(os.urandom(32))), "device": Party(held.device),
        "revoked": Party(revoked), "stranger": Party(SigningKey(stranger.kept(issued.carnet_id).device)),
        "pin": Party(scene.pin.sign), "issuer": party("CH-ALLIANCE"), "other": party("ES-CAMARA"), "auditor": party("ICC-AUDIT"),
        "officer": desk("CH-ZRH"), "control": desk("CH-ZRH", Role.CONTROLLER),
        "manager": desk("CH-ZRH", Role.REGIONAL_MANAGER), "met": desk("DE-BER"), "unmet": desk("XS-KLOW"),
        "expired": signed_in(SigningKey(home), now() - 24 * 3_600_000),
        "forged": signed_in(SigningKey(os.urandom(32)), now()),
    }  # fmt: skip
    voucher: CodeKeys = code_keys(scene.qr(slot).code, ledger, scene.carnet_id)
    members = await scene.stack.enter_async_context(people.transport("CH", ["frankfurt"]))
    await scene.mesh.settled()
    return Cast(scene, parties, voucher.sign, document.blob, scene.public, members)


async def test_every_party_at_every_call_gets_the_answer_of_its_cell(scene: Scene) -> None:
    """From real clients over TLS; the caller's TLS certificate is one administration's throughout: it authorises nothing."""
    columns, rows = table("reads")
    house = await cast(scene)
    assert set(columns) == set(house.parties)
    wrong = []
    for method, cells in rows.items():
        for name, cell in zip(columns, cells, strict=True):
            found = await house.ask(method, house.parties[name])
            if found != LETTERS[cell]:
                wrong.append(f"{method} as {name}: {found or 'answered'}, not {LETTERS[cell] or 'answered'}")
    assert not wrong, "\n".join(wrong)


async def test_the_table_the_nodes_enforce_names_every_call_there_is() -> None:
    """A new call without a line here does not pass unnoticed; open calls are those of `Ledger`."""
    descriptors = (ledger_pb2, lists_pb2, reading_pb2, blobs_pb2)
    there = {
        f"/{service.full_name}/{method.name}"
        for module in descriptors for service in module.DESCRIPTOR.services_by_name.values() for method in service.methods
    } | {f"/eata.v1.Peer/{m.name}" for m in node_pb2.DESCRIPTOR.services_by_name["Peer"].methods}  # fmt: skip
    assert there == set(RIGHTS)
    _, rows = table("reads")
    assert {f"/eata.v1.{row.rstrip('?')}" for row in rows} == {m for m in RIGHTS if "/eata.v1.Ledger/" not in m}


@pytest.fixture
def parties(world: World, pin_keys: CodeKeys) -> dict[str, tuple[SigningKey, int, bytes]]:
    """Author key, carnet and desk certificate of every kind of author."""
    held, desk = world.hold(world.issue(), pin_keys), world.desk()
    keys = {
        "operations": world.operations, "organisation": world.issuer.sign, "administration": world.parties["CH"].sign,
        "device": held.device, "desk": desk.key, "node": world.seeds[0].group, "root": world.root,
        "stranger": SigningKey(os.urandom(32)),
    }  # fmt: skip
    return {name: (key, held.carnet_id, desk.certificate) for name, key in keys.items()}


def test_every_kind_of_author_at_every_entry_is_known_or_not(
    world: World, parties: dict[str, tuple[SigningKey, int, bytes]]
) -> None:
    columns, rows = table("entries")
    assert set(rows) == {body.__name__ for body in BODIES.values()}
    wrong = []
    for body_type in BODIES.values():
        for name, cell in zip(columns, rows[body_type.__name__], strict=True):
            key, carnet_id, certificate = parties[name]
            known = _known(world, body_type, key, carnet_id, certificate if name == "desk" else None)
            if known is not (cell == "y"):
                wrong.append(f"{body_type.__name__} by {name}: {'known' if known else 'unknown'}")
    assert not wrong, "\n".join(wrong)


def _known(world: World, body_type: type[Any], key: SigningKey, carnet_id: int, certificate: bytes | None) -> bool:
    """True where `key` would be taken for the author; the body holds only what tells who may be."""
    given: dict[str, Any] = {field.name: None for field in fields(body_type)}
    given |= {"carnet_id": carnet_id} if "carnet_id" in given else {}
    if "certificate" in given and body_type.__name__ != "AddStanza":
        given["certificate"] = certificate or world.desk().certificate
    if body_type is EnrolDevice:
        given["device_key"] = key.public if key == _device(world, key, carnet_id) else SigningKey(os.urandom(32)).public
    header = Header(world.ledger, key.id, bytes(16), 2**60, world.now, 0, (), body_type(**given))
    act = Act(Facts(world), Entry(header, (), ()), world.moment(), lambda *_: True, world.rules)
    try:
        return authors.resolve(act) == key.public
    except Skipped:
        return False


def _device(world: World, key: SigningKey, carnet_id: int) -> SigningKey | None:
    """The key itself where it is a device's of the carnet."""
    return key if world.fact(Device, carnet_id, key.id) is not None else None
