"""Holds, cancellations, notices, lists and streams through the real services of six proxies."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from eata_clients.authoring.clearing import Decision, Desk
from eata_clients.authoring.content import NoticeDetails, remarks
from eata_clients.authoring.holding import Wish
from eata_clients.customs import CustomsClient
from eata_clients.errors import EataError
from eata_clients.issuer import read_party
from eata_clients.lists import Lists, follow, openers
from eata_clients.notices import Notices
from eata_clients.registry import fetch
from eata_clients.submitting import check_statement, receipt
from eata_clients.transport import Transport
from eata_clients.verdict import Word, verdict
from eata_clients.wallet import WalletClient
from eata_ledger.carnet.items import Items
from eata_ledger.carnet.vocabulary import AskKind, Flag, Kind, NoticeKind, NoticeState, Role, VoucherState
from eata_ledger.proof.keys import SigningKey
from eata_ledger.proof.qr import CodeQr
from eata_ledger.proof.statement import Standing
from eata_ledger.seal.codes import CodeKind
from eata_proto.v1 import lists_pb2

from tests.mesh import ADMINISTRATION, Mesh, People

ALL = Items.parse("1-20")
OUT = (Wish(Kind.VALIDATION, "CH", ALL), Wish(Kind.EXPORTATION, "CH", ALL), Wish(Kind.IMPORTATION, "EU", ALL))
DETAILS = NoticeDetails(1_795_000_000_000, True, "", "Road", "ZH 1", "Agent", "EORI", "Basel", "CH", "two vans", "")


@dataclass
class Scene:
    """A downloaded, signed carnet with three vouchers, and desks wherever a test asks."""

    mesh: Mesh
    people: People
    stack: AsyncExitStack
    wallet: WalletClient
    carnet_id: int
    public: Transport

    async def customs(
        self, office: str, role: Role = Role.OFFICER, prefer: str = ""
    ) -> tuple[CustomsClient, Desk, Transport]:
        made = self.people.transport(ADMINISTRATION[office], [prefer] if prefer else ())
        transport = await self.stack.enter_async_context(made)
        desk = self.people.desk(office, role)
        return self.people.customs(transport, office, desk), desk, transport

    def qr(self, slot: int, kind: CodeKind = CodeKind.TRANSACTION) -> CodeQr:
        return self.wallet.code(self.carnet_id, slot, kind)

    async def commit(self, slot: int, office: str) -> int:
        customs, _, _ = await self.customs(office)
        scanned = await customs.scan(self.qr(slot))
        return (await customs.commit(scanned, Decision(scanned.presented.items))).index

    async def lists(self, office: str, role: Role = Role.OFFICER, *territories: str) -> Lists:
        _, desk, transport = await self.customs(office, role)
        home = self.people.home / "offices" / ADMINISTRATION[office]
        seeds = [(home / f"territory-{territory}.key").read_bytes() for territory in territories]
        return Lists(transport, desk, openers(*seeds))


@pytest_asyncio.fixture
async def scene(tmp_path: Path):  # type: ignore[no-untyped-def]
    mesh = Mesh(tmp_path / "home")
    people = await mesh.start()
    async with AsyncExitStack() as stack:
        public = await stack.enter_async_context(people.transport())
        wallet = people.wallet(public)
        carnet_id = await people.download(wallet, await people.issue(people.order()))
        await wallet.travel(carnet_id, OUT)
        yield Scene(mesh, people, stack, wallet, carnet_id, public)
    await mesh.stop()


async def refused(work) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(EataError) as caught:
        await work
    return caught.value.code


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
    genesis = (await fetch(scene.public)).genesis
    customs, _, _ = await scene.customs("CH-ZRH")
    done = await customs.commit(await customs.scan(scene.qr(1)), Decision(ALL))

    async def standing() -> tuple[Standing, int, int]:
        found = await receipt(scene.public, genesis, done.index, done.entry_hash)
        claim, signers = check_statement(found.statement, genesis)
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
    slot = await scene.wallet.renew(scene.carnet_id, 1)
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
    [told] = shown.reply.incidents
    assert not told.parts
    rescanned = await customs.scan(scene.qr(1))
    assert [i.type.name for i in rescanned.incidents] == ["REJECT"]
    assert rescanned.voucher.state is VoucherState.PREPARED


@pytest.mark.rule("U13")
async def test_one_code_at_two_desks_is_told_to_both_on_different_proxies(scene: Scene) -> None:
    """The second desk sees it at once, the first by its stream; neither asked."""
    first, first_desk, first_transport = await scene.customs("CH-ZRH", prefer="tokyo")
    second, _, _ = await scene.customs("CH-ZRH", prefer="frankfurt")
    assert (await first.scan(scene.qr(1))).elsewhere == []
    events = follow(first_transport, "Territory", first_desk.key, 2**40, certificate=first_desk.certificate)
    waiting = asyncio.ensure_future(anext(events))
    async with asyncio.timeout(20):
        while True:  # the stream listens from some moment on: scan until it has told
            scanned = await second.scan(scene.qr(1))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            if done:
                break
            second = (await scene.customs("CH-ZRH", prefer="frankfurt"))[0]
    assert waiting.result().type == "SECOND_PRESENTATION"
    assert scanned.elsewhere
    assert {office for office, _ in scanned.elsewhere} == {"CH-ZRH"}
    await events.aclose()


@pytest.mark.rule("APP-17")
@pytest.mark.rule("APP-18")
async def test_a_stream_resumes_on_another_proxy_when_its_own_dies(scene: Scene) -> None:
    """Every event once, in order, across the death of the proxy it came from."""
    device = SigningKey(scene.wallet.kept(scene.carnet_id).device)
    transport = await scene.stack.enter_async_context(scene.people.transport(prefer=["mumbai"]))
    await scene.commit(1, "CH-ZRH")
    seen: list[tuple[int, str]] = []
    events = follow(transport, "Carnet", device, 0, carnet_id=scene.carnet_id)
    async with asyncio.timeout(60):
        async for event in events:
            seen.append((event.index, event.type))
            if event.type == "COMMIT" and len([t for _, t in seen if t == "COMMIT"]) == 1:
                await scene.mesh.proxies.pop("mumbai").stop()
                await scene.commit(2, "CH-ZRH")
            elif [t for _, t in seen].count("COMMIT") == 2:
                break
    await events.aclose()
    assert [t for _, t in seen] == ["ISSUE", "ENROL_DEVICE", "SIGN", "TRAVEL", "COMMIT", "COMMIT"]
    assert [i for i, _ in seen] == sorted({i for i, _ in seen})


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


@pytest.mark.rule("ACC-05")
@pytest.mark.rule("ACC-21")
@pytest.mark.rule("ACC-51")
@pytest.mark.rule("ACC-52")
async def test_officers_list_their_office_controllers_the_territory(scene: Scene) -> None:
    """Newest first, in pages, filtered; remarks open for the opener alone."""
    for slot, office in ((1, "CH-ZRH"), (2, "CH-ZRH"), (3, "DE-BER")):
        await scene.commit(slot, office)
    lists = await scene.lists("CH-ZRH", Role.CONTROLLER, "CH")
    kinds, following = [], 0
    for _ in range(3):
        page, following = await lists.transactions(lists_pb2.ListQuery(page_size=1, before=following))
        kinds += [t.row.kind for t in page]
    assert (kinds, following) == ([Kind.IMPORTATION, Kind.EXPORTATION, Kind.VALIDATION], 0)  # home sees all
    assert page[0].remarks == remarks()
    only, _ = await lists.transactions(lists_pb2.ListQuery(kind="EXPORTATION", from_day="2020-01-01"))
    assert [t.row.kind for t in only] == [Kind.EXPORTATION]
    assert (await lists.transactions(lists_pb2.ListQuery(to_day="2020-01-01")))[0] == []
    assert await refused(lists.transactions(lists_pb2.ListQuery(kind="NONSENSE"))) == "REQUEST_MALFORMED"
    assert (await (await scene.lists("FR-LYS")).transactions(lists_pb2.ListQuery()))[0] == []
    assert len((await (await scene.lists("FR-LYS", Role.CONTROLLER)).transactions(lists_pb2.ListQuery()))[0]) == 1


@pytest.mark.rule("ACC-05")
@pytest.mark.rule("ACC-50")
@pytest.mark.rule("ACC-56")
@pytest.mark.rule("CORE-02")
async def test_logs_are_for_controllers_and_statistics_for_managers_too(scene: Scene) -> None:
    """The role table: an officer has neither, a regional manager the numbers, a controller both."""
    await scene.commit(1, "CH-ZRH")
    officer, manager, controller = [
        await scene.lists("CH-ZRH", role) for role in (Role.OFFICER, Role.REGIONAL_MANAGER, Role.CONTROLLER)
    ]
    for lists in (officer, manager):
        assert await refused(lists.carnets(lists_pb2.ListQuery())) == "ROLE_FORBIDDEN"
    assert await refused(officer.statistics()) == "ROLE_FORBIDDEN"
    assert {c.name: c.count for c in (await manager.statistics()).homes} == {"CH": 1}
    [listed] = (await controller.carnets(lists_pb2.ListQuery(status="N/A"))).carnets
    assert (listed.number, listed.order_type, listed.status) == ("CHTA00000001", "ORIGINAL", "N/A")
    assert list((await controller.carnets(lists_pb2.ListQuery(status="Terminated"))).carnets) == []


@pytest.mark.rule("ACC-45")
async def test_transits_are_monitored_by_the_territory_crossed(scene: Scene) -> None:
    await scene.commit(1, "CH-ZRH")
    order = scene.people.order()
    carnet_id = await scene.people.download(scene.wallet, await scene.people.issue(order))
    slots = await scene.wallet.travel(
        carnet_id,
        (Wish(Kind.VALIDATION, "CH", ALL), Wish(Kind.TRANSIT_OPEN, "XS", ALL), Wish(Kind.TRANSIT_CLOSE, "XS", ALL)),
    )
    for (slot, _, _), office in zip(slots[:2], ("CH-ZRH", "XS-KLOW"), strict=True):
        customs, _, _ = await scene.customs(office)
        await customs.commit(await customs.scan(scene.wallet.code(carnet_id, slot)), Decision(ALL))
    lists = await scene.lists("XS-KLOW")
    [open_one] = (await lists.transits()).transits
    assert (open_one.state, open_one.items, open_one.open_office, open_one.close_day) == (
        "IN_PROGRESS",
        "1-20",
        "XS-KLOW",
        "",
    )
    klow, _, _ = await scene.customs("XS-KLOW")
    await klow.commit(await klow.scan(scene.wallet.code(carnet_id, slots[2][0])), Decision(ALL))
    [closed] = (await lists.transits("CLOSED_IN_DUE_TIME")).transits
    assert (closed.left, closed.close_office) == ("", "XS-KLOW")
    assert list((await (await scene.lists("CH-ZRH")).transits()).transits) == []


@pytest.mark.rule("ACC-32")
async def test_an_extension_is_two_commits_at_one_desk(scene: Scene) -> None:
    for slot, office in ((1, "CH-ZRH"), (2, "CH-ZRH"), (3, "DE-BER")):
        await scene.commit(slot, office)
    more = (Wish(Kind.REEXPORTATION, "EU", ALL), Wish(Kind.IMPORTATION, "EU", ALL))
    slots = [slot for slot, _, _ in await scene.wallet.travel(scene.carnet_id, more)]
    berlin, _, _ = await scene.customs("DE-BER")
    leaving, staying = [await berlin.scan(scene.qr(slot)) for slot in slots]
    until = leaving.carnet.valid_until - 3
    out, again = await berlin.extend(leaving, staying, (Decision(ALL), Decision(ALL, final_day=until)))
    assert again.index > out.index
    state = (await scene.wallet.show(scene.carnet_id)).state
    assert [(o.items, o.final_day) for o in state.arrivals["EU"]] == [(ALL, until)]


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
    assert [len(incident.parts) for incident in reply.incidents] == [1, 0]
    assert await refused(voice.disagree(scene.carnet_id, 1, "?")) == "TRANSACTION_UNKNOWN"


async def test_two_officers_at_once_commit_one_voucher_once(scene: Scene) -> None:
    """Any interleaving, any proxies: one is recorded, the other is told CODE_CONSUMED."""
    desks = [await scene.customs("CH-ZRH", prefer=name) for name in ("tokyo", "frankfurt", "mumbai", "virginia")]
    scans = [await customs.scan(scene.qr(1)) for customs, _, _ in desks]

    async def attempt(customs: CustomsClient, place: int) -> str:
        try:
            await customs.commit(scans[place], Decision(ALL))
        except EataError as error:
            return error.code
        return "ACCEPTED"

    outcomes = await asyncio.gather(*(attempt(customs, n) for n, (customs, _, _) in enumerate(desks)))
    assert sorted(outcomes) == ["ACCEPTED", "CODE_CONSUMED", "CODE_CONSUMED", "CODE_CONSUMED"]
    await scene.mesh.settled()
    assert len((await scene.wallet.show(scene.carnet_id)).rows) == 1
    assert len({p.replica.root for p in scene.mesh.proxies.values()}) == 1


async def test_a_stream_needs_the_right_to_read(scene: Scene) -> None:
    """A stranger's device, and a certificate that has been altered, get no event."""
    stranger = SigningKey(bytes([3]) * 32)
    assert await refused(anext(follow(scene.public, "Carnet", stranger, 0, carnet_id=scene.carnet_id))) == "NOT_VISIBLE"
    _, desk, transport = await scene.customs("CH-ZRH")
    altered = follow(transport, "Territory", stranger, 0, certificate=desk.certificate)
    assert await refused(anext(altered)) == "SIGNATURE_INVALID"


@pytest.mark.rule("APP-07")
@pytest.mark.rule("APP-24")
@pytest.mark.rule("N-08")
@pytest.mark.rule("PRX-04")
async def test_a_second_device_has_the_same_travels_and_codes(scene: Scene) -> None:
    """ID and PIN open the carnet again anywhere: no duplicate is needed, a lost phone loses nothing."""
    issued = await scene.people.issue(scene.people.order())
    first, second = scene.people.wallet(scene.public, "first"), scene.people.wallet(scene.public, "second")
    carnet_id = await scene.people.download(first, issued)
    await first.travel(carnet_id, OUT[:1])
    await second.download(CodeQr(str(carnet_id), issued.pin))
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


@pytest.mark.rule("N-07")
@pytest.mark.rule("ACC-05")
async def test_streams_tell_each_reader_what_its_lists_would(scene: Scene) -> None:
    """The issuer hears of transactions, not of holds or plans; an officer of the own office, a controller of all."""
    await scene.commit(1, "CH-ZRH")
    voice = Notices(scene.wallet)
    await voice.notify(scene.carnet_id, 3, "DE-BER", NoticeKind.NOTICE_NO_DETAILS, DETAILS)
    berlin, _, _ = await scene.customs("DE-BER")
    await berlin.hold(scene.carnet_id, "wait")
    await berlin.release(scene.carnet_id)
    await scene.commit(3, "DE-BER")
    party = read_party(scene.people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    issuer = await scene.stack.enter_async_context(scene.people.transport("CH-ALLIANCE"))
    told = [e.type async for e in _first(follow(issuer, "Issued", party.sign, 0), 5)]
    assert told == ["ISSUE", "ENROL_DEVICE", "SIGN", "COMMIT", "COMMIT"]
    for role, office, wanted in (
        (Role.OFFICER, "FR-LYS", ["HOLD", "RELEASE"]),
        (Role.CONTROLLER, "FR-LYS", ["NOTIFY", "HOLD", "RELEASE", "COMMIT"]),
        (Role.OFFICER, "DE-BER", ["NOTIFY", "HOLD", "RELEASE", "COMMIT"]),
    ):
        _, desk, transport = await scene.customs(office, role)
        events = follow(transport, "Territory", desk.key, 0, certificate=desk.certificate)
        assert [e.type async for e in _first(events, len(wanted))] == wanted


async def _first(events: AsyncGenerator[lists_pb2.Event, None], count: int) -> AsyncIterator[lists_pb2.Event]:
    async for event in events:
        yield event
        count -= 1
        if not count:
            break
    await events.aclose()


@pytest.mark.rule("ACC-50")
async def test_pages_of_carnets_neither_lose_nor_double_any(scene: Scene) -> None:
    """A hold on an old carnet moves it nowhere: the order is that of transactions."""
    ids = [scene.carnet_id]
    await scene.commit(1, "CH-ZRH")
    for _ in range(2):
        carnet_id = await scene.people.download(scene.wallet, await scene.people.issue(scene.people.order()))
        await scene.wallet.travel(carnet_id, OUT[:1])
        customs, _, _ = await scene.customs("CH-ZRH")
        await customs.commit(await customs.scan(scene.wallet.code(carnet_id, 1)), Decision(ALL))
        ids.insert(0, carnet_id)
    await (await scene.customs("CH-ZRH"))[0].hold(scene.carnet_id, "again")
    lists = await scene.lists("CH-ZRH", Role.CONTROLLER)
    found, before = [], 0
    for _ in range(3):
        page = await lists.carnets(lists_pb2.ListQuery(page_size=1, before=before))
        found += [c.carnet_id for c in page.carnets]
        before = page.next
    assert (found, before) == (ids, 0)
