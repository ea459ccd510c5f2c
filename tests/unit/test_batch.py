"""One signature for many issues (rules 4): each stands alone, none can be altered, moved or borrowed."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from eata_clients.authoring import issuing
from eata_ledger.apply import Known
from eata_ledger.encoding import Malformed
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.proof.batch import MOST, BatchSignature, opened, signed_together, to_sign
from eata_ledger.proof.bodies import Block
from eata_ledger.proof.entry import Entry, Signed
from eata_ledger.proof.keys import SigningKey, verify
from eata_ledger.wire import entry_from_proto, entry_to_proto
from eata_node import verified

from tests.world import World


def issues(world: World, count: int) -> list[Entry]:
    """Issues of as many carnets, each with its own signature."""
    found = []
    for _ in range(count):
        order = world.order(2)
        found.append(
            issuing.issue(world.ledger, world.issuer, order, world.pool + world.serial, world.pool, world.stamp).entry
        )
    return found


def together(world: World, count: int) -> list[Entry]:
    return signed_together(issues(world, count), world.issuer.sign)


def sent(entry: Entry) -> Entry:
    """As it arrives."""
    return entry_from_proto(entry_to_proto(entry))


def batch_of(entry: Entry) -> BatchSignature:
    return BatchSignature.from_bytes(entry.signatures[0].value)


def with_value(entry: Entry, value: bytes) -> Entry:
    return Entry(entry.header, (Signed(entry.signatures[0].key_id, value),), entry.parts)


@pytest.mark.rule("NICS-03")
@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_each_of_a_batch_is_accepted_without_the_others_in_any_order(world: World, count: int) -> None:
    entries = together(world, count)
    assert len({batch_of(entry).signature for entry in entries}) == 1
    order = entries[1:]
    random.Random(count).shuffle(order)  # one is never sent at all
    assert {world.outcome(sent(entry)) for entry in order} == {Outcome.ACCEPTED}


def test_a_large_batch_is_proved_with_a_dozen_hashes(world: World) -> None:
    """The path grows with the logarithm: twelve hashes where 4,096 are signed together."""
    [one, other] = issues(world, 2)
    entries = signed_together([one, *[other] * (MOST - 1)], world.issuer.sign)
    assert [len(batch_of(entry).path) for entry in (entries[0], entries[-1])] == [12, 12]
    assert len(entries[0].signatures[0].value) < 512
    assert world.outcome(sent(entries[0])) is Outcome.ACCEPTED
    for count in (1, MOST + 1):
        with pytest.raises(ValueError, match="2 to 4,096"):
            signed_together([one] * count, world.issuer.sign)


def lies(world: World, entries: list[Entry]) -> Iterator[tuple[str, bytes]]:
    """Values for the first of them that must not be taken."""
    good, second = batch_of(entries[0]), batch_of(entries[1])
    yield "another's place", entries[1].signatures[0].value
    yield "another's path", replace(good, path=second.path).to_bytes()
    yield "another index", replace(good, index=1).to_bytes()
    yield "another size", replace(good, size=good.size + 1).to_bytes()
    yield "a path cut short", replace(good, path=good.path[:-1]).to_bytes()
    yield "a path with one hash more", replace(good, path=(*good.path, bytes(32))).to_bytes()
    yield (
        "an altered signature",
        replace(good, signature=bytes([good.signature[0] ^ 1]) + good.signature[1:]).to_bytes(),
    )
    yield "the batch's signature as its own", good.signature
    yield (
        "its own signature as the batch's",
        replace(good, signature=issues(world, 1)[0].signatures[0].value).to_bytes(),
    )
    stranger = SigningKey(bytes(32))
    whole = opened(entries[0], good.to_bytes())
    assert whole is not None
    root = whole[1]
    yield "a stranger's signature", replace(good, signature=stranger.sign(root)).to_bytes()
    elsewhere = to_sign(bytes(32), good.size, root[-32:])
    yield "signed for another ledger", replace(good, signature=world.issuer.sign.sign(elsewhere)).to_bytes()


def test_nothing_of_it_can_be_altered_moved_or_borrowed(world: World) -> None:
    """P4: every lie is SIGNATURE_INVALID, leaves no leaf, and the true one is taken afterwards."""
    entries = together(world, 5)
    size = len(world.leaves)
    for why, value in lies(world, entries):
        with pytest.raises(Skipped) as caught:
            pytest.fail(f"{why} was taken: {world.submit(sent(with_value(entries[0], value)))}")
        assert caught.value.outcome is Outcome.SIGNATURE_INVALID, why
    assert len(world.leaves) == size
    assert world.outcome(sent(entries[0])) is Outcome.ACCEPTED


def test_what_is_not_such_a_value_does_not_read(world: World) -> None:
    entries = together(world, 3)
    good = batch_of(entries[0])
    for value in (
        b"",
        bytes(63),
        bytes(65),
        good.to_bytes()[:-1],
        good.to_bytes() + b"\0",
        replace(good, size=1).to_bytes(),
        replace(good, size=MOST + 1).to_bytes(),
        replace(good, index=MOST).to_bytes(),
        replace(good, signature=bytes(63)).to_bytes(),
        replace(good, path=(bytes(32),) * 13).to_bytes(),
    ):
        with pytest.raises(Malformed):
            sent(with_value(entries[0], value))


def test_it_is_the_same_entry_however_it_was_signed(world: World) -> None:
    """P7: signatures stay outside the entry's hash, so one that was sent alone is not issued again in a batch."""
    alone = issues(world, 2)
    world.must(sent(alone[0]))
    again = world.submit(sent(signed_together(alone, world.issuer.sign)[0]))
    assert isinstance(again, Known)
    assert not again.reused


def test_only_an_issue_is_signed_so(world: World) -> None:
    issued = world.issue()
    entry = issuing.change(world.ledger, world.issuer, Block(issued.carnet_id), world.stamp)
    for one in signed_together([entry, entry], world.issuer.sign):
        with pytest.raises(Skipped, match="ENTRY_MALFORMED"):
            world.submit(sent(one))
    assert world.outcome(sent(entry)) is Outcome.ACCEPTED


def test_before_rules_4_it_never_was() -> None:
    """As a node without them reads it: no leaf, whatever else may be good."""
    world = World(rules=3)
    alone = issues(world, 2)
    with pytest.raises(Skipped, match="ENTRY_MALFORMED"):
        world.submit(sent(signed_together(alone, world.issuer.sign)[0]))
    assert world.outcome(sent(alone[0])) is Outcome.ACCEPTED


def test_a_node_checks_the_shared_signature_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []

    def counting(public: bytes, signature: bytes, message: bytes) -> bool:
        checked.append(signature)
        return verify(public, signature, message)

    monkeypatch.setattr(verified, "verify", counting)
    remembering = verified.Verified()
    for entry in together(world, 7):
        value = sent(entry).signatures[0].value
        whole = opened(entry, value)
        assert whole is not None
        assert remembering(world.issuer.sign.public, *whole)
    assert len(checked) == 1
