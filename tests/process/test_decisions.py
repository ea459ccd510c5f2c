"""Holds, cancellations, notices, lists and streams through the real services of six proxies."""

import asyncio

import pytest
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Wish
from eata_clients.customs.client import CustomsDesk
from eata_clients.customs.verdict import Word, verdict
from eata_clients.holder.devices import Devices
from eata_clients.holder.keystore import Keystore
from eata_clients.holder.notices import Notices
from eata_clients.issuer.client import read_party
from eata_clients.net.errors import EataError, Unreachable
from eata_clients.net.receipts import check_statement, receipt
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_clients.trust.registry_pages import fetch
from eata_host.vault import read_key
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import AskKind, Flag, Kind, NoticeKind, NoticeState, Role, VoucherState
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import RevokeKey
from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.qr import CodeQr
from eata_ledger.proof.statement import Standing
from eata_ledger.seal.codes import Code, CodeKind
from eata_ledger.state import Incident

from tests.process.scene import ALL, DETAILS, OUT, Scene, refused
from tests.shown import parts


@pytest.mark.rule("ACC-40")
@pytest.mark.rule("ACC-41")
@pytest.mark.rule("ACC-42")
async def test_a_hold_is_listed_with_its_reason_and_ends_by_its_office(scene: Scene) -> None:
    """The reason opens for the own territory alone; the verdict says STOP before anybody commits."""
    await scene.commit(1, "CH-ZRH")
    berlin, _, _ = await scene.customs("DE-BER")
    await berlin.hold(scene.carnet_id, "papers to be checked")
    held = await (await scene.lists("FR-LYS", Role.OFFICER, "EU")).holds()
    assert [(h.hold.office, h.reason) for h in held] == [("DE-BER", "papers to be checked")]
    assert (await (await scene.lists("FR-LYS")).holds())[0].reason is None
    assert await (await scene.lists("CH-ZRH", Role.CONTROLLER, "CH")).holds() == []
    lyon, _, _ = await scene.customs("FR-LYS")
    scanned = await lyon.scan(scene.qr(3))
    found = verdict(scanned, Decision(ALL), scanned.carnet.issued, True)
    assert (found.word, found.code) == (Word.STOP, "HELD_IN_TERRITORY")
    assert await refused(lyon.commit(scanned, Decision(ALL))) == "HELD_IN_TERRITORY"
    assert await refused(lyon.release(scene.carnet_id)) == "ROLE_FORBIDDEN"
    await berlin.release(scene.carnet_id, "all good")
    assert await (await scene.lists("DE-BER", Role.OFFICER, "EU")).holds() == []
    assert (await lyon.commit(await lyon.scan(scene.qr(3)), Decision(ALL))).index


@pytest.mark.rule("ACC-28")
@pytest.mark.rule("ACC-30")
@pytest.mark.rule("C-28")
async def test_a_cancelled_commit_says_so_on_its_receipt_and_is_made_again(scene: Scene) -> None:
    """The same receipt request answers LIVE before and CANCELLED after, signed by four nodes or more."""
    charter = (await fetch(scene.public)).charter
    customs, _, _ = await scene.customs("CH-ZRH")
    done = await customs.commit(await customs.scan(scene.qr(1)), Decision(ALL))

    async def standing() -> tuple[Standing, int, int]:
        found = await receipt(scene.public, charter, done.index, done.entry_hash)
        claim, signers = check_statement(found.statement, charter)
        return claim.standing, claim.at_index, signers

    assert (await standing())[0] is Standing.LIVE
    assert (
        await refused(customs.cancel(scene.qr(2, CodeKind.CANCELLATION), done.index, "wrong")) == "CANCEL_CODE_INVALID"
    )
    assert await refused(customs.cancel(scene.qr(1, CodeKind.CANCELLATION), done.index, " ")) == "REASON_REQUIRED"
    undone = await customs.cancel(scene.qr(1, CodeKind.CANCELLATION), done.index, "wrong")
    await scene.mesh.settled()
    found, at_index, signers = await standing()
    assert (found, at_index) == (Standing.CANCELLED, undone.index)
    assert signers >= 4
    slot, _ = await scene.wallet.renew(scene.carnet_id, 1)
    again = await customs.commit(await customs.scan(scene.qr(slot)), Decision(ALL))
    shown = await scene.wallet.show(scene.carnet_id)
    assert [(row.index, row.cancelled) for row, _ in shown.rows] == [(done.index, undone.index), (again.index, None)]
    states = {v.slot: v.state for v in shown.vouchers}
    assert (states[1], states[slot]) == (VoucherState.CANCELLED, VoucherState.COMMITTED)


@pytest.mark.rule("N-04")
@pytest.mark.rule("N-05")
async def test_a_rejection_is_told_to_the_holder_its_reason_to_the_territory(scene: Scene) -> None:
    customs, _, _ = await scene.customs("CH-ZRH")
    await customs.reject(await customs.scan(scene.qr(1)), "seal broken")
    shown = await scene.wallet.show(scene.carnet_id)
    [told] = map(Incident.from_bytes, shown.reply.incidents)
    assert not parts(shown.reply, told.index)
    rescanned = await customs.scan(scene.qr(1))
    assert [i.type.name for i in rescanned.incidents] == ["REJECT"]
    assert rescanned.voucher.state is VoucherState.PREPARED


@pytest.mark.rule("APP-20")
@pytest.mark.rule("APP-21")
@pytest.mark.rule("ACC-43")
@pytest.mark.rule("ACC-44")
async def test_a_pre_declaration_is_read_answered_and_committed(scene: Scene) -> None:
    """The office reads goods and code before the lorry comes; the holder reads its answer."""
    await scene.commit(1, "CH-ZRH")
    voice = Notices(scene.wallet)
    await voice.notify(scene.carnet_id, 3, "DE-BER", NoticeKind.PREDECLARATION, DETAILS)
    assert (
        await refused(voice.notify(scene.carnet_id, 3, "DE-BER", NoticeKind.PREDECLARATION, DETAILS)) == "NOTICE_LIVE"
    )
    sealed = (await (await scene.lists("FR-LYS")).arrivals())[0]
    assert (sealed.details, sealed.content, sealed.key) == (None, None, None)
    [arrival] = await (await scene.lists("DE-BER", Role.OFFICER, "EU")).arrivals()
    assert arrival.details is not None
    assert arrival.content is not None
    assert (arrival.details.text, arrival.content.holder) == ("two vans", "Muster AG")
    assert arrival.details.code == scene.qr(3).text
    assert await (await scene.lists("CH-ZRH", Role.OFFICER, "CH")).arrivals() == []
    berlin, _, _ = await scene.customs("DE-BER")
    await berlin.answer(arrival, True, "gate 3")
    [told] = voice.told(await scene.wallet.show(scene.carnet_id))
    assert (told.notice.state, told.said) == (NoticeState.ACKNOWLEDGED, "gate 3")
    await scene.commit(3, "DE-BER")
    [told] = voice.told(await scene.wallet.show(scene.carnet_id))
    assert told.notice.state is NoticeState.COMMITTED


@pytest.mark.rule("APP-20")
async def test_a_notice_without_details_hands_over_nothing_else(scene: Scene) -> None:
    voice = Notices(scene.wallet)
    await voice.notify(scene.carnet_id, 3, "DE-BER", NoticeKind.NOTICE_NO_DETAILS, DETAILS)
    [arrival] = await (await scene.lists("DE-BER", Role.OFFICER, "EU")).arrivals()
    assert arrival.details is not None
    assert (arrival.content, arrival.declaration, arrival.voucher, arrival.details.code) == (None, None, None, "")
    [told] = voice.told(await scene.wallet.show(scene.carnet_id))
    await voice.withdraw(scene.carnet_id, told.notice)
    [told] = voice.told(await scene.wallet.show(scene.carnet_id))
    assert told.notice.state is NoticeState.WITHDRAWN


@pytest.mark.rule("ACC-32")
async def test_an_extension_is_two_commits_at_one_desk(scene: Scene) -> None:
    """It ends later than the stay it extends, or is refused before anything is written."""
    for slot in (1, 2):
        await scene.commit(slot, "CH-ZRH")
    berlin, _, _ = await scene.customs("DE-BER")
    arriving = await berlin.scan(scene.qr(3))
    until = arriving.carnet.valid_until - 3
    await berlin.commit(arriving, Decision(ALL, final_day=until - 5))
    more = (Wish(Kind.REEXPORTATION, "EU", ALL), Wish(Kind.IMPORTATION, "EU", ALL))
    slots = [slot for slot, _, _ in (await scene.wallet.travel(scene.carnet_id, more)).slots]
    leaving, staying = [await berlin.scan(scene.qr(slot)) for slot in slots]
    with pytest.raises(Malformed):
        await berlin.extend(leaving, staying, (Decision(ALL), Decision(ALL, final_day=until - 6)))
    out, again = await berlin.extend(leaving, staying, (Decision(ALL), Decision(ALL, final_day=until)))
    assert again.index > out.index
    goods = (await scene.wallet.show(scene.carnet_id)).goods
    assert [(o.items, o.final_day) for o in goods.arrivals["EU"]] == [(ALL, until)]


@pytest.mark.rule("U8")
async def test_an_inspection_sample_is_the_same_from_every_proxy(scene: Scene) -> None:
    """Drawn from the declaration's leaf and the desk's certificate: another desk draws others."""
    customs, desk, _ = await scene.customs("CH-ZRH", prefer="tokyo")
    scanned = await customs.scan(scene.qr(1))
    drawn = await customs.sample(scanned, 5)
    assert len(drawn) == 5
    assert drawn <= scanned.presented.items
    elsewhere = await scene.stack.enter_async_context(scene.people.transport("CH", ["mumbai"]))
    assert await scene.people.customs(elsewhere, "CH-ZRH", desk).sample(scanned, 5) == drawn
    others = [await (await scene.customs("CH-ZRH"))[0].sample(scanned, 5) for _ in range(3)]
    assert any(other != drawn for other in others)


@pytest.mark.rule("U12")
@pytest.mark.rule("APP-27")
async def test_a_disagreement_and_a_request_reach_their_readers(scene: Scene) -> None:
    index = await scene.commit(1, "CH-ZRH")
    voice = Notices(scene.wallet)
    await voice.disagree(scene.carnet_id, index, "it was 19 items")
    await voice.ask(scene.carnet_id, AskKind.DISCHARGE, {})
    customs, _, _ = await scene.customs("CH-ZRH")
    reply = await customs.carnet(scene.carnet_id)
    told = [Incident.from_bytes(incident).index for incident in reply.incidents]
    assert [len(parts(reply, index)) for index in told] == [1, 0]
    assert await refused(voice.disagree(scene.carnet_id, 1, "?")) == "TRANSACTION_UNKNOWN"


async def test_two_officers_at_once_commit_one_voucher_once(scene: Scene) -> None:
    """Any interleaving, any proxies: one is recorded, the other is told CODE_CONSUMED."""
    desks = [await scene.customs("CH-ZRH", prefer=name) for name in ("tokyo", "frankfurt", "mumbai", "virginia")]
    scans = [await customs.scan(scene.qr(1)) for customs, _, _ in desks]

    async def attempt(customs: CustomsDesk, place: int) -> str:
        try:
            await customs.commit(scans[place], Decision(ALL))
        except EataError as error:
            return error.code
        return "ACCEPTED"

    outcomes = await asyncio.gather(*(attempt(customs, n) for n, (customs, _, _) in enumerate(desks)))
    assert sorted(outcomes) == ["ACCEPTED", "CODE_CONSUMED", "CODE_CONSUMED", "CODE_CONSUMED"]
    await scene.mesh.settled()
    assert len((await scene.wallet.show(scene.carnet_id)).rows) == 1
    assert len({p.node.replica.root for p in scene.mesh.proxies.values()}) == 1


@pytest.mark.rule("APP-07")
@pytest.mark.rule("APP-24")
@pytest.mark.rule("N-08")
@pytest.mark.rule("PRX-04")
async def test_a_second_device_has_the_same_travels_and_codes(scene: Scene) -> None:
    """ID and PIN open the carnet anywhere; an admitted device has all of it: no duplicate is needed, a lost phone loses nothing."""
    issued = await scene.people.issue(scene.people.order())
    first, second = scene.people.wallet(scene.public, "first"), scene.people.wallet(scene.public, "second")
    carnet_id = await scene.people.download(first, issued)
    await first.travel(carnet_id, OUT[:1])
    looked = await second.download(CodeQr(str(carnet_id), issued.pin))
    assert (looked.content.holder, looked.vouchers) == ("Muster AG", [])
    await scene.people.admit(first, second, carnet_id)
    assert second.code(carnet_id, 1) == first.code(carnet_id, 1)
    kept = [path.read_bytes() for path in (scene.people.home / "wallets").rglob("*") if path.is_file()]
    assert kept
    assert not any(issued.pin.symbols.encode() in data or issued.pin.shown.encode() in data for data in kept)
    assert len((await second.show(carnet_id)).vouchers) == 1


@pytest.mark.rule("C-11")
async def test_a_paper_carnet_that_was_presented_is_logged_as_such(scene: Scene) -> None:
    customs, _, _ = await scene.customs("CH-ZRH")
    scanned = await customs.scan(scene.qr(1))
    await customs.commit(scanned, Decision(ALL, flags=Flag.PAPER_PRESENTED))
    [row, *_] = [row for row, _ in (await scene.wallet.show(scene.carnet_id)).rows]
    assert Flag.PAPER_PRESENTED in row.flags


@pytest.mark.rule("APP-20")
async def test_a_withdrawn_notice_shows_nothing_of_the_vouchers_next_life(scene: Scene) -> None:
    """Told to the EU, withdrawn, the voucher edited for another territory: the EU sees none of it."""
    voice = Notices(scene.wallet)
    await voice.notify(scene.carnet_id, 3, "DE-BER", NoticeKind.NOTICE_WITH_DETAILS, DETAILS)
    shown = await scene.wallet.show(scene.carnet_id)
    travel = next(v.travel_id for v in shown.vouchers if v.slot == 3)
    await scene.wallet.edit(scene.carnet_id, travel, (*OUT[:2], Wish(Kind.IMPORTATION, "XS", Items.parse("7-9"))))
    [arrival] = await (await scene.lists("DE-BER", Role.OFFICER, "EU")).arrivals()
    assert (arrival.voucher, arrival.kind, arrival.declaration, arrival.content) == (None, "", None, None)


async def test_a_revoked_device_and_a_revoked_authority_read_nothing(scene: Scene) -> None:
    """On every proxy: the lost phone's reads and the leaked authority's desks are refused; the others go on."""
    issued = await scene.people.issue(scene.people.order())
    first, second = scene.people.wallet(scene.public, "lost"), scene.people.wallet(scene.public, "kept")
    carnet_id = await scene.people.download(first, issued)
    await scene.people.admit(first, second, carnet_id)
    lost, kept = ([SigningKey(wallet.kept(carnet_id).device).id] for wallet in (first, second))
    asked = list[tuple[list[bytes], list[bytes]]]()

    def no(falling: list[bytes], staying: list[bytes]) -> bool:
        asked.append((falling, staying))
        return False

    assert await refused(Devices(second).revoke(carnet_id, lost, agree=no)) == "NOT_AGREED"
    assert asked == [(lost, kept)]
    assert (await first.show(carnet_id)).carnet.carnet_id == carnet_id
    await Devices(second).revoke(carnet_id, lost)
    assert await refused(first.show(carnet_id)) == "NOT_VISIBLE"
    assert [d.revoked is None for d in await Devices(second).all(carnet_id)].count(False) == 1
    customs, _, transport = await scene.customs("CH-ZRH")
    scanned = await customs.scan(scene.qr(1))
    party = read_party(scene.people.home / "offices" / "CH" / "party.cbor")
    authority = SigningKey(read_key(scene.people.home / "offices" / "CH" / "desk-authority.key"))
    charter = (await fetch(transport)).charter
    await submit(transport, charter, make(charter.ledger, RevokeKey(authority.id), Stamp(now()), (party.sign,)))
    assert await refused(customs.scan(scene.qr(1))) == "KEY_REVOKED"
    assert await refused(customs.commit(scanned, Decision(ALL))) == "KEY_REVOKED"
    assert authority.id in (await fetch(scene.public)).revoked


async def test_a_desk_sees_that_a_code_is_void_since_a_phone_was_taken_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H5. The owner was cut off before it made new codes; the thief shows what was on the screen."""
    carnet_id, second, renew = scene.carnet_id, scene.people.wallet(scene.public, "kept"), Devices.renew_voided

    async def cut_off(self: Devices, carnet_id: int) -> dict[int, int]:
        raise Unreachable()

    monkeypatch.setattr(Devices, "renew_voided", cut_off)
    await scene.people.admit(scene.wallet, second, carnet_id)
    stolen, customs = scene.qr(1), (await scene.customs("CH-ZRH"))[0]
    await Devices(second).revoke(carnet_id, [scene.wallet.holding(carnet_id).device.id])
    scanned = await customs.scan(stolen)
    found = verdict(scanned, Decision(ALL), scanned.carnet.issued, True)
    assert (found.word, found.code) == (Word.STOP, "CODE_VOIDED")
    assert await refused(customs.commit(scanned, Decision(ALL))) == "CODE_VOIDED"
    slot = (await renew(Devices(second), carnet_id))[1]
    scanned = await customs.scan(second.code(carnet_id, slot, CodeKind.TRANSACTION))
    assert verdict(scanned, Decision(ALL), scanned.carnet.issued, True).word is Word.GO


@pytest.mark.rule("PRX-06")
async def test_a_commit_of_tomorrow_is_never_kept_to_be_logged_by_itself(scene: Scene) -> None:
    """A mistyped time: nothing waits in the outbox until its time has come."""
    customs, _, _ = await scene.customs("CH-ZRH")
    scanned, (time, offset) = await customs.scan(scene.qr(1)), await customs.clock()
    assert await refused(customs.commit(scanned, Decision(ALL), (time + 6 * 60_000, offset))) == "EVENT_AHEAD"
    assert customs.waiting() == []
    await customs.reject(scanned, "seal broken")
    assert (await customs.scan(scene.qr(1))).voucher.state is VoucherState.PREPARED


@pytest.mark.rule("APP-17")
@pytest.mark.rule("C-27")
async def test_a_verification_code_convinces_the_wallet_with_no_network(scene: Scene) -> None:
    """Customs reads it out; the wallet knows which nodes recorded it. Another voucher's code is not good."""
    await scene.wallet.show(scene.carnet_id)
    customs, _, _ = await scene.customs("CH-ZRH")
    codes = []
    for slot in (1, 2):
        done = await customs.commit(await customs.scan(scene.qr(slot)), Decision(ALL))
        codes.append(Code.read(CodeKind.VERIFICATION, done.verification))
    offline = Keystore(scene.people.home / "wallets" / "holder")
    for slot, code in zip((1, 2), codes, strict=True):
        assert len(offline.verify(scene.carnet_id, slot, code)) == scene.mesh.genesis.charter.enough
    assert offline.verify(scene.carnet_id, 1, codes[1]) == ()
