"""Variations of H1 and H11. The attacker is an issuer, a holder, or a proxy on the way: it writes what no replica can read any more,
or takes a signature off an entry so that the whole one comes too late."""

import os
from dataclasses import replace

import pytest
from eata_clients.authoring import devices
from eata_clients.authoring.devices import DeviceKeys
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding
from eata_ledger.carnet.vocabulary import Kind, SetKind
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts, key_of
from eata_ledger.log import bodies
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.state import Holder, TravelFact, Voucher
from eata_ledger.state.holder import MOST_ROOTS_EVER

from tests import acts
from tests.world import World

OUT = (Kind.VALIDATION, "CH", "1-20")


def skipped(world: World, entry: Entry) -> Outcome:
    with pytest.raises(Skipped) as caught:
        world.submit(entry)
    return caught.value.outcome


def rooted(world: World, carnet_id: int, before: int) -> None:
    """As after so many holder roots."""
    holder = world.fact(Holder, carnet_id)
    assert isinstance(holder, Holder)
    world.facts[int(Holder.FAMILY), key_of(carnet_id)] = replace(holder, before=before).to_bytes()


def test_an_issuer_that_resets_a_holder_again_and_again_writes_nothing_unreadable(
    world: World, pin_keys: CodeKeys
) -> None:
    """Each time it signs with the PIN that it has made itself: the roots' numbers grow, and are bounded."""
    held = world.hold(world.issue(), pin_keys)
    [ticket] = world.travel(held, OUT)
    world.commit(ticket)
    for before in (255, MOST_ROOTS_EVER):
        rooted(world, held.carnet_id, before)
        new = bodies.NewCancelKey(ticket.slot, SigningKey(os.urandom(32)).public)
        world.must(make(world.ledger, bodies.Recode(held.carnet_id, (new,)), world.stamp, (held.device,)))
        voucher = world.fact(Voucher, held.carnet_id, ticket.slot)
        assert isinstance(voucher, Voucher)
        assert voucher.cancel_root == before + 1
    reset = make(world.ledger, bodies.ResetHolder(held.carnet_id, os.urandom(32)), world.stamp, (world.issuer.sign,))
    assert world.outcome(reset) is Outcome.BUDGET_SPENT


def test_a_travel_holds_as_many_vouchers_as_are_read_again(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(sets=dict.fromkeys(SetKind, 100)), pin_keys)
    for count, outcome in ((33, Outcome.SLOT_TAKEN), (42, Outcome.SLOT_TAKEN), (32, Outcome.ACCEPTED)):
        entry, _ = world.prepare(held, *[(Kind.IMPORTATION, "EU", "1-20")] * count)
        assert world.outcome(entry) is outcome
    body = entry.header.body
    assert isinstance(body, bodies.Travel)
    deleted = make(world.ledger, bodies.DeleteTravel(held.carnet_id, body.travel_id), world.stamp, (held.device,))
    assert world.outcome(deleted) is Outcome.ACCEPTED


def test_what_does_not_read_again_is_never_written(world: World) -> None:
    """Whatever rule makes it: the entry ends as RULE_FAULT, and no replica is damaged by it."""
    facts = Facts(world)
    with pytest.raises(Malformed):
        facts.put(TravelFact(bytes(16), tuple(range(1, 34)), False), 883, bytes(16))
    assert not facts.written


def test_a_first_signature_cannot_be_burnt(world: World, pin_keys: CodeKeys) -> None:
    """The proxy that gets it first orders it without the PIN's signature, or with another in its place."""
    issued = world.issue()
    held, device = world.hold(issued, pin_keys, signed=False), DeviceKeys.new()
    holder = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
    held = Holding(held.ledger, held.carnet_id, 1, device.sign, held.content_key, held.roots)
    entry = devices.sign(held, pin_keys, device.seal.public, holder, world.stamp)
    _burnt(world, entry)


def test_an_enrolment_by_the_holder_code_cannot_be_burnt(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(), pin_keys)
    code = world.holders[held.carnet_id].sign
    _burnt(world, devices.enrol(world.ledger, held.carnet_id, DeviceKeys.new(), code, world.stamp))


def _burnt(world: World, entry: Entry) -> None:
    own, vouched = entry.signatures
    for signatures in (
        (own,),
        (own, replace(vouched, key_id=os.urandom(16))),
        (own, replace(vouched, value=bytes(64))),
    ):
        assert skipped(world, Entry(entry.header, signatures, entry.parts)) is Outcome.SIGNATURE_INVALID
    assert world.outcome(entry) is Outcome.ACCEPTED


def test_a_commit_that_lies_ahead_cannot_be_burnt(world: World, pin_keys: CodeKeys) -> None:
    """A booth with a fast clock: whoever orders its commit too early gets no leaf, and a little later it counts."""
    held = world.hold(world.issue(), pin_keys)
    [ticket] = world.travel(held, OUT)
    entry = world.commit_entry(ticket, stamp=replace(acts.stamp(world, "CHZRH"), time=world.now + 6 * 60_000))
    assert skipped(world, entry) is Outcome.EVENT_AHEAD
    world.now += 60_000
    assert world.outcome(entry) is Outcome.ACCEPTED
