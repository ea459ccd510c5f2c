"""What an officer decides besides a commit: reject, hold, release, cancel; and the redo that follows."""

from dataclasses import replace

import pytest
from eata_clients.authoring import clearing, deciding, registering
from eata_clients.authoring.clearing import Desk
from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Flag, Kind, Role, SetKind, Validated, VoucherState, Warning
from eata_ledger.log.bodies import Discharge, EntryType
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.state import Incident, TravelFact, Voucher

from tests import acts
from tests.world import Ticket, World

OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))
BACK = ((Kind.REEXPORTATION, "EU", "1-20"), (Kind.REIMPORTATION, "CH", "1-20"))
PLACES = ("CHZRH", "CHZRH", "DEBER", "FRLYS", "CHZRH")


@pytest.fixture
def tickets(world: World, pin_keys: CodeKeys) -> list[Ticket]:
    """One signed carnet with five vouchers: out and back."""
    return world.travel(world.hold(world.issue(), pin_keys), *OUT, *BACK)


def carnet_of(tickets: list[Ticket]) -> int:
    return tickets[0].holding.carnet_id


def incident(world: World, carnet_id: int) -> Incident:
    found = world.fact(Incident, carnet_id, len(world.leaves) - 1)
    assert isinstance(found, Incident)
    return found


# -- reject


@pytest.mark.rule("N-04")
def test_a_rejected_voucher_stays_good(world: World, tickets: list[Ticket]) -> None:
    """Rejection consumes neither code nor set; the same QR is committed afterwards."""
    before = world.state(carnet_of(tickets)).sets
    assert world.outcome(acts.reject(world, tickets[0])) is Outcome.ACCEPTED
    assert incident(world, carnet_of(tickets)).type is EntryType.REJECT
    assert world.state(carnet_of(tickets)).sets == before
    assert world.commit(tickets[0]) is Outcome.ACCEPTED


@pytest.mark.rule("N-04")
def test_nobody_rejects_what_was_not_shown_or_is_used(world: World, tickets: list[Ticket]) -> None:
    stranger = replace(tickets[0], keys=CodeKeys(SigningKey(bytes([7]) * 32), bytes(32)))
    assert world.outcome(acts.reject(world, stranger)) is Outcome.CODE_INVALID
    world.commit(tickets[0])
    assert world.outcome(acts.reject(world, tickets[0])) is Outcome.CODE_CONSUMED
    assert world.outcome(acts.reject(world, tickets[2], "CHZRH")) is Outcome.WRONG_TERRITORY_FOR_TYPE


def test_a_rejection_is_of_the_declaration_that_was_seen(world: World, tickets: list[Ticket]) -> None:
    entry = deciding.reject(
        world.ledger, world.desk(), replace(world.present(tickets[0]), declaration=bytes(32)), "?",
        acts.own(world, "CHZRH"), acts.stamp(world, "CHZRH"),
    )  # fmt: skip
    assert world.outcome(entry) is Outcome.STALE_VERSION


def test_a_reason_is_sealed_to_the_own_territory_alone(world: World, tickets: list[Ticket]) -> None:
    """One stanza, to the office's own territory: none more, none fewer, no other's (N-05)."""
    for foreign in (None, world.live()["EU"]):
        entry = deciding.hold(world.ledger, world.desk(), carnet_of(tickets), "?", foreign, acts.stamp(world, "CHZRH"))
        assert world.outcome(entry) is Outcome.STANZAS_WRONG


# -- hold and release


@pytest.mark.rule("ACC-40")
@pytest.mark.rule("C-09")
def test_a_hold_stops_its_territory_and_no_other(world: World, tickets: list[Ticket]) -> None:
    """Held in Berlin, Lyon cannot commit; Zürich can (domain §2.8)."""
    world.commit(tickets[0])
    assert world.outcome(acts.hold(world, carnet_of(tickets), "DEBER")) is Outcome.ACCEPTED
    assert world.commit(tickets[2], "FRLYS") is Outcome.HELD_IN_TERRITORY
    assert world.commit(tickets[1], "CHZRH") is Outcome.ACCEPTED
    assert world.outcome(acts.hold(world, carnet_of(tickets), "FRLYS")) is Outcome.HELD_IN_TERRITORY


@pytest.mark.rule("OBJ-03")
def test_one_administration_two_territories_one_hold(world: World, pin_keys: CodeKeys) -> None:
    """France has offices in the EU and in Réunion: a hold in one does not block the other."""
    france = world.parties["FR"]
    world.must(registering.territory(world.ledger, world.operations, "RE", ("FR",), None, False, 0, world.stamp))
    office = registering.office(world.ledger, france, "RERUN", "RE", "Le Port", "Indian/Reunion", 0, world.stamp)
    world.must(office)
    held = world.hold(world.issue(box_p=("EU", "RE")), pin_keys)
    validation, lyon, port = world.travel(
        held, OUT[0], (Kind.IMPORTATION, "EU", "1"), (Kind.IMPORTATION, "RE", "2")
    )  # fmt: skip
    world.commit(validation)
    assert world.outcome(acts.hold(world, held.carnet_id, "FRLYS")) is Outcome.ACCEPTED
    assert world.commit(lyon, "FRLYS") is Outcome.HELD_IN_TERRITORY
    here = clearing.sign_in(world.ledger, world.authorities["FR"], "RERUN", Role.OFFICER, world.now)
    assert world.commit(port, "RERUN", desk=here) is Outcome.ACCEPTED


@pytest.mark.rule("ACC-42")
def test_the_holding_office_or_a_controller_releases(world: World, tickets: list[Ticket]) -> None:
    carnet_id = carnet_of(tickets)
    assert world.outcome(acts.release(world, carnet_id, "DEBER")) is Outcome.NOT_HELD
    world.must(acts.hold(world, carnet_id, "DEBER"))
    assert world.outcome(acts.release(world, carnet_id, "FRLYS")) is Outcome.ROLE_FORBIDDEN
    assert world.outcome(acts.release(world, carnet_id, "DEBER")) is Outcome.ACCEPTED
    world.must(acts.hold(world, carnet_id, "DEBER"))
    controller = world.desk("FRLYS", Role.CONTROLLER)
    assert world.outcome(acts.release(world, carnet_id, "FRLYS", controller)) is Outcome.ACCEPTED
    assert not acts.held_in(world, "EU", carnet_id)


def test_a_hold_is_for_where_the_carnet_is_valid(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(box_p=("EU",)), pin_keys)
    assert world.outcome(acts.hold(world, held.carnet_id, "USJFK")) is Outcome.TERRITORY_NOT_IN_BOX_P
    assert world.outcome(acts.hold(world, 99_999)) is Outcome.CARNET_NOT_FOUND


# -- cancel and redo


@pytest.mark.rule("ACC-30")
@pytest.mark.rule("N-05")
def test_a_cancelled_transaction_is_as_if_it_had_not_been(world: World, tickets: list[Ticket]) -> None:
    """The row stays, marked; balances, sets and validation are those of the rows that live."""
    carnet_id = carnet_of(tickets)
    world.commit(tickets[0])
    before, goods = world.state(carnet_id), world.goods(carnet_id)
    world.commit(tickets[1])
    assert world.outcome(acts.cancel(world, tickets[1])) is Outcome.ACCEPTED
    after = world.state(carnet_id)
    assert world.goods(carnet_id).balances == goods.balances
    assert (after.sets, after.rows) != (before.sets, before.rows)
    assert [c.used for c in after.sets.values()] == [0, 0, 0, 0, 0]
    assert acts.rows(world, carnet_id)[1].cancelled == len(world.leaves) - 1
    assert world.commit(tickets[1]) is Outcome.CODE_CONSUMED


@pytest.mark.rule("ACC-30")
def test_a_wrong_cancellation_code_cancels_nothing(world: World, tickets: list[Ticket]) -> None:
    world.commit(tickets[0])
    entry = acts.cancel(world, tickets[0], code=SigningKey(bytes([9]) * 32))
    assert world.outcome(entry) is Outcome.CANCEL_CODE_INVALID


@pytest.mark.rule("N-06")
def test_a_pre_exportation_cannot_be_cancelled_its_exit_can(world: World, pin_keys: CodeKeys) -> None:
    """The exit made again keeps the first pre-exportation: no second one is written."""
    held = world.hold(world.issue(home="EU", box_p=("CH",)), pin_keys)
    validation, export = world.travel(held, (Kind.VALIDATION, "EU", "1-20"), (Kind.EXPORTATION, "EU", "1-20"))
    world.commit(validation, "DEBER")
    world.commit(export, "DEBER", kind=Kind.PRE_EXPORTATION)
    assert world.outcome(acts.cancel(world, export, "DEBER")) is Outcome.NOT_CANCELLABLE
    world.commit(export, "DEBER")
    assert world.outcome(acts.cancel(world, export, "DEBER")) is Outcome.ACCEPTED
    entry, again = acts.renew(world, export)
    world.must(entry)
    assert world.commit(again, "DEBER") is Outcome.ACCEPTED
    assert [row.kind.name for row in acts.rows(world, held.carnet_id)] == [
        "VALIDATION", "PRE_EXPORTATION", "EXPORTATION", "EXPORTATION",
    ]  # fmt: skip


@pytest.mark.rule("N-06")
def test_an_exit_that_wrote_both_is_cancelled_alone(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(home="EU", box_p=("CH",)), pin_keys)
    validation, export = world.travel(held, (Kind.VALIDATION, "EU", "1-20"), (Kind.EXPORTATION, "EU", "1-20"))
    world.commit(validation, "DEBER")
    world.commit(export, "DEBER", acknowledged=(Warning.NO_PRE_EXPORTATION,))
    world.must(acts.cancel(world, export, "DEBER"))
    _, pre, exit_row = acts.rows(world, held.carnet_id)
    assert (pre.cancelled, exit_row.cancelled is None) == (None, False)
    entry, again = acts.renew(world, export)
    world.must(entry)
    assert world.commit(again, "DEBER") is Outcome.ACCEPTED
    assert Flag.PRE_EXPORTATION_WRITTEN not in acts.rows(world, held.carnet_id)[-1].flags


@pytest.mark.rule("C-22")
def test_what_others_rest_on_is_not_cancelled(world: World, tickets: list[Ticket]) -> None:
    """Later rows of the same balance and items stand in the way; other balances do not (ACC-34)."""
    for ticket, office in zip(tickets[:4], PLACES, strict=False):
        world.commit(ticket, office)
    assert world.outcome(acts.cancel(world, tickets[2], "DEBER")) is Outcome.LATER_TRANSACTION_EXISTS
    assert world.outcome(acts.cancel(world, tickets[0])) is Outcome.LATER_TRANSACTION_EXISTS
    assert world.outcome(acts.cancel(world, tickets[1])) is Outcome.ACCEPTED
    assert world.outcome(acts.cancel(world, tickets[3], "FRLYS")) is Outcome.ACCEPTED
    assert world.outcome(acts.cancel(world, tickets[2], "DEBER")) is Outcome.ACCEPTED
    assert world.outcome(acts.cancel(world, tickets[0])) is Outcome.ACCEPTED
    assert world.state(carnet_of(tickets)).validated is Validated.NO


def test_other_items_of_the_same_balance_do_not_stand_in_the_way(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(), pin_keys)
    first, second = world.travel(held, (Kind.IMPORTATION, "EU", "1-5"), (Kind.IMPORTATION, "EU", "6-9"))
    [validation] = world.travel(held, OUT[0])
    for ticket, office in ((validation, "CHZRH"), (first, "DEBER"), (second, "DEBER")):
        assert world.commit(ticket, office) is Outcome.ACCEPTED
    assert world.outcome(acts.cancel(world, first, "DEBER")) is Outcome.ACCEPTED
    goods = world.goods(held.carnet_id)
    assert goods.balances.admitted == {"EU": Items.parse("6-9")}
    assert [opening.items for opening in goods.arrivals["EU"]] == [Items.parse("6-9")]


@pytest.mark.rule("C-22")
def test_the_same_office_or_a_controller_of_the_territory_cancels(world: World, tickets: list[Ticket]) -> None:
    world.commit(tickets[0])
    world.commit(tickets[2], "DEBER")
    assert world.outcome(acts.cancel(world, tickets[2], "CHZRH")) is Outcome.WRONG_TERRITORY_FOR_TYPE
    assert world.outcome(acts.cancel(world, tickets[2], "FRLYS")) is Outcome.ROLE_FORBIDDEN
    controller = world.desk("FRLYS", Role.CONTROLLER)
    assert world.outcome(acts.cancel(world, tickets[2], "FRLYS", desk=controller)) is Outcome.ACCEPTED
    again = acts.cancel(world, tickets[2], "FRLYS", desk=controller)
    assert world.outcome(again) is Outcome.TRANSACTION_UNKNOWN


def test_nothing_of_a_discharged_carnet_is_cancelled(world: World, tickets: list[Ticket]) -> None:
    world.commit(tickets[0])
    assert acts.by_issuer(world, Discharge(carnet_of(tickets))) is Outcome.ACCEPTED
    assert world.outcome(acts.cancel(world, tickets[0])) is Outcome.NOT_CANCELLABLE


@pytest.mark.rule("C-28")
def test_after_cancellation_a_new_voucher_has_a_new_code(world: World, tickets: list[Ticket]) -> None:
    """The redo takes a new slot and a set; the old code stays consumed."""
    world.commit(tickets[0])
    world.commit(tickets[1])
    world.must(acts.cancel(world, tickets[1]))
    entry, again = acts.renew(world, tickets[1])
    assert world.outcome(entry) is Outcome.ACCEPTED
    assert world.state(carnet_of(tickets)).sets[SetKind.EXPORT].reserved == 1
    assert world.commit(tickets[1]) is Outcome.CODE_CONSUMED
    assert world.commit(again) is Outcome.ACCEPTED
    twice, _ = acts.renew(world, tickets[1])
    assert world.outcome(twice) is Outcome.TRAVEL_UNKNOWN


@pytest.mark.rule("APP-23")
def test_a_shared_code_is_revoked_by_a_new_voucher(world: World, tickets: list[Ticket]) -> None:
    """The old link opens nothing any more; sets are as before."""
    before = world.state(carnet_of(tickets)).sets
    entry, fresh = acts.renew(world, tickets[0])
    world.must(entry)
    assert world.state(carnet_of(tickets)).sets == before
    old = world.fact(Voucher, carnet_of(tickets), tickets[0].slot)
    assert isinstance(old, Voucher)
    assert old.state is VoucherState.DELETED
    assert world.commit(tickets[0]) is Outcome.CODE_INVALID
    assert world.commit(fresh) is Outcome.ACCEPTED


def test_a_renewal_is_of_the_same_kind_and_the_next_slot(world: World, tickets: list[Ticket]) -> None:
    wrong_slot, _ = acts.renew(world, tickets[0], slot=40)
    assert world.outcome(wrong_slot) is Outcome.SLOT_TAKEN
    other_kind, _ = acts.renew(world, tickets[0], wish=tickets[1].wish)
    assert world.outcome(other_kind) is Outcome.SLOT_TAKEN
    world.commit(tickets[0])
    used, _ = acts.renew(world, tickets[0])
    assert world.outcome(used) is Outcome.TRAVEL_TRANSACTED


def test_an_auto_validation_goes_with_the_transaction_that_made_it(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(home="US", box_p=("EU",)), pin_keys)
    [first] = world.travel(held, (Kind.IMPORTATION, "EU", "1-5"))
    world.commit(first, "DEBER")
    world.must(acts.cancel(world, first, "DEBER"))
    assert world.state(held.carnet_id).validated is Validated.NO


def test_cancelling_is_within_the_time_of_the_certificate(world: World, tickets: list[Ticket]) -> None:
    desk = world.desk()
    world.commit(tickets[0])
    world.now += DAY
    assert world.outcome(acts.cancel(world, tickets[0], desk=desk)) is Outcome.CERT_EXPIRED


@pytest.mark.rule("C-23")
def test_a_decision_noted_in_an_outage_is_entered_by_a_controller(world: World, tickets: list[Ticket]) -> None:
    """By a controller of the next shift, up to 72 hours before that began; by an officer of it never."""
    noted = replace(acts.stamp(world, "CHZRH"), life=10 * DAY)

    def entered(desk: Desk) -> Outcome:
        here = acts.own(world, "CHZRH")
        return world.outcome(deciding.hold(world.ledger, desk, carnet_of(tickets), "noted on paper", here, noted))

    world.now += 2 * DAY
    assert entered(world.desk()) is Outcome.CERT_EXPIRED
    assert entered(world.desk("CHZRH", Role.CONTROLLER)) is Outcome.ACCEPTED
    world.must(acts.release(world, carnet_of(tickets)))
    world.now += 2 * DAY
    assert entered(world.desk("CHZRH", Role.CONTROLLER)) is Outcome.CERT_EXPIRED


@pytest.mark.rule("C-23")
@pytest.mark.parametrize("role", [Role.OFFICER, Role.CONTROLLER])
def test_a_decision_that_waited_over_72_hours_is_over(world: World, tickets: list[Ticket], role: Role) -> None:
    """Nobody stands for it any more: the certificate has ended, a controller's too."""
    stamp = replace(acts.stamp(world, "CHZRH"), life=10 * DAY)
    desk, here = world.desk("CHZRH", role), acts.own(world, "CHZRH")
    entry = deciding.hold(world.ledger, desk, carnet_of(tickets), "noted on paper", here, stamp)
    world.now += 4 * DAY
    assert world.outcome(entry) is Outcome.COUNTERSIGN_NEEDED


def test_a_travel_is_edited_after_one_of_its_vouchers_was_renewed(world: World, tickets: list[Ticket]) -> None:
    """Slots stay in order, whichever of them was renewed."""
    entry, fresh = acts.renew(world, tickets[0])
    world.must(entry)
    travel = world.fact(Voucher, carnet_of(tickets), fresh.slot)
    assert isinstance(travel, Voucher)
    fact = world.fact(TravelFact, carnet_of(tickets), travel.travel_id)
    assert isinstance(fact, TravelFact)
    assert fact.slots == tuple(sorted(fact.slots))
