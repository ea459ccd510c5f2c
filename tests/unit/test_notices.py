"""Pre-notifications, what a holder says of a transaction, and what it asks of the issuer."""

from dataclasses import replace

import pytest
from eata_clients.authoring import telling
from eata_clients.authoring.content import NoticeDetails, Remarks, Stamp
from eata_clients.authoring.entries import make
from eata_clients.authoring.telling import notice_key
from eata_ledger.carnet.vocabulary import AskKind, Kind, Label, NoticeKind, NoticeState, Role
from eata_ledger.log.bodies import Disagree, EntryType, Notify, RegisterOffice
from eata_ledger.log.entry import Entry, Part
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.notices import MOST_SAID
from eata_ledger.seal.aead import CannotOpen, Context, unseal
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import Keys
from eata_ledger.state import Incident

from tests import acts
from tests.world import TODAY, Ticket, World


@pytest.fixture
def arrival(world: World, pin_keys: CodeKeys) -> Ticket:
    """A validated carnet with one import voucher for the EU."""
    held = world.hold(world.issue(), pin_keys)
    validation, arrival = world.travel(held, (Kind.VALIDATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))
    world.commit(validation)
    return arrival


def stanza(world: World, entry: Entry, ticket: Ticket) -> Keys:
    """What the EU's opener finds in the notice."""
    recipient = entry.header.parts[1].recipient
    assert recipient is not None
    place = Context(world.ledger, ticket.holding.carnet_id, Label.STANZA, ticket.slot)
    return world.territory_keys["EU"].open(place, recipient, entry.header.author, entry.parts[1])


@pytest.mark.rule("APP-20")
@pytest.mark.rule("ACC-43")
def test_a_notice_is_one_live_request_to_an_office_of_the_territory(world: World, arrival: Ticket) -> None:
    entry = telling.notify(
        arrival.holding, arrival.slot, "CHZRH", NoticeKind.PREDECLARATION, acts.DETAILS, world.live()["CH"], world.stamp
    )
    assert world.outcome(entry) is Outcome.OFFICE_INACTIVE
    assert world.outcome(acts.notify(world, arrival)) is Outcome.ACCEPTED
    assert world.outcome(acts.notify(world, arrival)) is Outcome.NOTICE_LIVE
    assert world.outcome(acts.withdraw(world, arrival)) is Outcome.ACCEPTED
    assert world.outcome(acts.withdraw(world, arrival)) is Outcome.NOTICE_DECIDED
    assert world.outcome(acts.notify(world, arrival)) is Outcome.ACCEPTED


def test_an_id_seen_on_its_way_cannot_be_used_up_on_another_carnet(
    world: World, arrival: Ticket, pin_keys: CodeKeys
) -> None:
    """A node sees the notice before it is ordered, and has a carnet of its own."""
    entry = acts.notify(world, arrival)
    assert isinstance(entry.header.body, Notify)
    held = world.hold(world.issue(), pin_keys)
    validation, mine = world.travel(held, (Kind.VALIDATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))
    world.commit(validation)
    theirs = acts.notify(world, mine)
    assert isinstance(theirs.header.body, Notify)
    body, blanks = replace(theirs.header.body, notice_id=entry.header.body.notice_id), theirs.header.parts
    parts = tuple(
        Part(info.label, info.slot, data, info.recipient) for info, data in zip(blanks, theirs.parts, strict=True)
    )
    world.must(make(world.ledger, body, world.stamp, (held.device,), parts))
    assert world.outcome(entry) is Outcome.ACCEPTED


@pytest.mark.rule("APP-20")
@pytest.mark.parametrize("kind", list(NoticeKind))
def test_without_details_the_office_opens_the_notice_alone(world: World, arrival: Ticket, kind: NoticeKind) -> None:
    """“Allow only pre-notification” hands over neither the carnet nor the declaration."""
    entry = acts.notify(world, arrival, kind=kind)
    world.must(entry)
    found = stanza(world, entry, arrival)
    assert found.extra is not None
    place = Context(world.ledger, arrival.holding.carnet_id, Label.NOTICE, arrival.slot)
    assert NoticeDetails.from_bytes(unseal(found.extra, place, entry.parts[0])) == acts.DETAILS
    shown = kind is not NoticeKind.NOTICE_NO_DETAILS
    assert (found.content is not None, found.leaf is not None, found.journal) == (shown, shown, None)


@pytest.mark.rule("ACC-44")
@pytest.mark.rule("APP-21")
def test_the_office_answers_once_and_the_holder_reads_it(world: World, arrival: Ticket) -> None:
    world.must(acts.notify(world, arrival))
    assert world.outcome(acts.answer(world, arrival, office="FRLYS")) is Outcome.ROLE_FORBIDDEN
    reply = acts.answer(world, arrival, acknowledged=False)
    assert world.outcome(reply) is Outcome.ACCEPTED
    notice = acts.notice_of(world, arrival)
    assert notice.state is NoticeState.REJECTED
    place = Context(world.ledger, arrival.holding.carnet_id, Label.ANSWER, arrival.slot)
    said = unseal(notice_key(arrival.holding, notice.notice_id, notice.slot), place, reply.parts[0])
    assert Remarks.from_bytes(said).remarks == "come to gate 3"
    assert world.outcome(acts.answer(world, arrival)) is Outcome.NOTICE_DECIDED
    assert world.outcome(acts.withdraw(world, arrival)) is Outcome.NOTICE_DECIDED


@pytest.mark.rule("ACC-44")
def test_a_controller_of_the_territory_answers_too(world: World, arrival: Ticket) -> None:
    world.must(acts.notify(world, arrival))
    controller = world.desk("FRLYS", Role.CONTROLLER)
    assert world.outcome(acts.answer(world, arrival, office="FRLYS", desk=controller)) is Outcome.ACCEPTED
    assert acts.notice_of(world, arrival).state is NoticeState.ACKNOWLEDGED


@pytest.mark.rule("C-13")
@pytest.mark.parametrize(
    ("kind", "ends"),
    [(NoticeKind.PREDECLARATION, NoticeState.COMMITTED), (NoticeKind.NOTICE_WITH_DETAILS, NoticeState.SENT)],
)
def test_only_a_pre_declaration_ends_with_its_commit(
    world: World, arrival: Ticket, kind: NoticeKind, ends: NoticeState
) -> None:
    """It is still a human who commits (domain §2.11)."""
    world.must(acts.notify(world, arrival, kind=kind))
    assert world.commit(arrival, "DEBER") is Outcome.ACCEPTED
    assert acts.notice_of(world, arrival).state is ends


def test_a_notice_is_for_a_voucher_that_is_open(world: World, arrival: Ticket) -> None:
    world.commit(arrival, "DEBER")
    assert world.outcome(acts.notify(world, arrival)) is Outcome.TRAVEL_UNKNOWN


def test_a_notice_of_another_carnet_is_unknown(world: World, arrival: Ticket, pin_keys: CodeKeys) -> None:
    world.must(acts.notify(world, arrival))
    other = world.hold(world.issue(), pin_keys)
    notice = acts.notice_of(world, arrival)
    assert world.outcome(telling.withdraw(other, notice.notice_id, "DEBER", world.stamp)) is Outcome.NOTICE_UNKNOWN
    assert world.outcome(telling.withdraw(other, notice.notice_id, "NOWHERE", world.stamp)) is Outcome.NOTICE_UNKNOWN


def test_an_office_that_closed_takes_no_notice(world: World, arrival: Ticket) -> None:
    """ACC-61: an office is closed by a later version of its record."""
    closed = RegisterOffice("DEBER", "DE", "EU", "Berlin", "Europe/Zurich", (120,), False, TODAY + 1)
    assert acts.by_party(world, "DE", closed) is Outcome.ACCEPTED
    assert world.outcome(acts.notify(world, arrival)) is Outcome.ACCEPTED  # still open today
    world.now += 24 * 3600 * 1000
    assert world.outcome(acts.answer(world, arrival)) is Outcome.OFFICE_INACTIVE


@pytest.mark.rule("U12")
def test_a_disagreement_is_bound_to_the_transaction_and_read_with_it(world: World, arrival: Ticket) -> None:
    """Sealed under the counterfoil's own key: whoever may read the row reads the note."""
    world.commit(arrival, "DEBER")
    row = acts.rows(world, arrival.holding.carnet_id)[-1]
    entry = acts.disagree(world, arrival, row.index)
    assert world.outcome(entry) is Outcome.ACCEPTED
    found = world.fact(Incident, arrival.holding.carnet_id, len(world.leaves) - 1)
    assert isinstance(found, Incident)
    assert (found.type, found.about, found.territory) == (EntryType.DISAGREE, row.index, "EU")
    place = Context(world.ledger, arrival.holding.carnet_id, Label.NOTE, arrival.slot)
    key = leaf_key(arrival.holding.journal(arrival.slot))
    assert Remarks.from_bytes(unseal(key, place, entry.parts[0])).remarks == "I showed 20 items"
    with pytest.raises(CannotOpen):
        unseal(leaf_key(arrival.holding.journal(arrival.slot + 1)), place, entry.parts[0])


def test_a_disagreement_names_a_transaction_of_the_carnet(world: World, arrival: Ticket) -> None:
    assert world.outcome(acts.disagree(world, arrival, 4)) is Outcome.TRANSACTION_UNKNOWN
    body = Disagree(arrival.holding.carnet_id, acts.rows(world, arrival.holding.carnet_id)[0].index)
    bare = make(world.ledger, body, world.stamp, (arrival.holding.device,))
    assert world.outcome(bare) is Outcome.STANZAS_WRONG


@pytest.mark.rule("APP-27")
def test_a_holder_asks_the_issuer(world: World, arrival: Ticket) -> None:
    entry = acts.ask(world, arrival.holding, AskKind.SETS, TRANSIT=2)
    facts = world.public(world.must(entry))
    assert facts[3:] == [int(AskKind.SETS), [[5, 2]]]


def test_a_pre_exportation_does_not_end_the_pre_declaration(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(home="EU", box_p=("CH",)), pin_keys)
    validation, export = world.travel(held, (Kind.VALIDATION, "EU", "1"), (Kind.EXPORTATION, "EU", "1"))
    world.commit(validation, "DEBER")
    world.must(acts.notify(world, export))
    world.commit(export, "DEBER", kind=Kind.PRE_EXPORTATION)
    assert acts.notice_of(world, export).state is NoticeState.SENT
    world.commit(export, "DEBER")
    assert acts.notice_of(world, export).state is NoticeState.COMMITTED


def test_a_notice_is_judged_by_log_time_not_by_the_holders_clock(world: World, arrival: Ticket) -> None:
    """A clock of the far future chooses neither the office's version nor a key nobody can open."""
    ahead = telling.notify(
        arrival.holding, arrival.slot, "DEBER", NoticeKind.PREDECLARATION, acts.DETAILS, None, Stamp(2**51)
    )
    assert world.outcome(ahead) is Outcome.STANZAS_WRONG


def test_what_a_holder_says_is_bounded_in_size_and_number(world: World, arrival: Ticket) -> None:
    """Every reader of the carnet gets it: a note stays short, and there is an end to notes."""
    row = acts.rows(world, arrival.holding.carnet_id)[0]
    long = telling.disagree(arrival.holding, row.index, row.slot, "ä" * 3_900, world.stamp)
    assert world.outcome(long) is Outcome.PART_TOO_LARGE
    for _ in range(MOST_SAID):
        world.must(acts.ask(world, arrival.holding))
    assert world.outcome(acts.ask(world, arrival.holding)) is Outcome.TOO_MANY
    assert world.outcome(acts.notify(world, arrival)) is Outcome.TOO_MANY
