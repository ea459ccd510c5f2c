"""P3: a probe in holder, goods and remarks is looked for wherever a node could have it; none is found.

The same scan over a run with sealing switched off must find it, or it would prove nothing.
"""

import base64
import gzip
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from eata_clients.authoring import clearing, deciding, devices, holding, issuing, keeping, telling
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import DeclarationContent, NoticeDetails, remarks
from eata_clients.authoring.holding import Wish
from eata_clients.authoring.keeping import GrantContent
from eata_clients.customs.client import CustomsDesk
from eata_clients.holder.notices import Notices
from eata_clients.holder.wallet import Wallet
from eata_clients.net.transport import now
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, NoticeKind
from eata_ledger.seal.codes import CodeKind
from eata_node.engine.log_store import LogDisk, LogStore
from eata_node.replica.store import FAMILIES, Store

from tests.mesh import Mesh

PROBE = "Stradivarius-Probe-Zürich"
ALL = Items.parse("1-20")


class Recorder(grpc.aio.ServerInterceptor):
    """Keeps every message that passes inside TLS, both ways, as bytes."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def intercept_service(self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None or handler.request_streaming or handler.response_streaming:
            return handler
        parse, serialise, call = handler.request_deserializer, handler.response_serializer, handler.unary_unary

        def keep_request(data: bytes) -> Any:
            self.messages.append(data)
            return parse(data) if parse else data

        def keep_reply(message: Any) -> bytes:
            data: bytes = serialise(message)
            self.messages.append(data)
            return data

        return grpc.unary_unary_rpc_method_handler(call, keep_request, keep_reply)


def forms() -> list[bytes]:
    """The probe as it could lie about: UTF-8, UTF-16, base64 at each of its three alignments."""
    plain = PROBE.encode()
    found = [plain, PROBE.encode("utf-16-le"), PROBE.encode("utf-16-be"), plain.hex().encode()]
    for shift in range(3):
        found.append(base64.b64encode(bytes(shift) + plain)[4 : len(plain)])
    return found


def holds_probe(data: bytes) -> bool:
    """True for any form of the probe, also inside gzip and zlib streams."""
    if any(form in data for form in forms()):
        return True
    for magic, wbits in ((b"\x1f\x8b\x08", 31), (b"\x78\x9c", 15), (b"\x78\xda", 15)):
        at = data.find(magic)
        while at >= 0:
            try:
                if any(form in zlib.decompressobj(wbits).decompress(data[at:], 1 << 22) for form in forms()):
                    return True
            except zlib.error:
                pass
            at = data.find(magic, at + 1)
    return False


def places(mesh_home: Path, messages: Iterable[bytes], genesis: Any) -> Iterable[tuple[str, bytes]]:
    """Every value of every replica through iterators, the core's log, every file, every message."""
    for folder in sorted((mesh_home / "nodes").iterdir()):
        store = Store.open(folder)
        for family in FAMILIES:
            for key, value in store.everything(family):
                yield f"{folder.name}/{family}", key + value
        store.close()
    log = LogStore(LogDisk(mesh_home / "core"), genesis)
    for position, group in log.read(0, log.head + 1):
        yield f"core/{position}", group
    log.close()
    for path in (p for name in ("nodes", "core") for p in (mesh_home / name).rglob("*") if p.is_file()):
        yield str(path.relative_to(mesh_home)), path.read_bytes()
    for message in messages:
        yield "a message inside TLS", message


async def run(home: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """A whole journey with the probe in every text; returns where it was found afterwards."""
    recorder = Recorder()
    mesh = Mesh(home, [recorder])
    people = await mesh.start()
    async with people.transport() as transport:
        wallet = people.wallet(transport)
        issued = await people.issue(people.order(20, f"{PROBE} AG", f"{PROBE} violin"))
        carnet_id = await people.download(wallet, issued)
        details = DeclarationContent(PROBE, PROBE, PROBE, PROBE, PROBE, PROBE)
        wishes = (Wish(Kind.VALIDATION, "CH", ALL, details=details), Wish(Kind.EXPORTATION, "CH", ALL, details=details))
        slots = [slot for slot, _, _ in (await wallet.travel(carnet_id, wishes)).slots]
        await _tell(wallet, carnet_id, slots[0])
        await wallet.attach(carnet_id, f"{PROBE}.pdf", b"%PDF-1.7 " + PROBE.encode())
        who = GrantContent(PROBE, PROBE, PROBE)
        await wallet.lend(carnet_id, slots[0], who, (now() - 60_000, now() + 3_600_000))
        for slot in slots:
            async with people.transport("CH") as desk:
                await _decide(people.customs(desk, "CH-ZRH"), wallet, carnet_id, slot)
    await mesh.settled()
    genesis = mesh.genesis
    await mesh.stop()
    assert len(recorder.messages) > 100, "too little traffic was recorded"
    found = [place for place, data in places(home, recorder.messages, genesis) if holds_probe(data)]
    if holds_probe("".join(capsys.readouterr()).encode()):
        found.append("what the nodes logged")
    return sorted(set(found))


async def _tell(wallet: Wallet, carnet_id: int, slot: int) -> None:
    """A pre-notification with the probe in every field."""
    details = NoticeDetails(0, True, PROBE, PROBE, PROBE, PROBE, PROBE, PROBE, PROBE, PROBE, "")
    await Notices(wallet).notify(carnet_id, slot, "CH-ZRH", NoticeKind.PREDECLARATION, details)


async def _decide(customs: CustomsDesk, wallet: Wallet, carnet_id: int, slot: int) -> None:
    """Reject, hold, release, commit, disagree and cancel, each with the probe in its words."""
    scanned = await customs.scan(wallet.code(carnet_id, slot))
    assert PROBE in scanned.content.holder
    assert PROBE in scanned.details.remarks
    await customs.reject(scanned, PROBE)
    await customs.hold(carnet_id, PROBE)
    await customs.release(carnet_id, PROBE)
    said = remarks(PROBE, PROBE, PROBE, marks=PROBE, seals=PROBE, not_produced=PROBE, not_reexported=PROBE)
    done = await customs.commit(scanned, Decision(ALL, remarks=replace(said, item_marks={1: PROBE})))
    await Notices(wallet).disagree(carnet_id, done.index, PROBE)
    if scanned.presented.kind is Kind.EXPORTATION:
        await customs.cancel(wallet.code(carnet_id, slot, CodeKind.CANCELLATION), done.index, PROBE)


@pytest.mark.rule("CORE-04")
async def test_no_node_holds_the_probe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(tmp_path / "home", capsys) == []


async def test_without_sealing_the_same_scan_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sealing replaced by identity: the store, the core's log and the messages all show the probe."""

    def identity(key: bytes, context: object, message: bytes, salt: bytes | None = None) -> bytes:
        return message

    def open_identity(key: bytes, context: object, sealed: bytes) -> bytes:
        return sealed

    for module in (issuing, devices, holding, clearing, deciding, telling, keeping):
        monkeypatch.setattr(module, "seal", identity)
    for name in ("eata_clients.opened.parts.unseal", "eata_clients.authoring.devices.unseal"):
        monkeypatch.setattr(name, open_identity)
    found = await run(tmp_path / "home", capsys)
    assert "frankfurt/parts" in found
    assert any(place.startswith("core/") for place in found)
    assert "a message inside TLS" in found


@pytest.mark.parametrize(
    "hidden",
    [
        PROBE.encode(),
        PROBE.encode("utf-16-le"),
        base64.b64encode(b"xy" + PROBE.encode() + b"z"),
        gzip.compress(PROBE.encode() * 9, mtime=0),
    ],
    ids=["plain", "UTF-16", "base64", "gzip"],
)
def test_the_scan_sees_every_form(hidden: bytes) -> None:
    assert holds_probe(b"\x00before" + hidden + b"after")
    assert not holds_probe(b"\x00before" + hidden[::-1] + b"after")
