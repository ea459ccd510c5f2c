"""A holder's travels from a few words: which vouchers, which items, what is said before anything is written."""

import pytest
import pytest_asyncio
from eata_clients.authoring.content import DeclarationContent
from eata_clients.authoring.holding import Wish
from eata_clients.holder.travelling import WantedTravel, plan
from eata_clients.net.transport import now
from eata_ledger.carnet.dates import local_day
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, VoucherState
from eata_ledger.encoding import Malformed
from eata_node.engine.core import CoreServer

from tests.process.scene import Scene, refused

DETAILS = DeclarationContent("Monday, Basel", "Fair hall 4", "ZH 1", "door B", "four crates", "spring fair")


async def prepare(scene: Scene, trip: WantedTravel) -> list[tuple[Kind, str, str]]:
    """Prepares what the trip needs; (kind, territory, items) of the vouchers it made."""
    made = await scene.wallet.travel(scene.carnet_id, lambda shown: plan(shown, trip, local_day(now(), 0), True))
    vouchers = {v.slot: v for v in (await scene.wallet.show(scene.carnet_id)).vouchers}
    return [(kind, territory, str(vouchers[slot].items)) for slot, kind, territory in made.slots]


@pytest_asyncio.fixture
async def cleared(scene: Scene) -> Scene:
    """Without the travel that the scene begins with."""
    shown = await scene.wallet.show(scene.carnet_id)
    for travel_id in {v.travel_id for v in shown.vouchers if v.state is VoucherState.PREPARED}:
        await scene.wallet.delete(scene.carnet_id, travel_id)
    return scene


@pytest.mark.rule("APP-15")
@pytest.mark.rule("APP-10")
@pytest.mark.rule("APP-09")
@pytest.mark.rule("U5")
async def test_a_travel_makes_its_vouchers_by_itself(cleared: Scene) -> None:
    """Out with the validation, through a transit; then what is left; then all of it home, each from a few words."""
    scene = cleared
    out = await prepare(scene, WantedTravel("DE", ("XS",), "1-12", details=DETAILS))
    assert out == [
        (Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-12"), (Kind.TRANSIT_OPEN, "XS", "1-12"),
        (Kind.TRANSIT_CLOSE, "XS", "1-12"), (Kind.IMPORTATION, "EU", "1-12"),
    ]  # fmt: skip
    shown = await scene.wallet.show(scene.carnet_id)
    assert scene.wallet.details(shown, max(v.slot for v in shown.vouchers)) == DETAILS
    assert await prepare(scene, WantedTravel("XS", items="rest")) == [
        (Kind.EXPORTATION, "CH", "13-20"), (Kind.IMPORTATION, "XS", "13-20"),
    ]  # fmt: skip
    assert await prepare(scene, WantedTravel("XS", items="1-2")) == [
        (Kind.REEXPORTATION, "EU", "1-2"), (Kind.IMPORTATION, "XS", "1-2"),
    ]  # fmt: skip
    back = await prepare(scene, WantedTravel("CH", items="all", origin="XS", not_returned=Items.parse("13")))
    assert back == [(Kind.REEXPORTATION, "XS", "1-2,14-20"), (Kind.REIMPORTATION, "CH", "1-2,14-20")]


async def test_what_cannot_be_is_said_before_anything_is_written(cleared: Scene) -> None:
    """Territory, goods in two places, too few sets: in the holder's words; nothing is reserved."""
    scene = cleared
    before = (await scene.wallet.show(scene.carnet_id)).state
    assert await refused(prepare(scene, WantedTravel("US"))) == "TERRITORY_NOT_IN_BOX_P"
    assert await refused(prepare(scene, WantedTravel("DE", items="1-21"))) == "ITEM_OUT_OF_RANGE"
    with pytest.raises(Malformed, match="no customs border"):
        await prepare(scene, WantedTravel("CH", items="1"))
    assert (await scene.wallet.show(scene.carnet_id)).state == before
    for item in range(1, 10):
        await prepare(scene, WantedTravel("DE", items=str(item)))
    assert await refused(prepare(scene, WantedTravel("DE", items="10"))) == "NO_SETS_LEFT"


async def test_a_travel_that_no_node_can_take_waits_and_is_made_once(scene: Scene) -> None:
    """Typed again with no engine, and again when it is back: one travel, one set."""
    free = (await scene.wallet.show(scene.carnet_id)).state.sets
    wishes = (Wish(Kind.TRANSIT_OPEN, "XS", Items.parse("1-5")), Wish(Kind.TRANSIT_CLOSE, "XS", Items.parse("1-5")))
    await scene.mesh.core.stop()
    for _ in range(2):
        assert await refused(scene.wallet.travel(scene.carnet_id, wishes)) == "TRAVEL_WAITS"
    scene.mesh.core = CoreServer(scene.mesh.home / "core", scene.mesh.genesis, scene.mesh.cluster.core.members)
    await scene.mesh.core.start()
    made = await scene.wallet.travel(scene.carnet_id, wishes)
    after = await scene.wallet.show(scene.carnet_id)
    assert [kind for _, kind, _ in made.slots] == [Kind.TRANSIT_OPEN, Kind.TRANSIT_CLOSE]
    used = {kind: free[kind].free - after.state.sets[kind].free for kind in free}
    assert sum(used.values()) == 1
    assert await scene.wallet.resend() == 0


async def test_what_was_renewed_or_deleted_is_known_with_no_network(cleared: Scene) -> None:
    """C26: the new slot's code can be shown at once, the old one's and a deleted one's no longer."""
    scene = cleared
    (_, (slot, *_), *_) = (
        await scene.wallet.travel(
            scene.carnet_id, lambda shown: plan(shown, WantedTravel("DE"), local_day(now(), 0), True)
        )
    ).slots
    new, _ = await scene.wallet.renew(scene.carnet_id, slot)
    states = {n: scene.wallet.voucher(scene.carnet_id, n).state for n in (slot, new)}
    assert states == {slot: VoucherState.DELETED, new: VoucherState.PREPARED}
    travel_id = next(v.travel_id for v in (await scene.wallet.show(scene.carnet_id)).vouchers if v.slot == new)
    await scene.wallet.delete(scene.carnet_id, travel_id)
    assert scene.wallet.voucher(scene.carnet_id, new).state is VoucherState.DELETED


@pytest.mark.rule("APP-15")
async def test_what_is_left_behind_goes_nowhere(cleared: Scene) -> None:
    """From one country to the next: what stays is not declared in transit, nor at the next import."""
    scene = cleared
    await prepare(scene, WantedTravel("DE", items="1-5"))
    onward = await prepare(scene, WantedTravel("XS", items="1-5", not_returned=Items.parse("3")))
    assert onward == [(Kind.REEXPORTATION, "EU", "1-2,4-5"), (Kind.IMPORTATION, "XS", "1-2,4-5")]
    with pytest.raises(Malformed, match="left behind on the way out"):
        await prepare(scene, WantedTravel("DE", items="6-7", not_returned=Items.parse("6")))


@pytest.mark.rule("APP-15")
@pytest.mark.rule("U5")
async def test_a_route_that_cannot_be_is_said(cleared: Scene) -> None:
    scene = cleared
    before = (await scene.wallet.show(scene.carnet_id)).state
    for trip in (
        WantedTravel("DE", ("FR",), "1"),
        WantedTravel("DE", ("CH",), "1"),
        WantedTravel("DE", items="1", origin="XS"),
    ):
        with pytest.raises(Malformed):
            await prepare(scene, trip)
    assert (await scene.wallet.show(scene.carnet_id)).state == before
    await prepare(scene, WantedTravel("DE"))
    assert await prepare(scene, WantedTravel("CH", items="same")) == [
        (Kind.REEXPORTATION, "EU", "1-20"), (Kind.REIMPORTATION, "CH", "1-20"),
    ]  # fmt: skip


@pytest.mark.rule("APP-12")
async def test_an_edit_keeps_what_it_does_not_change(cleared: Scene) -> None:
    """Other items: where it departs, how and why stay as they were said."""
    scene = cleared
    await prepare(scene, WantedTravel("DE", items="1-3", details=DETAILS))
    shown = await scene.wallet.show(scene.carnet_id)
    mine = sorted((v for v in shown.vouchers if v.state is VoucherState.PREPARED), key=lambda v: v.slot)
    wishes = tuple(Wish(v.kind, v.territory, v.items & Items.parse("1-2")) for v in mine)
    await scene.wallet.edit(scene.carnet_id, mine[0].travel_id, wishes)
    shown = await scene.wallet.show(scene.carnet_id)
    assert {scene.wallet.details(shown, v.slot) for v in mine} == {DETAILS}
