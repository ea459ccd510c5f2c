"""H11. The attacker takes signatures off a decision of the root and has the rest logged first, so that the whole one is known."""

import os

import pytest
from eata_clients.authoring import rooting
from eata_ledger.apply import Applied
from eata_ledger.log import bodies
from eata_ledger.log.bodies import Body
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome, Skipped

from tests.unit.test_root import five, fresh_node, keepers, signed
from tests.world import World

__all__ = ["five"]

NEW = keepers()
DECISIONS: list[tuple[Body, list[SigningKey]]] = [
    (bodies.RegisterNode(2, fresh_node().record), []), (bodies.RemoveNode(2, "tokyo"), []),
    (bodies.RotateOperations(2, SigningKey(os.urandom(32)).public), []),
    (bodies.RotateRoot(2, tuple(key.public for key in NEW), 3), NEW[:3]), (bodies.ActivateRules(9), []),
]  # fmt: skip


@pytest.mark.parametrize(("body", "also"), DECISIONS, ids=lambda value: type(value).__name__)
def test_a_stripped_decision_leaves_nothing_in_the_way_of_the_whole_one(
    world: World, five: list[SigningKey], body: Body, also: list[SigningKey]
) -> None:
    whole, size = signed(world, body, *five[:3], *also), len(world.leaves)
    world.announced = 9
    for kept in range(1, len(whole.signatures)):
        stripped = Entry(whole.header, whole.signatures[:kept], ())
        with pytest.raises(Skipped, match="THRESHOLD_MISSED"):
            world.submit(stripped)
    assert len(world.leaves) == size
    found = world.submit(whole)
    assert isinstance(found, Applied)
    assert found.outcome is Outcome.ACCEPTED


def test_a_stranger_who_signs_last_takes_no_keepers_place(world: World, five: list[SigningKey]) -> None:
    """Eight signatures are the most an entry has: void ones beside good ones change nothing."""
    decision = signed(world, bodies.RemoveNode(2, "tokyo"), *five[:3])
    for _ in range(5):
        decision = rooting.countersign(decision, SigningKey(os.urandom(32)))
    assert world.outcome(decision) is Outcome.ACCEPTED
