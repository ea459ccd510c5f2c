"""The table of docs/budgets.md at its boundaries: the last entry that fits, and the first that does not."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from eata_clients.authoring import holding
from eata_clients.authoring.entries import make
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.encoding import sha256
from eata_ledger.facts import key_of
from eata_ledger.log.bodies import AddSets, Block, Commit, EditTravel, Travel, Unblock
from eata_ledger.log.declared import Declared, declare
from eata_ledger.log.entry import Entry, Part
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.act import LONGEST
from eata_ledger.rules.budgets import ADMINISTRATION, BUDGETS, EDITS, HOLDER, MIB, Budget
from eata_ledger.rules.keeping import MOST_REPAIRS
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.state import Repaired, Spent

from tests import acts
from tests.world import Ticket, World

TABLE = Path(__file__).parents[2] / "docs" / "budgets.md"
OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"))


@pytest.fixture
def tickets(world: World, pin_keys: CodeKeys) -> list[Ticket]:
    return world.travel(world.hold(world.issue(), pin_keys), *OUT)


def edit(world: World, tickets: list[Ticket]) -> Entry:
    body = next(e for e, _ in reversed(world.history) if e.header.parts and e.header.parts[0].label is Label.DECLARED)
    wishes = tuple(ticket.wish for ticket in tickets)
    parts = [p for t, w in zip(tickets, wishes, strict=True)
             for p in holding.declare(t.holding, t.slot, w, t.keys, t.cancel.public)]  # fmt: skip
    travel_id = body.header.body.travel_id  # type: ignore[attr-defined]
    held = tickets[0].holding
    return make(world.ledger, EditTravel(held.carnet_id, travel_id), world.stamp, (held.device,), tuple(parts))


def ask(world: World, tickets: list[Ticket]) -> Entry:
    return acts.ask(world, tickets[0].holding)


def add_sets(world: World, tickets: list[Ticket]) -> Entry:
    body = AddSets(tickets[0].holding.carnet_id, {})
    return make(world.ledger, body, world.stamp, (world.issuer.sign,))


def hold(world: World, tickets: list[Ticket]) -> Entry:
    return acts.hold(world, tickets[0].holding.carnet_id)


Making = Callable[[World, list[Ticket]], Entry]
EACH: list[tuple[str, Making, Budget]] = [
    (EDITS, edit, BUDGETS[EDITS]), (HOLDER, ask, BUDGETS[HOLDER]), ("issuer", add_sets, BUDGETS["issuer"]),
    ("CH", hold, ADMINISTRATION),
]  # fmt: skip


@pytest.mark.parametrize(("who", "made", "budget"), EACH, ids=[who for who, _, _ in EACH])
@pytest.mark.parametrize("what", ["entries", "size"])
def test_the_last_that_fits_is_taken_and_the_next_is_not(
    world: World, tickets: list[Ticket], who: str, made: Making, budget: Budget, what: str
) -> None:
    carnet_id, entry = tickets[0].holding.carnet_id, made(world, tickets)
    earlier = Spent(budget.entries - 1, 0) if what == "entries" else Spent(0, budget.size - entry.size)
    family = int(Spent.FAMILY)
    world.facts[family, key_of(carnet_id, who)] = replace(
        earlier, entries=earlier.entries + 1, size=earlier.size + 1
    ).to_bytes()
    assert world.outcome(made(world, tickets)) is Outcome.BUDGET_SPENT
    world.facts[family, key_of(carnet_id, who)] = earlier.to_bytes()
    assert world.outcome(entry) is Outcome.ACCEPTED
    assert world.fact(Spent, carnet_id, who) == Spent(earlier.entries + 1, earlier.size + entry.size)


def test_one_partys_spent_budget_is_nobody_elses(world: World, tickets: list[Ticket]) -> None:
    """The holder's edits are spent: Customs commits, the issuer blocks, the holder prepares and tells."""
    carnet_id = tickets[0].holding.carnet_id
    world.facts[int(Spent.FAMILY), key_of(carnet_id, EDITS)] = Spent(BUDGETS[EDITS].entries, 0).to_bytes()
    assert world.outcome(edit(world, tickets)) is Outcome.BUDGET_SPENT
    assert world.outcome(ask(world, tickets)) is Outcome.ACCEPTED
    assert world.travel(tickets[0].holding, OUT[1])
    assert world.commit(tickets[0]) is Outcome.ACCEPTED
    assert acts.by_issuer(world, Block(carnet_id)) is Outcome.ACCEPTED
    assert acts.by_issuer(world, Unblock(carnet_id)) is Outcome.ACCEPTED


@pytest.mark.parametrize("label", [Label.DECLARATION, Label.PACKET, Label.COUNTERFOIL, Label.REMARKS])
def test_a_part_has_its_longest_length(world: World, tickets: list[Ticket], label: Label) -> None:
    """Of a voucher's and a commit's parts: one byte more is refused, before anything is written."""
    for length, expected in ((LONGEST[label], Outcome.ACCEPTED), (LONGEST[label] + 1, Outcome.PART_TOO_LARGE)):
        assert world.outcome(_with(world, tickets, label, length)) is expected


def _with(world: World, tickets: list[Ticket], label: Label, length: int) -> Entry:
    """A travel or a commit of which one part is so long."""
    held = tickets[0].holding
    if label in (Label.COUNTERFOIL, Label.REMARKS):
        [fresh] = world.travel(held, (Kind.VALIDATION, "CH", "1-20"))
        if world.state(held.carnet_id).rows:
            [fresh] = world.travel(held, (Kind.EXPORTATION, "CH", "1-20"))
        entry, desk = world.commit_entry(fresh), world.desk()
        parts = tuple(
            _part(info, value, label, length) for info, value in zip(entry.header.parts, entry.parts, strict=True)
        )
        assert isinstance(entry.header.body, Commit)
        body = replace(entry.header.body, certificate=desk.certificate)
        return make(world.ledger, body, acts.stamp(world, "CHZRH"), (desk.key, fresh.keys.sign), parts)
    return _declared(world, tickets, label, length)


def _part(info: object, value: bytes, label: Label, length: int) -> Part:
    found = Part(info.label, info.slot, value, info.recipient)  # type: ignore[attr-defined]
    return replace(found, value=bytes(length)) if found.label is label else found


def _declared(world: World, tickets: list[Ticket], label: Label, length: int) -> Entry:
    """A travel of one voucher, declared over a part of that length."""
    held, key = tickets[0].holding, CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
    slot = world.state(held.carnet_id).next_slot
    made = holding.declare(held, slot, tickets[1].wish, key, SigningKey(os.urandom(32)).public)
    first, *sealed = (replace(p, value=bytes(length)) if p.label is label else p for p in made)
    digests = (sha256(sealed[0].value), sha256(sealed[1].value))
    declaration = Declared.from_part(first.value).declaration
    again = declare(world.ledger, held.carnet_id, declaration, key.sign, digests, os.urandom(16))
    parts = (replace(first, value=again.to_part()), *sealed)
    return make(world.ledger, Travel(held.carnet_id, os.urandom(16)), world.stamp, (held.device,), parts)


def test_every_label_has_its_longest_length_and_the_table_says_it() -> None:
    """docs/budgets.md and the code are one."""
    text = TABLE.read_text(encoding="utf-8")
    assert set(LONGEST) == set(Label)
    for label, length in LONGEST.items():
        assert re.search(rf"\| {label.name.lower().replace('_', ' ')} \| {length:,} \|", text), label.name
    for who, budget in {**BUDGETS, "administration": ADMINISTRATION}.items():
        assert re.search(rf"\| {who}[^|]*\|[^|]*\| {budget.entries:,} \| {budget.size // MIB} MiB \|", text), who


def test_a_repair_is_not_refused_for_anothers_rubbish(world: World, tickets: list[Ticket]) -> None:
    """H13: sixteen by one party are that party's; the next one by another is taken."""
    world.commit(tickets[0])
    carnet_id = tickets[0].holding.carnet_id
    index = acts.rows(world, carnet_id)[0].index
    full = Repaired(tuple(range(MOST_REPAIRS))).to_bytes()
    for who in ("issuer", "CH"):
        world.facts[int(Repaired.FAMILY), key_of(carnet_id, index, who)] = full
    assert world.outcome(acts.repair(world, tickets[0], index)) is Outcome.ACCEPTED
    world.facts[int(Repaired.FAMILY), key_of(carnet_id, index, HOLDER)] = full
    assert world.outcome(acts.repair(world, tickets[0], index)) is Outcome.BUDGET_SPENT
