"""H17. The attacker is a node, or anybody with a carnet's device: the one orders entries that never were, in groups as large as
may be; the other stores documents that nobody attaches, until the others' have no room."""

from dataclasses import replace
from pathlib import Path

import pytest
from eata_ledger import order
from eata_ledger.encoding import sha256
from eata_ledger.log.group import GroupKind
from eata_node.replica.blobs import OF_CARNET, OF_ISSUER, Blobs

from tests.unit.test_order import group
from tests.world import World

MIB = 1 << 20


def test_a_node_over_its_share_of_rubbish_is_heard_no_more(world: World) -> None:
    """1,000, and one in ten of what it brought: its groups are void from there on, unread; empty ones still tell its clock."""
    state, nodes = order.start(world.genesis, 1)
    seeds = world.seeds[0]
    honest = nodes[seeds.record.id]
    for entries, skipped, void in ((0, 1_000, False), (0, 1_001, True), (500, 1_050, False), (500, 1_051, True)):
        node = replace(honest, entries=entries, skipped_entries=skipped)
        flood = group(world, seeds, node, frames=(bytes(32),))
        why = order.void_because(world.genesis, state, node, flood)
        assert why == ("of a node that floods the log with entries that never were" if void else "")
        assert order.void_because(world.genesis, state, node, group(world, seeds, node)) == ""


def test_no_verdict_is_for_ever(world: World) -> None:
    """Whoever was made to order what was void by the time it came is heard again the next day."""
    _, nodes = order.start(world.genesis, 1)
    kid = world.seeds[0].record.id
    nodes[kid] = replace(nodes[kid], entries=5, skipped_entries=10**6)
    assert order.new_day(nodes)[kid].skipped_entries == 0


def test_the_others_are_not_meant(world: World) -> None:
    state, nodes = order.start(world.genesis, 1)
    mine, other = world.seeds[:2]
    nodes[mine.record.id] = replace(nodes[mine.record.id], skipped_entries=10**6)
    good = group(world, other, nodes[other.record.id], frames=(bytes(32),))
    assert order.void_because(world.genesis, state, nodes[other.record.id], good) == ""


def test_a_removed_flooder_begins_anew_with_a_new_key_only(world: World) -> None:
    """A node's state goes with its key: the root replaces it."""
    state, nodes = order.start(world.genesis, 1)
    seeds = world.seeds[0]
    nodes[seeds.record.id] = replace(nodes[seeds.record.id], skipped_entries=10**6)
    kept = order.recast(world.genesis, world.genesis.charter, nodes, state.log_time)
    assert kept[seeds.record.id].skipped_entries == 10**6
    opening = group(world, seeds, kept[seeds.record.id], kind=GroupKind.OPEN, incarnation=1)
    assert order.void_because(world.genesis, state, kept[seeds.record.id], opening) == ""


@pytest.mark.parametrize(("owner", "budget"), [("carnet 883", OF_CARNET), ("CH-ALLIANCE", OF_ISSUER)])
def test_documents_that_nobody_attaches_fill_their_owners_room_only(tmp_path: Path, owner: str, budget: int) -> None:
    folder = Blobs(tmp_path / "blobs")
    stored = 0
    while not folder.full(16 * MIB, owner, budget):
        content = stored.to_bytes(8, "big") + bytes(16 * MIB - 8)
        folder.reserve(sha256(content), len(content), owner)
        folder.keep(sha256(content), content)
        stored += 16 * MIB
    assert stored == budget
    assert not folder.full(5 * MIB, "carnet 884", OF_CARNET)
    assert not folder.full(5 * MIB, "ES-CAMARA", OF_ISSUER)
    folder.sweep(lambda _: True)  # attached, all of them: that is paid for otherwise
    assert not folder.full(5 * MIB, owner, budget)
