"""The officer's commit: each hard block with its code, in the domain's order; warnings; dates; effects."""

import os
from dataclasses import replace
from typing import Any

import pytest
from eata_clients.authoring import clearing
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_ledger.apply import Applied
from eata_ledger.carnet.dates import DAY, HOUR, MINUTE
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Flag, Kind, Role, Validated, Warning
from eata_ledger.log.bodies import Tick
from eata_ledger.log.entry import Entry, Header, build
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.state import Transaction

from tests import acts
from tests.world import TODAY, Ticket, World

OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))
BACK = ((Kind.REEXPORTATION, "EU", "1-20"), (Kind.REIMPORTATION, "CH", "1-20"))


@pytest.fixture
def tickets(world: World, pin_keys: CodeKeys) -> list[Ticket]:
    """One signed carnet with five vouchers: out and back."""
    return world.travel(world.hold(world.issue(), pin_keys), *OUT, *BACK)


def row(world: World, ticket: Ticket, number: int) -> Transaction:
    found = world.fact(Transaction, ticket.holding.carnet_id, number)
    assert isinstance(found, Transaction)
    return found


@pytest.mark.rule("ACC-20")
def test_a_whole_journey_settles_every_balance(world: World, tickets: list[Ticket]) -> None:
    """Validation, export, import, re-export, re-import: nothing is out any more, and the sets are used."""
    for ticket, office in zip(tickets, ["CHZRH", "CHZRH", "DEBER", "FRLYS", "CHZRH"], strict=True):
        assert world.commit(ticket, office) is Outcome.ACCEPTED
    state = world.state(tickets[0].holding.carnet_id)
    assert world.goods(tickets[0].holding.carnet_id).balances.settled
    assert [c.used for c in state.sets.values()] == [1, 1, 1, 1, 0]


@pytest.mark.rule("ACC-21")
def test_an_unknown_code_is_code_invalid(world: World, tickets: list[Ticket]) -> None:
    stranger = replace(tickets[0], keys=CodeKeys(SigningKey(os.urandom(32)), os.urandom(32)))
    assert world.commit(stranger) is Outcome.CODE_INVALID


def test_nobody_commits_a_voucher_that_was_not_shown(world: World, tickets: list[Ticket]) -> None:
    """The header must be signed by the voucher key too; knowing its public half is not enough."""
    entry = world.commit_entry(tickets[0])
    alone = Entry(entry.header, entry.signatures[:1], entry.parts)
    with pytest.raises(Skipped) as caught:
        world.submit(alone)
    assert caught.value.outcome is Outcome.SIGNATURE_INVALID


def test_a_used_voucher_is_code_consumed(world: World, tickets: list[Ticket]) -> None:
    assert world.commit(tickets[0]) is Outcome.ACCEPTED
    assert world.commit(tickets[0]) is Outcome.CODE_CONSUMED


@pytest.mark.rule("C-18")
@pytest.mark.rule("ACC-29")
def test_after_expiry_only_returns_are_taken(world: World, tickets: list[Ticket]) -> None:
    """Judged by the office's local day; valid_until is inclusive (domain §2.3)."""
    validation, exportation, importation, back, home = tickets
    world.now = (TODAY + 30) * DAY + 21 * HOUR  # 23:00 in Zürich on the last day
    assert world.commit(validation) is Outcome.ACCEPTED
    world.now += 2 * HOUR  # 01:00 in Zürich the day after
    assert world.commit(exportation) is Outcome.CARNET_EXPIRED
    assert world.commit(importation, "DEBER") is Outcome.CARNET_EXPIRED
    reasons = (Warning.ITEMS_NOT_ADMITTED,)
    assert world.commit(back, "DEBER", acknowledged=reasons) is Outcome.ACCEPTED
    assert world.commit(home, acknowledged=(Warning.ITEMS_NOT_OUT,)) is Outcome.ACCEPTED


@pytest.mark.rule("NICS-07")
def test_a_territory_outside_box_p_is_refused(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(box_p=("EU",)), pin_keys)
    [validation, importation] = world.travel(held, OUT[0], (Kind.IMPORTATION, "US", "1"))
    world.commit(validation)
    assert world.commit(importation, "USJFK") is Outcome.TERRITORY_NOT_IN_BOX_P


def test_another_territorys_officer_is_refused(world: World, tickets: list[Ticket]) -> None:
    world.commit(tickets[0])
    assert world.commit(tickets[2], "USJFK") is Outcome.WRONG_TERRITORY_FOR_TYPE


@pytest.mark.rule("APP-09")
def test_activation_comes_first_in_a_digital_home(world: World, tickets: list[Ticket]) -> None:
    assert world.commit(tickets[1]) is Outcome.NOT_VALIDATED


@pytest.mark.rule("ACC-34")
@pytest.mark.rule("GTP-06")
@pytest.mark.rule("C-12")
def test_a_paper_home_is_validated_by_the_system(world: World, pin_keys: CodeKeys) -> None:
    """AUTO_VALIDATION is derived with the first digital transaction, and only then flagged."""
    held = world.hold(world.issue(home="US", box_p=("EU",)), pin_keys)
    first, second = world.travel(held, (Kind.IMPORTATION, "EU", "1-5"), (Kind.REEXPORTATION, "EU", "1-5"))
    assert world.commit(first, "DEBER") is Outcome.ACCEPTED
    assert world.commit(second, "DEBER") is Outcome.ACCEPTED
    assert world.state(held.carnet_id).validated is Validated.AUTO
    flags = [row(world, first, n).flags & Flag.AUTO_VALIDATION for n in (0, 1)]
    assert flags == [Flag.AUTO_VALIDATION, Flag.NONE]


@pytest.mark.rule("N-03")
def test_no_voucher_exists_before_the_holder_signed(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(), pin_keys, signed=False)
    with pytest.raises(Skipped) as caught:  # signing makes the first device
        world.submit(world.prepare(held, OUT[0])[0])
    assert caught.value.outcome is Outcome.KEY_UNKNOWN
    signed = world.hold(world.issue(), pin_keys)
    world.must(acts.amend(world, signed.carnet_id, pin_keys))
    assert world.outcome(world.prepare(replace(signed, content_version=2), OUT[0])[0]) is Outcome.NOT_SIGNED


@pytest.mark.rule("ACC-10")
@pytest.mark.rule("C-21")
@pytest.mark.rule("ACC-09")
def test_an_officer_acts_for_the_office_of_the_certificate(world: World, tickets: list[Ticket]) -> None:
    berlin = world.desk("DEBER")
    world.commit(tickets[0])
    entry = world.commit_entry(tickets[2], "FRLYS", desk=replace(berlin, office="FRLYS"))
    assert world.outcome(entry) is Outcome.OFFICE_INACTIVE


@pytest.mark.rule("OBJ-01")
@pytest.mark.rule("OBJ-02")
@pytest.mark.rule("C-04")
@pytest.mark.rule("C-05")
@pytest.mark.rule("ACC-05")
def test_a_holders_device_does_not_commit(world: World, tickets: list[Ticket]) -> None:
    """A desk is what a registered authority certifies; nobody else makes one."""
    own = clearing.sign_in(world.ledger, tickets[0].holding.device, "CHZRH", Role.OFFICER, world.now)
    with pytest.raises(Skipped) as caught:
        world.submit(world.commit_entry(tickets[0], desk=own))
    assert caught.value.outcome is Outcome.KEY_UNKNOWN


def test_a_declaration_edited_since_the_scan_is_stale(world: World, tickets: list[Ticket]) -> None:
    presented = replace(world.present(tickets[0]), declaration=bytes(32))
    decision = clearing.Decision(presented.items)
    issuer = (world.issuer.seal_id, world.issuer.seal.public)
    entry = clearing.commit(
        world.ledger, world.desk(), presented, decision, world.live(), issuer, Stamp(world.now, 120)
    )
    assert world.outcome(entry) is Outcome.STALE_VERSION


@pytest.mark.parametrize("items", ["1-21", "21"])
def test_an_item_beyond_the_list_is_refused(world: World, tickets: list[Ticket], items: str) -> None:
    assert world.commit(tickets[0], items=Items.parse(items)) is Outcome.ITEM_OUT_OF_RANGE


def test_validation_is_once(world: World, pin_keys: CodeKeys) -> None:
    first, second = world.travel(world.hold(world.issue(), pin_keys), OUT[0], OUT[0])
    assert world.commit(first) is Outcome.ACCEPTED
    assert world.commit(second) is Outcome.ALREADY_VALIDATED


@pytest.mark.rule("ACC-45")
def test_a_transit_closes_only_where_one_is_open(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(), pin_keys)
    validation, opened, closed = world.travel(
        held, OUT[0], (Kind.TRANSIT_OPEN, "EU", "1-5"), (Kind.TRANSIT_CLOSE, "EU", "1-5")
    )
    world.commit(validation)
    assert world.commit(closed, "DEBER") is Outcome.NO_OPEN_TRANSIT
    assert world.commit(opened, "DEBER") is Outcome.ACCEPTED
    assert world.commit(closed, "FRLYS") is Outcome.ACCEPTED
    assert world.goods(held.carnet_id).balances.settled


@pytest.mark.rule("ACC-26")
def test_a_blank_final_date_is_the_validity_and_a_later_one_is_refused(world: World, tickets: list[Ticket]) -> None:
    world.commit(tickets[0])
    assert world.commit(tickets[1], final_day=TODAY + 31) is Outcome.FINAL_DATE_AFTER_VALIDITY
    assert world.commit(tickets[1]) is Outcome.ACCEPTED
    assert row(world, tickets[1], 1).final_day == TODAY + 30


def test_each_arrival_has_its_own_final_date(world: World, pin_keys: CodeKeys) -> None:
    """Leaving late is a warning for the items of the arrival that is late, and only for them."""
    held = world.hold(world.issue(), pin_keys)
    validation, early, late, back, rest = world.travel(
        held, OUT[0], (Kind.IMPORTATION, "EU", "1-5"), (Kind.IMPORTATION, "EU", "6-10"),
        (Kind.REEXPORTATION, "EU", "6-10"), (Kind.REEXPORTATION, "EU", "1-5"),
    )  # fmt: skip
    world.commit(validation)
    assert world.commit(early, "DEBER", final_day=TODAY - 1) is Outcome.FINAL_DATE_PAST
    assert world.commit(early, "DEBER", final_day=TODAY + 3) is Outcome.ACCEPTED
    assert world.commit(late, "DEBER", final_day=TODAY + 20) is Outcome.ACCEPTED
    world.now += 10 * DAY
    assert world.commit(back, "DEBER") is Outcome.ACCEPTED
    assert world.commit(rest, "DEBER") is Outcome.REASON_REQUIRED
    assert world.commit(rest, "DEBER", acknowledged=(Warning.FINAL_DATE_PASSED,)) is Outcome.ACCEPTED
    assert not world.goods(held.carnet_id).arrivals


def test_another_administrations_desk_authority_makes_no_desk_here(world: World, tickets: list[Ticket]) -> None:
    """A desk certified by the US for a Swiss office is nobody there, nor is its controller."""
    foreign = clearing.sign_in(world.ledger, world.authorities["US"], "CHZRH", Role.OFFICER, world.now)
    assert world.outcome(world.commit_entry(tickets[0], desk=foreign)) is Outcome.OFFICE_INACTIVE
    desk, then = world.desk(), Stamp(world.now, 120, life=8 * DAY)
    world.now += 95 * HOUR
    controller = clearing.sign_in(world.ledger, world.authorities["US"], "CHZRH", Role.CONTROLLER, world.now)
    entry = world.commit_entry(tickets[0], desk=desk, stamp=then, controller=controller)
    assert world.outcome(entry) is Outcome.COUNTERSIGN_NEEDED


@pytest.mark.rule("GTP-05")
def test_a_home_that_turns_digital_midway_stays_auto_validated(world: World, pin_keys: CodeKeys) -> None:
    """Judged by the day of issue; and returns never ask for a validation."""
    held = world.hold(world.issue(home="XP", box_p=("EU",)), pin_keys)
    first, back = world.travel(held, (Kind.IMPORTATION, "EU", "1-5"), (Kind.REEXPORTATION, "EU", "1-5"))
    world.now += 20 * DAY
    assert world.commit(first, "DEBER") is Outcome.ACCEPTED
    assert world.commit(back, "DEBER") is Outcome.ACCEPTED


@pytest.mark.rule("ACC-25")
@pytest.mark.rule("ACC-33")
@pytest.mark.rule("ACC-24")
def test_the_lists_of_a_return_are_disjoint(world: World, tickets: list[Ticket]) -> None:
    for ticket, office in zip(tickets[:3], ["CHZRH", "CHZRH", "DEBER"], strict=True):
        world.commit(ticket, office)
    back = tickets[3]
    assert world.commit(back, "DEBER", not_returned=Items.parse("3")) is Outcome.LISTS_OVERLAP
    split: dict[str, Any] = {"items": Items.parse("1-2,4-20"), "not_returned": Items.parse("3")}
    assert world.commit(back, "DEBER", processed=Items.parse("4"), **split) is Outcome.FIELD_NOT_OF_KIND
    assert world.commit(back, "DEBER", **split) is Outcome.ACCEPTED
    assert world.commit(tickets[4], processed=Items.parse("3"), **split) is Outcome.LISTS_OVERLAP
    assert world.commit(tickets[4], processed=Items.parse("4"), **split) is Outcome.ACCEPTED


@pytest.mark.rule("C-20")
def test_a_balance_breach_needs_an_acknowledged_reason(world: World, pin_keys: CodeKeys) -> None:
    """A double exportation is no hard error: it is committed once the warning is acknowledged."""
    held = world.hold(world.issue(), pin_keys)
    validation, first, second = world.travel(held, OUT[0], OUT[1], OUT[1])
    world.commit(validation)
    world.commit(first)
    assert world.commit(second) is Outcome.REASON_REQUIRED
    assert world.commit(second, acknowledged=(Warning.ITEMS_ALREADY_OUT,)) is Outcome.ACCEPTED
    assert row(world, second, 2).warnings == (Warning.ITEMS_ALREADY_OUT,)


@pytest.mark.rule("ACC-27")
@pytest.mark.rule("N-06")
def test_the_eu_exports_in_two_steps_on_one_voucher(world: World, pin_keys: CodeKeys) -> None:
    """Export then Exit; or Exit alone, which writes both; pre-export once per voucher."""
    held = world.hold(world.issue(home="EU", box_p=("CH",)), pin_keys)
    validation, export, alone = world.travel(
        held, (Kind.VALIDATION, "EU", "1-20"), (Kind.EXPORTATION, "EU", "1-9"), (Kind.EXPORTATION, "EU", "10")
    )
    world.commit(validation, "DEBER")
    assert world.commit(export, "DEBER", kind=Kind.PRE_EXPORTATION) is Outcome.ACCEPTED
    assert world.commit(export, "DEBER", kind=Kind.PRE_EXPORTATION) is Outcome.CODE_CONSUMED
    assert not world.state(held.carnet_id).home_out
    assert world.commit(export, "FRLYS") is Outcome.ACCEPTED
    assert world.commit(alone, "DEBER") is Outcome.REASON_REQUIRED
    assert world.commit(alone, "DEBER", acknowledged=(Warning.NO_PRE_EXPORTATION,)) is Outcome.ACCEPTED
    assert str(world.state(held.carnet_id).home_out) == "1-10"
    kinds = [row(world, export, n).kind for n in range(5)]
    assert kinds == [Kind.VALIDATION, *[Kind.PRE_EXPORTATION, Kind.EXPORTATION] * 2]
    flags = [row(world, export, n).flags & Flag.PRE_EXPORTATION_WRITTEN for n in (2, 4)]
    assert flags == [Flag.NONE, Flag.PRE_EXPORTATION_WRITTEN]


def test_outside_the_eu_there_is_no_pre_export(world: World, tickets: list[Ticket]) -> None:
    world.commit(tickets[0])
    assert world.commit(tickets[1], kind=Kind.PRE_EXPORTATION) is Outcome.WRONG_TERRITORY_FOR_TYPE


@pytest.mark.rule("PRX-06")
@pytest.mark.rule("C-23")
def test_a_late_commit_is_flagged_and_beyond_72_hours_countersigned(world: World, tickets: list[Ticket]) -> None:
    """The outage procedure: judged by event time, inside the certificate of that day."""
    desk, then = world.desk(), Stamp(world.now, 120, life=8 * DAY)
    world.now += 71 * HOUR
    assert world.outcome(world.commit_entry(tickets[0], desk=desk, stamp=then)) is Outcome.ACCEPTED
    assert row(world, tickets[0], 0).flags & Flag.LATE
    world.now += 24 * HOUR
    late = world.commit_entry(tickets[1], desk=desk, stamp=then)
    assert world.outcome(late) is Outcome.COUNTERSIGN_NEEDED
    controller = world.desk("CHZRH", Role.CONTROLLER)
    countersigned = world.commit_entry(tickets[1], desk=desk, stamp=then, controller=controller)
    assert world.outcome(countersigned) is Outcome.ACCEPTED


@pytest.mark.rule("PRX-06")
def test_the_next_shift_enters_a_noted_code_with_a_controller(world: World, tickets: list[Ticket]) -> None:
    """The officer who noted it has gone home: the time is that of the note, up to 72 h before the new shift began."""
    noted = Stamp(world.now, 120, life=8 * DAY)
    world.now += 20 * HOUR
    alone = world.commit_entry(tickets[0], stamp=noted)
    assert world.outcome(alone) is Outcome.CERT_EXPIRED
    clerk = world.commit_entry(tickets[0], stamp=noted, controller=world.desk())
    assert world.outcome(clerk) is Outcome.CERT_EXPIRED  # a colleague is no controller
    controller = world.desk("CHZRH", Role.CONTROLLER)
    assert world.outcome(world.commit_entry(tickets[0], stamp=noted, controller=controller)) is Outcome.ACCEPTED
    assert row(world, tickets[0], 0).flags & Flag.LATE
    world.now += 53 * HOUR
    later = world.desk("CHZRH", Role.CONTROLLER)
    beyond = world.commit_entry(tickets[1], stamp=noted, controller=later)
    assert world.outcome(beyond) is Outcome.CERT_EXPIRED


def test_an_act_outside_its_certificate_is_refused(world: World, tickets: list[Ticket]) -> None:
    desk = world.desk()
    world.now += 13 * HOUR
    assert world.outcome(world.commit_entry(tickets[0], desk=desk)) is Outcome.CERT_EXPIRED


@pytest.mark.rule("C-23")
def test_what_has_not_happened_yet_is_refused(world: World, tickets: list[Ticket]) -> None:
    """By log time, with five minutes for a clock that is a little off."""
    early, far = (Stamp(world.now + minutes * MINUTE, 120) for minutes in (5, 6))
    with pytest.raises(Skipped, match="EVENT_AHEAD"):
        world.submit(world.commit_entry(tickets[0], stamp=far))
    assert world.outcome(world.commit_entry(tickets[0], stamp=early)) is Outcome.ACCEPTED


def test_the_offset_is_one_of_the_offices(world: World, tickets: list[Ticket]) -> None:
    assert world.outcome(world.commit_entry(tickets[0], stamp=Stamp(world.now, 60))) is Outcome.OFFSET_WRONG


@pytest.mark.rule("U9")
def test_a_commit_that_withholds_or_adds_a_stanza_is_refused(world: World, tickets: list[Ticket]) -> None:
    """Stanzas go to own territory, home, and the issuer of a validation: none more, none fewer."""
    presented, desk, stamp = world.present(tickets[0]), world.desk(), Stamp(world.now, 120)
    issuer = (world.issuer.seal_id, world.issuer.seal.public)
    decision = clearing.Decision(presented.items)
    live = world.live()
    for wrong_live, wrong_issuer in (({}, issuer), (live, None), ({"CH": live["EU"]}, issuer)):
        entry = clearing.commit(world.ledger, desk, presented, decision, wrong_live, wrong_issuer, stamp)
        assert world.outcome(entry) is Outcome.STANZAS_WRONG
    assert world.commit(tickets[0]) is Outcome.ACCEPTED


@pytest.mark.rule("GTP-16")
def test_a_test_carnet_says_so_on_every_transaction(world: World, pin_keys: CodeKeys) -> None:
    [validation] = world.travel(world.hold(world.issue(test=True), pin_keys), OUT[0])
    world.commit(validation)
    assert row(world, validation, 0).flags & Flag.TEST


def test_a_forged_certificate_is_no_author(world: World, tickets: list[Ticket]) -> None:
    """Only a registered desk CA makes desks."""
    forged = clearing.sign_in(world.ledger, SigningKey(os.urandom(32)), "CHZRH", Role.OFFICER, world.now)
    with pytest.raises(Skipped) as caught:
        world.submit(world.commit_entry(tickets[0], desk=forged))
    assert caught.value.outcome is Outcome.KEY_UNKNOWN


@pytest.mark.rule("ACC-46")
def test_the_first_tick_after_five_utc_counts(world: World) -> None:
    node = world.seeds[0].group

    def tick(day: int) -> Outcome:
        header = Header(world.ledger, node.id, os.urandom(16), world.now + DAY, world.now, 0, (), Tick(day))
        return world.outcome(build(header, (), (node,)))

    assert tick(TODAY + 1) is Outcome.TICK_EARLY
    assert tick(TODAY) is Outcome.ACCEPTED
    assert tick(TODAY) is Outcome.TICK_EARLY
    world.now = (TODAY + 1) * DAY + 5 * HOUR - 1
    assert tick(TODAY + 1) is Outcome.TICK_EARLY
    world.now += 1
    assert tick(TODAY + 1) is Outcome.ACCEPTED


def test_an_entry_after_its_own_deadline_is_refused(world: World, tickets: list[Ticket]) -> None:
    entry = world.commit_entry(tickets[0])
    world.now += 11 * MINUTE
    assert world.outcome(entry) is Outcome.ENTRY_EXPIRED


def test_an_entry_of_another_ledger_is_refused(world: World, tickets: list[Ticket]) -> None:
    node = world.seeds[0].group
    entry = make(bytes(32), Tick(TODAY), world.stamp, (node,))
    assert world.outcome(entry) is Outcome.WRONG_LEDGER


def test_a_refusal_changes_nothing_but_the_log(world: World, tickets: list[Ticket]) -> None:
    """Only the outcome of the request id is written."""
    before = dict(world.facts)
    result = world.submit(world.commit_entry(tickets[1]))
    assert isinstance(result, Applied)
    assert len(result.effects) == 1
    assert {k: v for k, v in world.facts.items() if k in before} == before
