"""The ICC root: three of five keep the node set and themselves; what a replaced key signs counts nowhere."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from eata_clients.authoring import rooting
from eata_clients.trust.auditor import Replay
from eata_clients.trust.registry import Registry
from eata_ledger import order
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import ActivateRules, Body, RegisterNode, RotateRoot, Tick
from eata_ledger.log.chartering import CharterEntry, CharterSignature, declares, follow_all
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey, verify
from eata_ledger.log.leaf import Leaf
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.replaying import replayed
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.state import CharterFact, charter_of
from eata_ledger.wire import entry_to_proto
from eata_proto.v1 import ledger_pb2

from tests import acts
from tests.later import Mark, later_rules
from tests.world import TODAY, NodeSeeds, World

WEEK_OF_MS = 7 * 24 * 3_600_000


def keepers(count: int = 5) -> list[SigningKey]:
    return [SigningKey(os.urandom(32)) for _ in range(count)]


def signed(world: World, body: Body, *by: SigningKey) -> Entry:
    entry = rooting.propose(world.ledger, by[0], body, world.now)
    for keeper in by[1:]:
        entry = rooting.countersign(entry, keeper)
    return entry


def never(world: World, body: Body, *by: SigningKey) -> None:
    """Signed by too few it never was: no leaf, and nothing stands in the way of the whole one."""
    with pytest.raises(Skipped, match="THRESHOLD_MISSED"):
        world.submit(signed(world, body, *by))


@pytest.fixture
def five(world: World) -> list[SigningKey]:
    """A root of three of five, in the place of the development root."""
    found = keepers()
    body = RotateRoot(1, tuple(key.public for key in found), 3)
    world.must(signed(world, body, world.root, *found[:3]))
    return found


def fresh_node(name: str = "mumbai") -> NodeSeeds:
    return NodeSeeds(name, SigningKey(os.urandom(32)), SigningKey(os.urandom(32)))


def charter(world: World):  # type: ignore[no-untyped-def]
    fact = world.fact(CharterFact, b"")
    return charter_of(world.genesis, fact if isinstance(fact, CharterFact) else None)


def test_three_of_five_replace_a_nodes_keys(world: World, five: list[SigningKey]) -> None:
    fresh = fresh_node()
    body = RegisterNode(2, fresh.record)
    never(world, body, *five[:2])
    assert world.outcome(signed(world, body, *five[1:4])) is Outcome.ACCEPTED
    now = charter(world)
    assert fresh.record.id in now.by_id
    assert world.seeds[4].record.id not in now.by_id
    assert len(now.nodes) == 6


def test_the_same_keeper_counts_once_and_a_stranger_never(world: World, five: list[SigningKey]) -> None:
    body = RegisterNode(2, fresh_node().record)
    stranger = SigningKey(os.urandom(32))
    never(world, body, five[0], five[0], five[0])
    never(world, body, five[0], stranger, five[1])
    with pytest.raises(Skipped, match="KEY_UNKNOWN"):
        world.submit(signed(world, body, stranger, *five[:3]))
    with pytest.raises(Skipped, match="KEY_UNKNOWN"):
        world.submit(signed(world, body, world.root, *five[:3]))  # the development root is gone


def test_a_root_is_rotated_by_enough_old_and_enough_new_keys(world: World, five: list[SigningKey]) -> None:
    new = keepers()
    body = RotateRoot(2, tuple(key.public for key in new), 3)
    never(world, body, *five[:3], *new[:2])
    never(world, body, *five[:2], *new[:3])
    assert world.outcome(signed(world, body, *five[:3], *new[:3])) is Outcome.ACCEPTED
    with pytest.raises(Skipped):
        world.submit(signed(world, RegisterNode(3, fresh_node().record), *five[:3]))


def test_a_decision_signed_long_ago_is_not_played_later(world: World, five: list[SigningKey]) -> None:
    """Two decisions in a drawer: once one has been ordered, the other is void, and clients know the order."""
    first, other = (signed(world, RegisterNode(2, fresh_node(name).record), *five[:3]) for name in ("mumbai", "tokyo"))
    assert world.outcome(first) is Outcome.ACCEPTED
    assert world.outcome(other) is Outcome.VERSION_WRONG
    assert world.outcome(signed(world, RegisterNode(4, fresh_node().record), *five[:3])) is Outcome.VERSION_WRONG


@pytest.mark.parametrize(
    ("threshold", "weak", "twice", "wanted"),
    [(6, False, False, Outcome.THRESHOLD_MISSED), (0, False, False, Outcome.DECISION_WRONG),
     (3, True, False, Outcome.DECISION_WRONG), (3, False, True, Outcome.DECISION_WRONG)],
)  # fmt: skip
def test_a_root_that_could_never_act_is_refused(
    world: World, five: list[SigningKey], threshold: int, weak: bool, twice: bool, wanted: Outcome
) -> None:
    new = keepers()
    publics = [key.public for key in new]
    if weak:
        publics[4] = bytes(32)
    if twice:
        publics[4] = publics[0]
    assert world.outcome(signed(world, RotateRoot(2, tuple(publics), threshold), *five[:3], *new[:3])) is wanted


def test_later_rules_come_into_force_once_every_node_knows_them(pin_keys: CodeKeys) -> None:
    """Threshold, then a later version, then everybody: and what the version opened is taken from the next entry on."""
    world = World()
    keys, marked = keepers(), Mark(world.issue().carnet_id)

    def activate(rules: int, announced: int, *by: SigningKey) -> Outcome:
        world.announced = announced
        return world.outcome(signed(world, ActivateRules(rules), *by))

    with later_rules():
        with pytest.raises(Skipped, match="ENTRY_MALFORMED"):
            acts.by_issuer(world, marked)
        assert activate(2, 1, world.root) is Outcome.RULES_NOT_ANNOUNCED
        assert activate(1, 2, world.root) is Outcome.VERSION_WRONG
        assert activate(0, 2, world.root) is Outcome.VERSION_WRONG
        with pytest.raises(Skipped, match="KEY_UNKNOWN"):
            activate(2, 2, keys[0])
        assert activate(2, 2, world.root) is Outcome.ACCEPTED
        assert Leaf.from_bytes(world.leaves[-1]).rules == 1
        assert acts.by_issuer(world, marked) is Outcome.ACCEPTED
        assert Leaf.from_bytes(world.leaves[-1]).rules == 2
        assert activate(2, 2, world.root) is Outcome.VERSION_WRONG
        again = Replay(world.genesis)
        for (entry, _), leaf in zip(world.history, world.leaves, strict=True):
            again.facts.update(replayed(again, world.genesis, entry, leaf, verify).effects)
    assert again.facts == world.facts, "who was not there then finds the same"


def test_a_node_has_keys_of_its_own(world: World, five: list[SigningKey]) -> None:
    known = world.seeds[0]
    assert world.outcome(signed(world, RegisterNode(2, known.record), *five[:3])) is Outcome.DECISION_WRONG
    borrowed = NodeSeeds("mumbai", SigningKey(os.urandom(32)), known.statement)
    assert world.outcome(signed(world, RegisterNode(2, borrowed.record), *five[:3])) is Outcome.DECISION_WRONG


def test_what_a_replaced_node_signs_counts_nowhere(world: World, five: list[SigningKey]) -> None:
    old = world.seeds[4]
    world.must(signed(world, RegisterNode(2, fresh_node().record), *five[:3]))
    from eata_clients.authoring.entries import make

    world.now += WEEK_OF_MS
    with pytest.raises(Skipped, match="KEY_UNKNOWN"):
        world.submit(make(world.ledger, Tick(TODAY + 7), world.stamp, (old.group,)))
    _, nodes = order.start(world.genesis, 1)
    after = order.recast(world.genesis, charter(world), nodes, world.now)
    assert old.record.id not in after
    assert len(after) == 6


def test_clients_follow_the_charter_from_genesis_and_believe_no_node(world: World, five: list[SigningKey]) -> None:
    node = signed(world, RegisterNode(2, fresh_node().record), *five[:3])
    world.must(node)
    rotation = next(entry for entry, _ in world.history if isinstance(entry.header.body, RotateRoot))

    size, root = len(world.leaves), world.root_hash()

    def listed(entry: Entry, drop: int = 0, index: int | None = None) -> CharterEntry:
        signatures = tuple(CharterSignature(s.key_id, s.value) for s in entry.signatures[drop:])
        at = [told for told, _ in world.history].index(entry) if index is None else index
        return CharterEntry(entry.header.encoded, signatures, world.leaves[at], tuple(world.inclusion(at)))

    assert follow_all(world.genesis, (listed(rotation), listed(node)), size, root)[-1].charter == charter(world)
    for forged in (
        (listed(node),), (listed(rotation, drop=1), listed(node)), (listed(rotation), listed(node, drop=1)),
        (listed(rotation), replace(listed(node), header=rotation.header.encoded)),
        (listed(rotation, index=0), listed(node)), (listed(rotation), replace(listed(node), path=())),
    ):  # fmt: skip
        with pytest.raises(Malformed):
            follow_all(world.genesis, forged, size, root)


def test_a_client_keeps_no_signature_that_no_keeper_made(world: World, five: list[SigningKey]) -> None:
    """A node adds some: the registry and its file hold the keepers' own, and what is made of them reads again."""
    entry = next(entry for entry, _ in world.history if isinstance(entry.header.body, RotateRoot))
    message = entry_to_proto(entry)
    message.signatures.add(key_id=b"junk" * 4, value=bytes(64))
    message.signatures.add(key_id=five[4].id, value=bytes(64))
    registry = Registry(world.genesis)
    registry.chain([ledger_pb2.RegistryEntry(index=0, entry=message)])
    registry.settle()
    [decided] = registry.decisions
    assert {s.key_id for s in decided.signatures} <= {s.key_id for s in entry.signatures}
    assert Registry.from_bytes(registry.to_bytes()).decisions == registry.decisions
    assert registry.charter.root_threshold == 3


def test_charter_entries_are_told_by_a_glance(world: World, five: list[SigningKey]) -> None:
    entries = [entry for entry, _ in world.history]
    assert [declares(e.header.encoded) for e in entries] == [
        isinstance(e.header.body, RegisterNode | RotateRoot) for e in entries
    ]
    assert declares(signed(world, RegisterNode(2, fresh_node().record), *five[:3]).header.encoded)


def test_the_core_takes_groups_of_whoever_the_root_has_named_and_not_of_whom_it_replaced(
    world: World, five: list[SigningKey], tmp_path: Path
) -> None:
    """Its view is wider than the rules': an expired or refused decision may add a key, never keep one out for ever."""
    from eata_ledger.log.opening import first_era
    from eata_node.engine.log_store import LogDisk, LogStore

    store = LogStore(LogDisk(tmp_path / "core"), world.genesis)
    store.refill(0, first_era(world.genesis, (world.root,)))
    fresh = fresh_node()
    rotation = next(entry for entry, _ in world.history if isinstance(entry.header.body, RotateRoot))
    refused = signed(world, RegisterNode(2, fresh_node().record), *five[:3])
    decided = signed(world, RegisterNode(2, fresh.record), *five[:3])
    unsigned = signed(world, RegisterNode(3, fresh_node("tokyo").record), *five[:2])
    for entry in (rotation, refused, decided, unsigned):
        store.tip._decided(entry.header, {s.key_id: s.value for s in entry.signatures})
    assert store.tip.may_append(fresh.record.id)
    assert not store.tip.may_append(world.seeds[4].record.id)  # mumbai's old key
    assert store.tip.may_append(world.seeds[5].record.id)  # tokyo's: nobody had the right to change it
    assert world.seeds[4].record.id in store.tip.group_keys  # what it signed before is still genuine
    store.close()
