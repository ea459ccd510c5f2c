"""H7, H9. The attacker has one desk of a territory, or a controller's whose shift ended weeks ago, and wants goods to stand at the
border for ever, or a hold of today to be gone."""

from dataclasses import replace

import pytest
from eata_clients.authoring import deciding
from eata_ledger.carnet.dates import DAY, HOUR
from eata_ledger.carnet.vocabulary import Kind, Role
from eata_ledger.facts import key_of
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.budgets import ADMINISTRATION
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.state import Spent

from tests import acts
from tests.world import Ticket, World

pytestmark = pytest.mark.rule("ACC-40")
OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))


@pytest.fixture
def tickets(world: World, pin_keys: CodeKeys) -> list[Ticket]:
    """In Berlin's and Lyon's reach: validated and exported, the import is next."""
    made = world.travel(world.hold(world.issue(), pin_keys), *OUT)
    for ticket in made[:2]:
        assert world.commit(ticket) is Outcome.ACCEPTED
    return made


def carnet_of(tickets: list[Ticket]) -> int:
    return tickets[0].holding.carnet_id


@pytest.mark.parametrize("role", [Role.CONTROLLER, Role.ADMIN, Role.OFFICER])
def test_a_desk_whose_shift_ended_weeks_ago_neither_holds_nor_releases(
    world: World, tickets: list[Ticket], role: Role
) -> None:
    """Its key signs a time inside its certificate and an end of today."""
    stolen, here = world.desk("FRLYS", role), acts.own(world, "FRLYS")
    then = replace(acts.stamp(world, "FRLYS"), time=world.now + HOUR, life=60 * DAY)
    world.now += 20 * DAY
    held = deciding.hold(world.ledger, stolen, carnet_of(tickets), "mine", here, then)
    assert world.outcome(held) is Outcome.COUNTERSIGN_NEEDED
    world.must(acts.hold(world, carnet_of(tickets), "FRLYS"))
    released = deciding.release(world.ledger, stolen, carnet_of(tickets), "mine", here, then)
    assert world.outcome(released) is Outcome.COUNTERSIGN_NEEDED
    assert acts.held_in(world, "EU", carnet_of(tickets))


def test_what_was_released_was_held_then(world: World, tickets: list[Ticket]) -> None:
    """A live controller dates its release before the hold."""
    controller, here = world.desk("FRLYS", Role.CONTROLLER), acts.own(world, "FRLYS")
    before = replace(acts.stamp(world, "FRLYS"), life=DAY)
    world.now += 2 * HOUR
    world.must(acts.hold(world, carnet_of(tickets), "DEBER"))
    entry = deciding.release(world.ledger, controller, carnet_of(tickets), "mine", here, before)
    assert world.outcome(entry) is Outcome.EVENT_TIME_WRONG


def test_a_spent_budget_keeps_nobody_from_releasing(world: World, tickets: list[Ticket]) -> None:
    """One officer of Berlin writes until Germany's budget is gone, and leaves the carnet held."""
    world.facts[int(Spent.FAMILY), key_of(carnet_of(tickets), "DE")] = Spent(ADMINISTRATION.entries - 1, 0).to_bytes()
    world.must(acts.hold(world, carnet_of(tickets), "DEBER"))
    assert world.commit(tickets[2], "FRLYS") is Outcome.HELD_IN_TERRITORY
    world.must(acts.release(world, carnet_of(tickets), "DEBER"))
    assert world.outcome(acts.hold(world, carnet_of(tickets), "DEBER")) is Outcome.BUDGET_SPENT
    world.must(acts.hold(world, carnet_of(tickets), "FRLYS"))
    world.must(acts.release(world, carnet_of(tickets), "FRLYS"))
    assert world.commit(tickets[2], "FRLYS") is Outcome.ACCEPTED
