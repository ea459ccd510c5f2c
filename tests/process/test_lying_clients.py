"""Clients that lie: about time, by replaying, reordering, withholding, showing what is cancelled; each its own answer."""

import os
from dataclasses import replace

import pytest
from eata_clients.authoring import clearing
from eata_clients.authoring.clearing import Decision, Desk
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Wish
from eata_clients.customs.client import CustomsDesk
from eata_clients.net.receipts import check_statement, receipt
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_clients.trust.registry_pages import fetch
from eata_clients.trust.trust_file import fetch_trust
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.log.entry import Entry
from eata_ledger.proof.statement import Standing
from eata_ledger.proof.trust import Trust, verify_receipt
from eata_ledger.seal.codes import CodeKind

from tests.process.scene import ALL, Scene, refused, scene

__all__ = ["scene"]
HOUR = 3_600_000


async def commit_entry(scene: Scene, customs: CustomsDesk, desk: Desk, slot: int, stamp: Stamp) -> Entry:
    scanned, registry = await customs.scan(scene.qr(slot)), await customs.registry()
    return clearing.commit(
        registry.genesis.ledger, desk, scanned.presented, Decision(scanned.presented.items), registry.live(stamp.time),
        registry.issuer(scanned.carnet.issuer), stamp,
    )  # fmt: skip


@pytest.mark.parametrize(("hours", "code"), [(-13, "CERT_EXPIRED"), (13, "EVENT_AHEAD")])
async def test_a_desk_that_lies_about_the_time_of_its_act_is_outside_its_certificate(
    scene: Scene, hours: int, code: str
) -> None:
    customs, desk, transport = await scene.customs("CH-ZRH")
    stamp = Stamp(now() + hours * HOUR, (await customs.clock())[1], 72 * HOUR)
    entry = await commit_entry(scene, customs, desk, 1, stamp)
    assert await refused(submit(transport, scene.mesh.genesis.charter, entry)) == code


async def test_a_commit_dated_ahead_within_the_certificate_is_refused(scene: Scene) -> None:
    customs, desk, transport = await scene.customs("CH-ZRH")
    ahead = Stamp(now() + HOUR, (await customs.clock())[1], 2 * HOUR)
    entry = await commit_entry(scene, customs, desk, 1, ahead)
    assert await refused(submit(transport, scene.mesh.genesis.charter, entry)) == "EVENT_AHEAD"


async def test_a_replayed_entry_is_its_first_outcome_and_its_id_serves_nothing_else(scene: Scene) -> None:
    customs, desk, transport = await scene.customs("CH-ZRH")
    charter, stamp = scene.mesh.genesis.charter, Stamp(now(), (await customs.clock())[1])
    entry = await commit_entry(scene, customs, desk, 1, stamp)
    first = await submit(transport, charter, entry)
    for name in scene.mesh.proxies:
        _, _, there = await scene.customs("CH-ZRH", prefer=name)
        assert (await submit(there, charter, entry)).index == first.index
    again = await commit_entry(scene, customs, desk, 2, stamp)
    reused = make(
        charter.ledger, again.header.body, stamp, (desk.key,), (), entry.header.request_id
    )  # fmt: skip
    assert await refused(submit(transport, charter, reused)) == "REQUEST_ID_REUSED"


async def test_a_desk_that_commits_what_was_declared_before_an_edit_is_stale(scene: Scene) -> None:
    """Reordering: the scan came before the holder's edit, the commit after."""
    customs, desk, transport = await scene.customs("CH-ZRH")
    entry = await commit_entry(scene, customs, desk, 1, Stamp(now(), (await customs.clock())[1]))
    shown = await scene.wallet.show(scene.carnet_id)
    few = Items.parse("1-5")
    wishes = (Wish(Kind.VALIDATION, "CH", few), Wish(Kind.EXPORTATION, "CH", few), Wish(Kind.IMPORTATION, "EU", few))
    await scene.wallet.edit(scene.carnet_id, shown.vouchers[0].travel_id, wishes)
    assert await refused(submit(transport, scene.mesh.genesis.charter, entry)) == "STALE_VERSION"


async def test_a_desk_that_leaves_a_stanza_out_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    customs, desk, transport = await scene.customs("CH-ZRH")
    monkeypatch.setattr(clearing, "_stanzas", lambda *_: [])
    entry = await commit_entry(scene, customs, desk, 1, Stamp(now(), (await customs.clock())[1]))
    assert await refused(submit(transport, scene.mesh.genesis.charter, entry)) == "STANZAS_WRONG"


async def test_a_cancelled_transactions_code_and_receipt_say_so(scene: Scene) -> None:
    """The holder shows the used QR again, and an old receipt: neither passes with anybody who asks the ledger."""
    customs, _, _ = await scene.customs("CH-ZRH")
    done = await customs.commit(await customs.scan(scene.qr(1)), Decision(ALL))
    charter = scene.mesh.genesis.charter
    before = await receipt(scene.public, charter, done.index, done.entry_hash)
    await customs.cancel(scene.qr(1, CodeKind.CANCELLATION), done.index, "wrong items")
    after = await receipt(scene.public, charter, done.index, done.entry_hash)
    trust: Trust = await fetch_trust(scene.public, await fetch(scene.public))
    assert verify_receipt(before.statement, trust).good  # true of its moment: `at_index` says which
    verdict = verify_receipt(after.statement, trust)
    assert (verdict.good, verdict.why.startswith("cancelled as of")) == (False, True)
    assert check_statement(after.statement, charter)[0].standing is Standing.CANCELLED
    scanned = await customs.scan(scene.qr(1))
    assert await refused(customs.commit(scanned, Decision(ALL))) == "CODE_CONSUMED"


async def test_a_desk_that_changes_what_it_signed_with_is_nobody(scene: Scene) -> None:
    """A certificate of one desk and the key of another; a voucher that was never shown."""
    customs, desk, transport = await scene.customs("CH-ZRH")
    other = scene.people.desk("CH-ZRH")
    charter, stamp = scene.mesh.genesis.charter, Stamp(now(), (await customs.clock())[1])
    mixed = replace(desk, key=other.key)
    assert await refused(submit(transport, charter, await commit_entry(scene, customs, mixed, 1, stamp))) in (
        "KEY_UNKNOWN", "SIGNATURE_INVALID",
    )  # fmt: skip
    good = await commit_entry(scene, customs, desk, 1, stamp)
    alone = Entry(good.header, good.signatures[:1], good.parts)
    assert await refused(submit(transport, charter, alone)) == "SIGNATURE_INVALID"
    swapped = Entry(good.header, good.signatures, (os.urandom(len(good.parts[0])), *good.parts[1:]))
    assert await refused(submit(transport, charter, swapped)) == "ENTRY_MALFORMED"
