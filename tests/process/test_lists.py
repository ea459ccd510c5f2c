"""Lists with their filters, pages and roles; streams that resume; second presentations."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import remarks
from eata_clients.authoring.holding import Wish
from eata_clients.holder.devices import Devices
from eata_clients.holder.notices import Notices
from eata_clients.issuer.client import read_party
from eata_clients.opened.lists import follow
from eata_ledger.carnet.vocabulary import Kind, NoticeKind, Role
from eata_ledger.log.keys import SigningKey
from eata_proto.v1 import lists_pb2

from tests.process.scene import ALL, DETAILS, OUT, Scene, refused


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
    assert [t for _, t in seen] == ["ISSUE", "SIGN", "TRAVEL", "COMMIT", "COMMIT"]
    assert [i for i, _ in seen] == sorted({i for i, _ in seen})


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
    berlin = await scene.lists("DE-BER", Role.CONTROLLER, "EU")
    seen, _ = await berlin.transactions(lists_pb2.ListQuery())
    assert [(t.row.kind, t.remarks is not None) for t in seen] == [
        (Kind.IMPORTATION, True), (Kind.EXPORTATION, False), (Kind.VALIDATION, False),
    ]  # fmt: skip
    assert [t.row.kind for t in (await (await scene.lists("DE-BER")).transactions(lists_pb2.ListQuery()))[0]] == kinds[
        :1
    ]
    only, _ = await lists.transactions(lists_pb2.ListQuery(kind="EXPORTATION", from_day="2020-01-01"))
    assert [t.row.kind for t in only] == [Kind.EXPORTATION]
    assert (await lists.transactions(lists_pb2.ListQuery(to_day="2020-01-01")))[0] == []
    assert await refused(lists.transactions(lists_pb2.ListQuery(kind="NONSENSE"))) == "REQUEST_MALFORMED"
    assert (await (await scene.lists("FR-LYS")).transactions(lists_pb2.ListQuery()))[0] == []
    assert len((await (await scene.lists("FR-LYS", Role.CONTROLLER)).transactions(lists_pb2.ListQuery()))[0]) == 3


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
    slots = (
        await scene.wallet.travel(
            carnet_id,
            (Wish(Kind.VALIDATION, "CH", ALL), Wish(Kind.TRANSIT_OPEN, "XS", ALL), Wish(Kind.TRANSIT_CLOSE, "XS", ALL)),
        )
    ).slots
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


async def test_a_stream_needs_the_right_to_read(scene: Scene) -> None:
    """A stranger's device, and a certificate that has been altered, get no event."""
    stranger = SigningKey(bytes([3]) * 32)
    assert await refused(anext(follow(scene.public, "Carnet", stranger, 0, carnet_id=scene.carnet_id))) == "NOT_VISIBLE"
    _, desk, transport = await scene.customs("CH-ZRH")
    altered = follow(transport, "Territory", stranger, 0, certificate=desk.certificate)
    assert await refused(anext(altered)) == "SIGNATURE_INVALID"


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
    told = [e.type async for e in _first(follow(issuer, "Issued", party.sign, 0), 4)]
    assert told == ["ISSUE", "SIGN", "COMMIT", "COMMIT"]
    for role, office, wanted in (
        (Role.OFFICER, "FR-LYS", ["HOLD", "RELEASE"]),
        (Role.CONTROLLER, "FR-LYS", ["NOTIFY", "HOLD", "RELEASE", "COMMIT"]),
        (Role.OFFICER, "DE-BER", ["NOTIFY", "HOLD", "RELEASE", "COMMIT"]),
    ):
        _, desk, transport = await scene.customs(office, role)
        events = follow(transport, "Territory", desk.key, 0, certificate=desk.certificate)
        assert [e.type async for e in _first(events, len(wanted))] == wanted


async def _first(
    events: AsyncGenerator[lists_pb2.Event, None], count: int, close: bool = True
) -> AsyncIterator[lists_pb2.Event]:
    async for event in events:
        yield event
        count -= 1
        if not count:
            break
    if close:
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


async def test_a_stream_ends_when_its_reader_is_revoked(scene: Scene) -> None:
    """A lost phone hears nothing from the entry that revoked it on."""
    issued = await scene.people.issue(scene.people.order())
    first, second = scene.people.wallet(scene.public, "lost"), scene.people.wallet(scene.public, "kept")
    carnet_id = await scene.people.download(first, issued)
    await scene.people.admit(first, second, carnet_id)
    device = SigningKey(first.kept(carnet_id).device)
    events = follow(scene.public, "Carnet", device, 0, carnet_id=carnet_id)
    async with asyncio.timeout(30):
        heard = [event.type async for event in _first(events, 3, close=False)]
        assert heard == ["ISSUE", "SIGN", "ADMIT_DEVICE"]
        await Devices(second).revoke(carnet_id, [device.id])
        await second.travel(carnet_id, OUT[:1])
        assert await refused(anext(events)) == "NOT_VISIBLE"
