"""What an issuer does after issue: amend, sets, block, cancel, discharge, replace, twin; drafts stay outside."""

from dataclasses import replace
from typing import Any

import pytest
from eata_clients.authoring import devices, issuing
from eata_clients.authoring.entries import make
from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.vocabulary import CarnetType, Flag, Kind, OrderType, Role, SetKind, Status, Warning
from eata_ledger.log.bodies import AddSets, Block, CancelCarnet, Discharge, Unblock, VoucherSets
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.links import REPLACED_BY, REPLACES
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.state import Carnet, Link

from tests import acts
from tests.world import TODAY, Ticket, World

OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))
BACK = ((Kind.REEXPORTATION, "EU", "1-20"), (Kind.REIMPORTATION, "CH", "1-20"))


@pytest.fixture
def tickets(world: World, pin_keys: CodeKeys) -> list[Ticket]:
    return world.travel(world.hold(world.issue(), pin_keys), *OUT, *BACK)


def carnet_of(tickets: list[Ticket]) -> int:
    return tickets[0].holding.carnet_id


def linked(world: World, carnet_id: int, relation: OrderType, direction: bytes) -> tuple[int, ...]:
    found = world.fact(Link, carnet_id, int(relation), direction)
    return found.others if isinstance(found, Link) else ()


# -- amend


@pytest.mark.rule("N-02")
def test_an_amendment_voids_the_signature_and_every_prepared_voucher(
    world: World, tickets: list[Ticket], pin_keys: CodeKeys
) -> None:
    carnet_id, held = carnet_of(tickets), tickets[0].holding
    assert world.outcome(acts.amend(world, carnet_id, pin_keys, items=25)) is Outcome.ACCEPTED
    carnet = world.fact(Carnet, carnet_id)
    assert isinstance(carnet, Carnet)
    assert (carnet.content, carnet.items, world.state(carnet_id).signed) == (2, 25, None)
    assert world.commit(tickets[0]) is Outcome.NOT_SIGNED
    second = replace(held, content_version=2)
    assert world.outcome(devices.sign_again(second, pin_keys.wrap, world.stamp)) is Outcome.ACCEPTED
    assert world.commit(tickets[0]) is Outcome.STALE_VERSION


@pytest.mark.rule("N-02")
def test_an_amendment_is_within_thirty_days_and_before_any_transaction(
    world: World, tickets: list[Ticket], pin_keys: CodeKeys
) -> None:
    carnet_id = carnet_of(tickets)
    world.now += 30 * DAY
    assert world.outcome(acts.amend(world, carnet_id, pin_keys, version=3)) is Outcome.STALE_VERSION
    assert world.outcome(acts.amend(world, carnet_id, pin_keys, valid_until=TODAY + 365)) is Outcome.VALIDITY_WRONG
    assert world.outcome(acts.amend(world, carnet_id, pin_keys, box_p=("ZZ",))) is Outcome.TERRITORY_UNKNOWN
    assert world.outcome(acts.amend(world, carnet_id, pin_keys, valid_until=TODAY + 364)) is Outcome.ACCEPTED
    world.now += DAY
    late = acts.amend(world, carnet_id, pin_keys, version=3, valid_until=TODAY + 200)
    assert world.outcome(late) is Outcome.AMEND_CLOSED


@pytest.mark.rule("N-02")
@pytest.mark.rule("ACC-27")
def test_the_first_transaction_locks_even_a_pre_exportation(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(home="EU", box_p=("CH",)), pin_keys)
    validation, export = world.travel(held, (Kind.VALIDATION, "EU", "1"), (Kind.EXPORTATION, "EU", "1"))
    world.commit(validation, "DEBER")
    world.commit(export, "DEBER", kind=Kind.PRE_EXPORTATION)
    entry = acts.amend(world, held.carnet_id, pin_keys, home="EU")
    assert world.outcome(entry) is Outcome.AMEND_CLOSED


# -- sets, block, cancel, discharge


@pytest.mark.rule("CORE-05")
@pytest.mark.rule("U7")
def test_sets_are_added_on_the_road(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(sets={SetKind.EXPORT: 1}), pin_keys)
    world.travel(held, OUT[0], OUT[1])
    entry, _ = world.prepare(held, OUT[1])
    assert world.outcome(entry) is Outcome.NO_SETS_LEFT
    assert acts.by_issuer(world, AddSets(held.carnet_id, {SetKind.EXPORT: 2})) is Outcome.ACCEPTED
    world.travel(held, OUT[1])
    assert world.state(held.carnet_id).sets[SetKind.EXPORT].issued == 3


@pytest.mark.rule("CORE-05")
def test_no_sets_for_a_carnet_that_is_over(world: World, tickets: list[Ticket]) -> None:
    body = AddSets(carnet_of(tickets), {SetKind.EXPORT: 1})
    acts.by_issuer(world, Block(carnet_of(tickets)))
    assert acts.by_issuer(world, body) is Outcome.CARNET_BLOCKED
    acts.by_issuer(world, Unblock(carnet_of(tickets)))
    world.now += 31 * DAY
    assert acts.by_issuer(world, body) is Outcome.CARNET_EXPIRED


def test_a_blocked_carnet_only_returns_and_with_a_controller(world: World, tickets: list[Ticket]) -> None:
    """Domain §2.1: no new transaction, except returns that a controller countersigns."""
    for ticket, office in zip(tickets[:3], ("CHZRH", "CHZRH", "DEBER"), strict=True):
        world.commit(ticket, office)
    assert acts.by_issuer(world, Block(carnet_of(tickets))) is Outcome.ACCEPTED
    assert acts.by_issuer(world, Block(carnet_of(tickets))) is Outcome.NOT_BLOCKED
    assert world.commit(tickets[3], "DEBER") is Outcome.CARNET_BLOCKED
    controller = world.desk("DEBER", Role.CONTROLLER)
    assert world.commit(tickets[3], "DEBER", controller=controller) is Outcome.ACCEPTED
    assert acts.by_issuer(world, Unblock(carnet_of(tickets))) is Outcome.ACCEPTED
    assert acts.by_issuer(world, Unblock(carnet_of(tickets))) is Outcome.NOT_BLOCKED
    assert world.commit(tickets[4]) is Outcome.ACCEPTED


def test_a_countersignature_is_a_live_controllers_of_the_same_office(world: World, tickets: list[Ticket]) -> None:
    for ticket, office in zip(tickets[:3], ("CHZRH", "CHZRH", "DEBER"), strict=True):
        world.commit(ticket, office)
    acts.by_issuer(world, Block(carnet_of(tickets)))
    for wrong in (world.desk("FRLYS", Role.CONTROLLER), world.desk("DEBER", Role.OFFICER)):
        assert world.commit(tickets[3], "DEBER", controller=wrong) is Outcome.CARNET_BLOCKED


def test_an_unused_carnet_is_cancelled_and_gone(world: World, tickets: list[Ticket], pin_keys: CodeKeys) -> None:
    assert acts.by_issuer(world, CancelCarnet(carnet_of(tickets))) is Outcome.ACCEPTED
    assert world.commit(tickets[0]) is Outcome.CARNET_CANCELLED
    assert world.outcome(world.prepare(tickets[0].holding, OUT[0])[0]) is Outcome.CARNET_CANCELLED
    assert acts.by_issuer(world, AddSets(carnet_of(tickets), {})) is Outcome.CARNET_CANCELLED
    assert world.outcome(acts.amend(world, carnet_of(tickets), pin_keys)) is Outcome.CARNET_CANCELLED


def test_a_used_carnet_is_not_cancelled(world: World, tickets: list[Ticket]) -> None:
    world.commit(tickets[0])
    assert acts.by_issuer(world, CancelCarnet(carnet_of(tickets))) is Outcome.CARNET_IN_USE


@pytest.mark.rule("NICS-05")
@pytest.mark.rule("APP-27")
def test_discharge_counts_what_is_unused_and_blocks_in_one_call(world: World, tickets: list[Ticket]) -> None:
    world.commit(tickets[0])
    world.commit(tickets[1])
    assert world.outcome(acts.ask(world, tickets[0].holding)) is Outcome.ACCEPTED
    entry = make(world.ledger, Discharge(carnet_of(tickets)), world.stamp, (world.issuer.sign,))
    _, number, carnet_id, counts, prepared, blocked = world.public(world.must(entry))
    assert (carnet_id, prepared, blocked, number[:2]) == (carnet_of(tickets), 3, True, "CH")
    assert counts == [[1, 8], [2, 9], [3, 9], [4, 9], [5, 9]]
    assert world.state(carnet_id).status is Status.TERMINATED
    assert world.commit(tickets[2], "DEBER") is Outcome.CARNET_TERMINATED
    assert world.outcome(world.prepare(tickets[0].holding, OUT[0])[0]) is Outcome.CARNET_TERMINATED
    assert acts.by_issuer(world, Discharge(carnet_of(tickets))) is Outcome.CARNET_TERMINATED
    assert world.outcome(acts.ask(world, tickets[0].holding)) is Outcome.CARNET_TERMINATED


def test_only_its_issuer_changes_a_carnet(world: World, tickets: list[Ticket]) -> None:
    body = Block(carnet_of(tickets))
    assert acts.by_party(world, "CH", body) is Outcome.ROLE_FORBIDDEN
    assert acts.by_issuer(world, Block(99_999)) is Outcome.CARNET_NOT_FOUND


@pytest.mark.rule("ACC-29")
@pytest.mark.rule("ACC-40")
def test_hard_blocks_are_told_in_the_domains_order(world: World, pin_keys: CodeKeys) -> None:
    """Domain §2.2: everything is wrong at once; each thing mended, the next one in the list is named."""
    held = world.hold(world.issue(box_p=("EU", "XP"), items=20), pin_keys)
    [validation, first, used, wrong] = world.travel(
        held, (Kind.VALIDATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1"), (Kind.IMPORTATION, "EU", "2"),
        (Kind.IMPORTATION, "XP", "3"),
    )  # fmt: skip
    carnet_id, late = held.carnet_id, world.now + 40 * DAY

    def told(ticket: Ticket, office: str = "DEBER") -> Outcome:
        return world.commit(ticket, office)

    world.must(acts.hold(world, carnet_id, "DEBER"))
    acts.by_issuer(world, Block(carnet_id))
    now, world.now = world.now, late
    assert told(first) is Outcome.CARNET_BLOCKED  # and held, expired, not validated
    world.now = now
    acts.by_issuer(world, Unblock(carnet_id))
    world.now = late
    assert told(first) is Outcome.HELD_IN_TERRITORY  # and expired, not validated
    world.must(acts.release(world, carnet_id, "DEBER"))
    assert told(first) is Outcome.CARNET_EXPIRED  # and not validated
    assert told(wrong) is Outcome.CARNET_EXPIRED  # and another territory's voucher
    world.now = now
    assert told(first, "USJFK") is Outcome.TERRITORY_NOT_IN_BOX_P  # and another territory's voucher
    assert told(wrong) is Outcome.WRONG_TERRITORY_FOR_TYPE  # and not validated
    assert told(first) is Outcome.NOT_VALIDATED
    world.must(acts.amend(world, carnet_id, pin_keys, box_p=("EU", "XP")))
    assert told(first) is Outcome.NOT_VALIDATED  # and not signed, an old content version
    signed = replace(held, content_version=2)
    assert told(validation, "CHZRH") is Outcome.NOT_SIGNED  # and an old content version
    world.must(devices.sign_again(signed, pin_keys.wrap, world.stamp))
    assert told(validation, "CHZRH") is Outcome.STALE_VERSION
    [validation, first] = world.travel(signed, (Kind.VALIDATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1"))
    assert told(validation, "CHZRH") is Outcome.ACCEPTED
    assert world.commit(first, "DEBER", desk=replace(world.desk("FRLYS"), office="DEBER")) is Outcome.OFFICE_INACTIVE
    assert told(first) is Outcome.ACCEPTED
    acts.by_issuer(world, Discharge(carnet_id))
    assert told(first) is Outcome.CODE_CONSUMED  # before the carnet's own state
    assert told(used) is Outcome.CARNET_TERMINATED  # and blocked, by the discharge


# -- links


@pytest.mark.rule("CORE-06")
@pytest.mark.rule("ACC-REPL")
@pytest.mark.rule("D8")
def test_a_replacement_is_linked_and_hands_over_in_order(world: World, pin_keys: CodeKeys) -> None:
    """Home: validate and export the new, re-import the old; abroad: import the new, re-export the old; then home."""
    original = world.hold(world.issue(), pin_keys)
    old = world.travel(original, *OUT, *BACK)
    for ticket, office in zip(old[:3], ("CHZRH", "CHZRH", "DEBER"), strict=True):
        assert world.commit(ticket, office) is Outcome.ACCEPTED
    links = ((int(OrderType.REPLACEMENT), original.carnet_id),)
    issued = world.issue(order=OrderType.REPLACEMENT, links=links, valid_until=TODAY + 364)
    assert linked(world, original.carnet_id, OrderType.REPLACEMENT, REPLACED_BY) == (issued.carnet_id,)
    assert linked(world, issued.carnet_id, OrderType.REPLACEMENT, REPLACES) == (original.carnet_id,)
    new = world.travel(world.hold(issued, pin_keys), *OUT, *BACK)
    steps = [(new[0], "CHZRH"), (new[1], "CHZRH"), (old[4], "CHZRH"), (new[2], "DEBER"), (old[3], "DEBER"),
             (new[3], "DEBER"), (new[4], "CHZRH")]  # fmt: skip
    for ticket, office in steps:
        assert world.commit(ticket, office) is Outcome.ACCEPTED, ticket.wish
    assert world.goods(original.carnet_id).balances.settled
    assert world.goods(issued.carnet_id).balances.settled


def test_without_a_replacement_a_return_before_the_re_export_warns(world: World, tickets: list[Ticket]) -> None:
    for ticket, office in zip(tickets[:3], ("CHZRH", "CHZRH", "DEBER"), strict=True):
        world.commit(ticket, office)
    assert world.commit(tickets[4]) is Outcome.REASON_REQUIRED
    assert world.commit(tickets[4], acknowledged=(Warning.REEXPORTATION_MISSING,)) is Outcome.ACCEPTED


@pytest.mark.rule("ACC-REPL")
def test_a_carnet_is_replaced_once_while_used_and_valid(world: World, tickets: list[Ticket]) -> None:
    links = ((int(OrderType.REPLACEMENT), carnet_of(tickets)),)

    def replace_it(**changes: Any) -> Outcome:
        order = world.order(order=OrderType.REPLACEMENT, links=links, valid_until=TODAY + 60, **changes)
        issued = issuing.issue(world.ledger, world.issuer, order, world.pool + world.serial, world.pool, world.stamp)
        return world.outcome(issued.entry)

    assert replace_it() is Outcome.NOT_REPLACEABLE  # not used yet
    world.commit(tickets[0])
    assert replace_it(home="EU") is Outcome.LINK_WRONG
    assert replace_it() is Outcome.ACCEPTED
    assert replace_it() is Outcome.NOT_REPLACEABLE  # once
    world.now += 31 * DAY
    assert replace_it() is Outcome.NOT_REPLACEABLE  # expired


@pytest.mark.rule("NICS-08")
@pytest.mark.rule("OBJ-07")
def test_twins_are_cross_referenced_and_a_clone_has_one_number(world: World, pin_keys: CodeKeys) -> None:
    paper = world.issue(sets={})
    twin = world.issue(order=OrderType.TWIN, links=((int(OrderType.TWIN), paper.carnet_id),))
    assert linked(world, paper.carnet_id, OrderType.TWIN, REPLACED_BY) == (twin.carnet_id,)
    clone = world.issue(order=OrderType.CLONE)
    found = world.fact(Carnet, clone.carnet_id)
    assert isinstance(found, Carnet)
    assert found.order is OrderType.CLONE


@pytest.mark.parametrize(
    ("order", "links"),
    [(OrderType.ORIGINAL, ((3, 883),)), (OrderType.CLONE, ((4, 883),)), (OrderType.TWIN, ()),
     (OrderType.TWIN, ((2, 883),)), (OrderType.TWIN, ((3, 99_999),))],
)  # fmt: skip
def test_links_fit_the_order_type(
    world: World, pin_keys: CodeKeys, order: OrderType, links: tuple[tuple[int, int], ...]
) -> None:
    world.issue()
    asked = world.order(order=order, links=links)
    issued = issuing.issue(world.ledger, world.issuer, asked, world.pool + 50, world.pool, world.stamp)
    assert world.outcome(issued.entry) is Outcome.LINK_WRONG


@pytest.mark.rule("CORE-07")
def test_a_paper_only_carnet_has_a_record_and_no_digital_sets(world: World, pin_keys: CodeKeys) -> None:
    """Its record exists; nothing but activation can be prepared on it."""
    held = world.hold(world.issue(home="US", box_p=("XP",), sets={}), pin_keys)
    entry, _ = world.prepare(held, (Kind.EXPORTATION, "US", "1"))
    assert world.outcome(entry) is Outcome.NO_SETS_LEFT


def test_voucher_sets_are_data_by_type_and_home(world: World, pin_keys: CodeKeys) -> None:
    """Domain §3.1: US-issued carnets have no yellow vouchers; CPD China–Taiwan has a grey transit."""
    whites = {SetKind.IMPORT: "white", SetKind.REEXPORT: "white", SetKind.TRANSIT: "blue"}
    body = VoucherSets(CarnetType.ATA, "US", "green", whites, TODAY)
    assert acts.by_operations(world, body) is Outcome.ACCEPTED
    order = world.order(home="US", box_p=("EU",), sets={SetKind.EXPORT: 1})
    issued = issuing.issue(world.ledger, world.issuer, order, world.pool + 60, world.pool, world.stamp)
    assert world.outcome(issued.entry) is Outcome.SETS_NOT_OF_TYPE
    american = world.issue(home="US", box_p=("EU",), sets={SetKind.IMPORT: 1})
    assert acts.by_issuer(world, AddSets(american.carnet_id, {SetKind.EXPORT: 1})) is Outcome.SETS_NOT_OF_TYPE
    world.issue(sets={SetKind.EXPORT: 1})  # other homes have all sets


# -- test and legal


@pytest.mark.rule("GTP-16")
def test_before_its_digital_date_a_territorys_transactions_are_tests(world: World, pin_keys: CodeKeys) -> None:
    """TEST until the digital date of the territory, LEGAL from that day on."""
    held = world.hold(world.issue(home="US", box_p=("EU", "XP")), pin_keys)
    first, second = world.travel(held, (Kind.IMPORTATION, "EU", "1"), (Kind.EXPORTATION, "US", "2"))
    world.commit(first, "DEBER")
    world.commit(second, "USJFK")
    assert [Flag.TEST in row.flags for row in acts.rows(world, held.carnet_id)] == [False, True]


def test_no_counter_grows_beyond_what_state_can_hold(world: World, pin_keys: CodeKeys) -> None:
    """65,535 sets of a kind are the most: a fact that could not be read again would stop every replica."""
    held = world.hold(world.issue(sets={SetKind.EXPORT: 65_535}), pin_keys)
    assert acts.by_issuer(world, AddSets(held.carnet_id, {SetKind.EXPORT: 1})) is Outcome.TOO_MANY
    assert acts.by_issuer(world, AddSets(held.carnet_id, {SetKind.IMPORT: 1})) is Outcome.ACCEPTED


@pytest.mark.rule("ACC-REPL")
def test_a_replacement_that_was_cancelled_leaves_the_original_as_it_was(world: World, tickets: list[Ticket]) -> None:
    for ticket, office in zip(tickets[:3], ("CHZRH", "CHZRH", "DEBER"), strict=True):
        world.commit(ticket, office)
    links = ((int(OrderType.REPLACEMENT), carnet_of(tickets)),)
    first = world.issue(order=OrderType.REPLACEMENT, links=links)
    acts.by_issuer(world, CancelCarnet(first.carnet_id))
    assert world.commit(tickets[4]) is Outcome.REASON_REQUIRED
    world.issue(order=OrderType.REPLACEMENT, links=links)
    assert world.commit(tickets[4]) is Outcome.ACCEPTED
