"""H1. The attacker holds the clocks of fewer than half of the nodes and wants to end the ledger by pushing its time away."""

import itertools
import random
from dataclasses import replace

import pytest
from eata_ledger import order
from eata_ledger.log.bodies import Tick
from eata_ledger.log.genesis import Genesis
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.registry import due_day

from tests.world import START, NodeSeeds, World

YEAR, DAY = 365 * 86_400_000, 86_400_000


def sized(world: World, count: int) -> Genesis:
    """The same ledger with so many nodes."""
    seeds = [NodeSeeds(f"node-{n}", s.group, s.statement) for n, s in enumerate(fresh(count))]
    return replace(world.genesis, nodes=tuple(seed.record for seed in seeds))


def fresh(count: int) -> list[NodeSeeds]:
    return [seeds for _ in range((count + 5) // 6) for seeds in World().seeds][:count]


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 12, 16])
def test_fewer_than_half_of_the_clocks_move_nothing(world: World, seeded: random.Random, count: int) -> None:
    """Whatever the wrong ones say, log time is between two honest readings; in six, two may collude."""
    state, nodes = order.start(sized(world, count), 1)
    names, liars = list(nodes), (count - 1) // 2
    honest = {name: START + seeded.randrange(1_000, 9_000) for name in names[liars:]}
    for lies in itertools.product((-40 * YEAR, -1_000, YEAR, 70 * YEAR), repeat=2):
        told = {name: START + lies[n % 2] for n, name in enumerate(names[:liars])} | honest
        now = order.log_time(state, {name: replace(nodes[name], clock=told[name]) for name in names})
        assert min(honest.values()) <= now <= max(honest.values())


def test_a_year_ahead_is_set_right_by_the_root_and_the_day_goes_back(world: World) -> None:
    """Half of the clocks are more than the assumption bears: then an era with the right time repairs the ledger."""
    node = world.seeds[0]
    world.now = START + YEAR
    world.must(tick(world, node))
    expired = world.order()
    assert world.now > START + DAY
    charter = world.genesis.charter
    state, nodes = order.start_over(world.genesis, charter, 2, len(world.leaves), START)
    assert order.log_time(state, nodes) == START
    world.now = START + 3_600_000
    assert world.outcome(tick(world, node)) is Outcome.ACCEPTED
    assert expired.valid_until > due_day(world.now), "what was issued is valid again"


def tick(world: World, node: NodeSeeds):  # type: ignore[no-untyped-def]
    from eata_clients.authoring.entries import make

    return make(world.ledger, Tick(due_day(world.now)), world.stamp, (node.group,))
