"""What a position does before any entry: lanes, incarnations, log time, checkpoints."""

from dataclasses import replace

import pytest
from eata_ledger import order
from eata_ledger.log.group import NO_HASH, Group, GroupHeader, GroupKind
from eata_ledger.order import NodeState

from tests.world import NodeSeeds, World

MINUTE = 60_000


def group(world: World, seeds: NodeSeeds, state: NodeState, **changes: object) -> Group:
    """The node's next group in lane 0, as it should be, but for `changes`."""
    lane = state.lanes.get(0, order.EMPTY_LANE)
    header = GroupHeader(
        1, world.ledger, 1, GroupKind.ENTRIES, seeds.record.id, state.incarnation, 0, lane.n + 1, lane.hash,
        world.now, False, 0, 1, None, (),
    )  # fmt: skip
    header = replace(header, **changes)  # type: ignore[arg-type]
    return Group(header, header.to_bytes(), header.sign(seeds.group))


def test_an_opening_starts_an_incarnation_and_ends_the_older(world: World) -> None:
    state, nodes = order.start(world.genesis, 1)
    seeds = world.seeds[0]
    node = nodes[seeds.record.id]
    opening = group(world, seeds, node, kind=GroupKind.OPEN, incarnation=1)
    assert order.void_because(world.genesis, state, node, opening) == ""
    node = order.after_group(node, opening, void=False)
    assert order.void_because(world.genesis, state, node, group(world, seeds, node)) == ""
    stale = group(world, seeds, node, incarnation=0)
    assert "incarnation 0" in order.void_because(world.genesis, state, node, stale)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ledger": bytes(32)}, "of another log"),
        ({"era": 2}, "of another log"),
        ({"n": 2}, "not the lane's next group"),
        ({"previous": bytes(31) + b"\x01"}, "not the lane's next group"),
    ],
)
def test_a_group_out_of_place_is_void(world: World, changes: dict[str, object], why: str) -> None:
    state, nodes = order.start(world.genesis, 1)
    seeds = world.seeds[0]
    found = group(world, seeds, nodes[seeds.record.id], kind=GroupKind.OPEN, incarnation=1, **changes)
    assert order.void_because(world.genesis, state, nodes[seeds.record.id], found) == why


def test_a_group_signed_by_another_node_has_no_author(world: World) -> None:
    _, nodes = order.start(world.genesis, 1)
    mine, other = world.seeds[:2]
    forged = group(world, other, nodes[mine.record.id], node=mine.record.id)
    assert order.author(world.genesis.charter, nodes, forged) is None


def test_a_void_group_occupies_its_lane(world: World) -> None:
    """So the proposer goes on from what the engine holds."""
    _, nodes = order.start(world.genesis, 1)
    node = nodes[world.seeds[0].record.id]
    void = group(world, world.seeds[0], node, incarnation=9)
    after = order.after_group(node, void, void=True)
    assert (after.lanes[0].n, after.lanes[0].hash, after.void_groups) == (1, void.hash, 1)
    assert after.clock == node.clock
    assert void.hash != NO_HASH


def readings(world: World, *clocks: int) -> dict[bytes, NodeState]:
    _, nodes = order.start(world.genesis, 1)
    for (name, node), clock in zip(list(nodes.items()), clocks, strict=False):
        nodes[name] = replace(node, clock=world.now + clock)
    return nodes


def test_log_time_is_the_third_highest_reading_of_six(world: World) -> None:
    """Two wrong clocks can neither hold nor push it; it never runs back."""
    state, _ = order.start(world.genesis, 1)
    assert order.log_time(state, readings(world, 5, 7, 3, 1, 2, 4)) == world.now + 4
    far = 75 * 365 * 24 * 60 * MINUTE
    assert order.log_time(state, readings(world, far, 7, far, 1, 2, 4)) == world.now + 7
    assert order.log_time(state, readings(world, -far, 7, 3, -far, 2, 4)) == world.now + 3
    later = replace(state, log_time=world.now + 100)
    assert order.log_time(later, readings(world, 5, 7, 3, 1, 2, 4)) == world.now + 100


def test_with_two_nodes_alive_log_time_stands_still_and_says_so(world: World) -> None:
    state, _ = order.start(world.genesis, 1)
    nodes = readings(world, 10 * MINUTE, 10 * MINUTE, 0, 0, 0, 0)
    now = order.log_time(state, nodes)
    assert now == world.now
    alone = group(world, world.seeds[0], next(iter(nodes.values())), clock=world.now + 10 * MINUTE)
    assert order.stalled(now, alone)
    assert not order.stalled(now, group(world, world.seeds[0], next(iter(nodes.values()))))


def test_a_checkpoint_closes_when_quiet_each_second_and_each_64_groups(world: World) -> None:
    """A pure function of the log: grown, and empty or in a new log second or the 64th since."""
    base, _ = order.start(world.genesis, 1)
    grown = replace(base, size=3)
    assert order.end_of_group(base, base, empty=True)[1] is False
    assert order.end_of_group(grown, base, empty=True)[1] is True
    assert order.end_of_group(grown, base, empty=False)[1] is False
    second = replace(grown, log_time=(base.log_time // 1000 + 1) * 1000)
    closed, closes = order.end_of_group(second, base, empty=False)
    assert (closes, closed.checkpoint, closed.groups_since) == (True, 3, 0)
    state = base
    for n in range(1, 65):
        state, closes = order.end_of_group(replace(state, size=n), state, empty=False)
        assert closes is (n == 64)


def test_a_reading_that_its_node_doubts_does_not_count_and_is_heard_all_the_same(world: World) -> None:
    """Log time goes by the reading before it; peers see the clock itself, so that it can be right again."""
    nodes = order.start(world.genesis, 1)[1]
    node = nodes[world.seeds[0].record.id]
    doubted = group(world, world.seeds[0], node, clock=world.now + 10**12, doubted=True)
    after = order.after_group(node, doubted, void=False)
    assert after.clock == node.clock
    assert doubted.header.clock == world.now + 10**12
