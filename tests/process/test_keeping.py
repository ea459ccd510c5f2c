"""PINs anew, documents on three nodes, one voucher lent, a withheld stanza, erasure: on a whole cluster."""

import asyncio
import os
import shutil
from contextlib import suppress

import pytest
from eata_clients.authoring import keeping
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.issuing import Issued
from eata_clients.authoring.keeping import GrantContent
from eata_clients.issuer.care import IssuerCare
from eata_clients.issuer.client import Issuer, read_party
from eata_clients.net.errors import Untrusted
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_clients.opened import documents
from eata_clients.opened.lists import openers
from eata_clients.opened.parts import Excerpts, open_keys
from eata_clients.trust.auditor import Auditor
from eata_clients.trust.authors import Authors
from eata_clients.trust.registry_pages import fetch
from eata_host.vault import read_key
from eata_ledger.log.bodies import CancelCarnet, Issue
from eata_ledger.proof.qr import CodeQr
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import keys
from eata_ledger.state import Carnet
from eata_node.replica.scrub import scrub

from tests.process.scene import ALL, Scene, refused, scene
from tests.shown import parts

__all__ = ["scene"]
PDF = b"%PDF-1.7 " + bytes(range(256)) * 40
HOUR = 3_600_000


async def care_of(scene: Scene) -> tuple[Issuer, IssuerCare]:
    transport = await scene.stack.enter_async_context(scene.people.transport("CH-ALLIANCE"))
    folder = scene.people.home / "offices" / "CH-ALLIANCE"
    issuer = Issuer(folder, transport, read_party(folder / "party.cbor"))
    return issuer, IssuerCare(issuer)


def number_of(scene: Scene) -> str:
    return str(scene.carnet_id)


async def test_a_lost_pin_is_made_anew_and_devices_go_on(scene: Scene) -> None:
    """The same request, the same PIN; it opens the carnet, and signs nothing: the carnet has its holder."""
    _, care = await care_of(scene)
    carnet, pin, _ = await care.new_pin("lost-1", number_of(scene), keeping.rotate_pin)
    assert (await care.new_pin("lost-1", number_of(scene), keeping.rotate_pin))[1] == pin
    await scene.wallet.show(scene.carnet_id)
    qr = CodeQr(str(carnet.carnet_id), pin)
    second = scene.people.wallet(scene.public, "second")
    assert (await second.download(qr)).vouchers == []
    assert await refused(second.sign(qr)) == "ALREADY_SIGNED"
    assert not second.holds(scene.carnet_id)


async def test_a_document_is_on_three_nodes_and_read_by_whoever_opens_the_carnet(scene: Scene) -> None:
    _, care = await care_of(scene)
    await care.attach("doc-1", number_of(scene), "licence.pdf", PDF)
    await scene.wallet.attach(scene.carnet_id, "cover.pdf", PDF + b"cover")
    found = await scene.wallet.documents(scene.carnet_id)
    assert [d.content.name for d in found] == ["licence.pdf", "cover.pdf"]
    held = [p.node.blobs.get(found[0].blob) is not None for p in scene.mesh.proxies.values()]
    assert held.count(True) == 3
    customs, desk, _ = await scene.customs("CH-ZRH")
    scanned = await customs.scan(scene.qr(1))
    assert await customs.document(scanned, scanned.documents[0]) == PDF
    for name in scene.mesh.proxies:  # any node answers: one that has it not asks those that have
        _, _, there = await scene.customs("CH-ZRH", prefer=name)
        voucher = scanned.presented.voucher.sign
        reader = documents.DocumentReader([desk.key, voucher], desk.certificate, voucher.public)
        got = await documents.fetch(there, found[1], scene.carnet_id, reader)
        assert got == PDF + b"cover"
    assert all(p.node.blobs.get(found[1].blob) is not None for p in scene.mesh.proxies.values())
    _, other, abroad = await scene.customs("DE-BER")
    fetching = documents.fetch(
        abroad, found[0], scene.carnet_id, documents.DocumentReader([other.key], other.certificate)
    )
    assert await refused(fetching) == "NOT_VISIBLE"


async def test_no_node_can_read_a_document_and_a_damaged_copy_is_fetched_again(scene: Scene) -> None:
    await scene.wallet.attach(scene.carnet_id, "cover.pdf", PDF)
    [found] = await scene.wallet.documents(scene.carnet_id)
    copies = list((scene.people.home / "nodes").glob(f"*/blobs/{found.blob.hex()}"))
    assert len(copies) == 3
    assert all(b"%PDF" not in path.read_bytes() for path in copies)
    for path in copies[:2]:
        path.write_bytes(bytes(reversed(path.read_bytes())))
    assert await scene.wallet.document(scene.carnet_id, found) == PDF


@pytest.mark.parametrize(
    ("name", "data"), [("a.exe", b"MZ" + bytes(100)), ("a.pdf", b""), ("a.pdf", b"%PDF-" + bytes(5 * 2**20)), ("", PDF)]
)
async def test_what_is_no_document_is_not_stored(scene: Scene, name: str, data: bytes) -> None:
    with pytest.raises(ValueError, match="document"):
        await scene.wallet.attach(scene.carnet_id, name, data)


@pytest.mark.rule("U11")
async def test_the_officer_sees_to_whom_a_voucher_is_lent_and_on_what_authority(scene: Scene) -> None:
    await scene.wallet.attach(scene.carnet_id, "poa.pdf", PDF)
    [paper] = await scene.wallet.documents(scene.carnet_id)
    who = GrantContent("Agent AG", "CHE-123", "poa.pdf")
    await scene.wallet.lend(scene.carnet_id, 1, who, (now() - HOUR, now() + HOUR), paper.blob)
    customs, _, _ = await scene.customs("CH-ZRH")
    scanned = await customs.scan(scene.qr(1))
    assert scanned.lent is not None
    assert (scanned.lent.content, scanned.lent.paper) == (who, paper.blob)
    await scene.wallet.lend(scene.carnet_id, 1, who, (now() - 2 * HOUR, now() - HOUR))
    assert await refused(customs.commit(scanned, Decision(ALL))) == "DELEGATION_OVER"
    await scene.wallet.lend(scene.carnet_id, 1, who, (now() - HOUR, now() + HOUR))
    await customs.commit(scanned, Decision(ALL))


async def test_a_withheld_stanza_is_noticed_and_made_good(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lying desk seals rubbish for its own territory: the opener cannot open, the holder repairs."""
    from eata_clients.authoring import clearing

    customs, _, transport = await scene.customs("CH-ZRH")
    scanned = await customs.scan(scene.qr(1))
    monkeypatch.setattr(clearing, "wrap", lambda *_: os.urandom(1136 + len(keys().to_bytes())))
    done = await customs.commit(scanned, Decision(ALL))
    monkeypatch.undo()
    own = read_key(scene.people.home / "offices" / "CH" / "territory-CH.key")
    held = openers(own)

    async def opens() -> bool:
        reply = await customs.carnet(scene.carnet_id)
        excerpts = Excerpts(reply.entries, scene.mesh.genesis.ledger, Authors(await customs.registry()))
        with suppress(Untrusted):
            return open_keys(excerpts, done.index, held, scene.carnet_id) is not None
        return False

    assert not await opens()
    registry, mine = await fetch(transport), scene.wallet.holding(scene.carnet_id)
    secret = keys(content=mine.content_key, leaf=leaf_key(mine.journal(1)))
    entry = keeping.repair(
        mine.ledger, scene.carnet_id, done.index, 1, secret, registry.live(now())["CH"], mine.device, None, Stamp(now())
    )
    await submit(scene.public, registry.charter, entry)
    assert await opens()


async def test_erasure_reaches_every_disk_and_the_audit_accepts_it(scene: Scene) -> None:
    """What was sealed is gone from all six stores, documents too; the ledger replays from genesis as before."""
    issuer, care = await care_of(scene)
    issued = await scene.people.issue(scene.people.order())
    number = str(issued.carnet_id)
    await care.attach("doc-2", number, "licence.pdf", PDF)
    sealed = [part for part in issued.entry.parts if len(part) > 200]
    marks = [part[40:72] for part in sealed]
    await issuer.change("cancel-2", ["cancel"], lambda rid: _cancel(issuer, issued.carnet_id, rid))
    await care.shred("shred-2", number)
    await scene.mesh.settled()
    for proxy in scene.mesh.proxies.values():
        await asyncio.gather(*(task for name, task in proxy.node.tasks.items() if name == "erase"))
        assert all(mark not in value for _, value in proxy.node.store.everything("parts") for mark in marks)
        assert list((proxy.setup.folder / "blobs").iterdir()) == []
        assert list(scrub(proxy.node.store, proxy.node.replica.state.size))
    await scene.mesh.proxies["tokyo"].stop()  # a store that is lost comes back from the log, the erasure with it
    shutil.rmtree(scene.people.home / "nodes" / "tokyo" / "store")
    again = await scene.mesh.start_proxy("tokyo")
    await scene.mesh.ready("tokyo")
    await scene.mesh.settled()
    assert all(mark not in value for _, value in again.node.store.everything("parts") for mark in marks)
    reply = await issuer.carnet(number)
    assert (Carnet.from_bytes(reply.record).number, parts(reply)) == (issued_number(issued), [])
    wallet = scene.people.wallet(scene.public, "late")
    assert await refused(wallet.download(CodeQr(number, issued.pin))) == "CARNET_ERASED"
    auditor = await scene.stack.enter_async_context(scene.people.transport("ICC-AUDIT"))
    party = read_party(scene.people.home / "offices" / "ICC-AUDIT" / "party.cbor")
    report = await Auditor(auditor, party).audit("frankfurt")
    assert (report.agreeing, report.forks, report.shredded) == (6, 0, 1)


def issued_number(issued: Issued) -> str:
    body = issued.entry.header.body
    return body.number if isinstance(body, Issue) else ""


def _cancel(issuer: Issuer, carnet_id: int, request_id: bytes):  # type: ignore[no-untyped-def]
    from eata_clients.authoring.issuing import change
    from eata_ledger.log.entry import Entry

    made: Entry = change(
        issuer.transport.network.ledger, issuer.party, CancelCarnet(carnet_id), Stamp(now()), request_id
    )
    return made
