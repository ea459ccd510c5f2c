"""H7. The attacker has an enrolled device, a desk or an issuer's key, and writes about one carnet without end: every node keeps
every byte. The same for H13: rubbish where a repair would have to go."""

import pytest
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.log.bodies import Block, Unblock
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.budgets import BUDGETS, EDITS
from eata_ledger.rules.keeping import MOST_REPAIRS
from eata_ledger.seal.codes import CodeKeys

from tests import acts
from tests.unit.test_budgets import edit
from tests.world import Ticket, World

pytestmark = pytest.mark.rule("OBJ-05")


@pytest.fixture
def tickets(world: World, pin_keys: CodeKeys) -> list[Ticket]:
    return world.travel(world.hold(world.issue(), pin_keys), (Kind.VALIDATION, "CH", "1-20"))


def test_edits_end(world: World, tickets: list[Ticket]) -> None:
    """Edited until nothing is taken any more; everything that comes after is refused and adds nothing but its outcome."""
    outcomes = [world.outcome(edit(world, tickets)) for _ in range(BUDGETS[EDITS].entries + 5)]
    assert outcomes == [Outcome.ACCEPTED] * BUDGETS[EDITS].entries + [Outcome.BUDGET_SPENT] * 5
    assert world.commit(tickets[0]) is Outcome.ACCEPTED


def test_blocks_end(world: World, tickets: list[Ticket]) -> None:
    carnet_id, taken = tickets[0].holding.carnet_id, 0
    while acts.by_issuer(world, Block(carnet_id) if taken % 2 == 0 else Unblock(carnet_id)) is Outcome.ACCEPTED:
        taken += 1
    assert taken == BUDGETS["issuer"].entries


def test_rubbish_does_not_keep_the_owner_from_mending(world: World, tickets: list[Ticket]) -> None:
    """H13: a desk of the territory adds stanzas that open nothing until it may add no more; the holder's still goes in."""
    world.commit(tickets[0])
    index = acts.rows(world, tickets[0].holding.carnet_id)[0].index
    rubbish = [world.outcome(acts.rubbish(world, tickets[0], index)) for _ in range(MOST_REPAIRS + 1)]
    assert rubbish == [Outcome.ACCEPTED] * MOST_REPAIRS + [Outcome.BUDGET_SPENT]
    assert world.outcome(acts.repair(world, tickets[0], index)) is Outcome.ACCEPTED
