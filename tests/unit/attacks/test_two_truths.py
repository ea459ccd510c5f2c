"""H16. The attacker holds fewer than half of the keys, or all keys of a node set that is gone, and wants two receipts to be good."""

import itertools
from dataclasses import replace

import pytest
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import RegisterNode, RemoveNode
from eata_ledger.log.chartering import CharterEntry, CharterSignature
from eata_ledger.log.genesis import Charter, origin
from eata_ledger.proof.checkpoint import Checkpoint, note
from eata_ledger.proof.statement import Claim, Standing, Statement, to_sign
from eata_ledger.proof.trust import ReceiptCheck, Trust, verify_receipt

from tests.unit.attacks.test_move_log_time import fresh
from tests.unit.test_root import charter, five, fresh_node, signed
from tests.world import NodeSeeds, World

__all__ = ["five"]


@pytest.mark.parametrize("count", range(1, 17))
def test_two_sets_that_are_enough_always_meet(world: World, count: int) -> None:
    nodes = tuple(NodeSeeds(f"node-{n}", s.group, s.statement).record for n, s in enumerate(fresh(count)))
    found = Charter(world.ledger, nodes, world.genesis.root_keys, 1, world.genesis.operations)
    assert 2 * found.enough > count
    assert found.one_honest == (count - 1) // 2 + 1, "one more than may lie"
    assert found.enough <= count - (found.one_honest - 1), "the honest ones are enough"


def statement(world: World, seeds: list[NodeSeeds], index: int) -> bytes:
    claim = Claim(world.ledger[:8], 1, index, world.now, bytes(32), 1, 0, [20], bytes(32), index, Standing.LIVE)
    found = Statement(claim.to_bytes(), ())
    for one in seeds:
        found = found.merged(one.record.kid, one.statement.sign(to_sign(found.payload, one.record.kid)))
    return found.to_bytes()


class Rotated:
    """A ledger whose first four nodes were given new keys one after the other, and whose last was removed."""

    def __init__(self, world: World, keepers: list) -> None:  # type: ignore[type-arg]
        self.world, self.old, self.new = world, list(world.seeds), list(world.seeds)
        for n in range(4):
            self.new[n] = fresh_node(self.old[n].name)
            world.must(signed(world, RegisterNode(2 + n, self.new[n].record), *keepers[:3]))
        self.first = len(world.leaves) - 4
        world.must(signed(world, RemoveNode(6, self.old[5].name), *keepers[:3]))
        self.removed = len(world.leaves) - 1

    def trust(self) -> Trust:
        size, entries = len(self.world.leaves), []
        for index, (entry, _) in enumerate(self.world.history):
            if hasattr(entry.header.body, "serial"):
                signatures = tuple(CharterSignature(s.key_id, s.value) for s in entry.signatures)
                path = tuple(self.world.inclusion(index))
                entries.append(CharterEntry(entry.header.encoded, signatures, self.world.leaves[index], path))
        tree = Checkpoint(origin(self.world.ledger, 1), size, self.world.root_hash())
        text = note(tree, [(s.record, tree.sign(s.statement)) for s in self.new[:5]])
        return Trust(1, self.world.genesis.to_bytes(), 1, text, self.world.now, tuple(entries), ())

    def verify(self, seeds: list[NodeSeeds], index: int) -> ReceiptCheck:
        return verify_receipt(statement(self.world, seeds, index), self.trust())


@pytest.fixture
def rotated(world: World, five: list) -> Rotated:  # type: ignore[type-arg]
    return Rotated(world, five)


def test_a_receipt_from_before_the_rotation_is_still_good(rotated: Rotated) -> None:
    """The charter of its day, from the chain of root decisions; and nodes of today may speak of the past."""
    assert len(charter(rotated.world).nodes) == 5
    assert rotated.verify(rotated.old[:4], rotated.first - 1).good
    assert rotated.verify(rotated.new[:3], 0).good
    assert rotated.verify([*rotated.new[:2], *rotated.old[2:5]], rotated.first + 1).good, "between two decisions"


def test_keys_that_were_replaced_say_nothing_of_what_came_after(rotated: Rotated) -> None:
    """All of the old keys leak at last: they cannot make a receipt of anything the nodes of today have ordered."""
    for index in (rotated.removed, rotated.removed + 1, 10_000):
        verdict = rotated.verify(rotated.old[:4], index)
        assert not verdict.good
        assert "4 signed that it does not know" in verdict.why
    assert not rotated.verify([*rotated.old[:4], rotated.new[4]], 10_000).good


def test_a_removed_node_counts_nowhere(rotated: Rotated) -> None:
    assert not rotated.verify([*rotated.new[:2], rotated.old[5]], 10_000).good
    assert rotated.verify(rotated.new[:3], 10_000).good, "three of five"


def test_the_end_of_a_node_set_is_not_the_attackers_to_choose(rotated: Rotated) -> None:
    """A trust file that leaves a decision out, or moves it in the ledger, is no trust file."""
    good = rotated.trust()
    good.check(rotated.world.ledger)
    entries = good.charter_entries
    for kept in itertools.chain((entries[:n] + entries[n + 1 :] for n in range(len(entries) - 1)), (entries[::-1],)):
        with pytest.raises(Malformed):
            replace(good, charter_entries=kept).check()
    moved = replace(entries[0], leaf=entries[1].leaf, path=entries[1].path)
    with pytest.raises(Malformed):
        replace(good, charter_entries=(moved, *entries[1:])).check()
