"""H5. The attacker has a holder's phone that was taken back, with everything on it: root, codes, wrapping key, its own keys."""

import os
from dataclasses import dataclass, replace

import pytest
from eata_clients.authoring import devices, keeping
from eata_clients.authoring.devices import DeviceKeys
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding, RootKey
from eata_clients.holder.devices import admitted_by
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.facts import key_of
from eata_ledger.log import bodies
from eata_ledger.log.bodies.devices import asks
from eata_ledger.log.entry import Part
from eata_ledger.log.keys import Algorithm, SigningKey, key_id
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.rules.budgets import EDITS, HOLDER
from eata_ledger.seal.aead import CannotOpen, Context, unseal
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.schedule import kept_key
from eata_ledger.state import Device, Spent, Voucher
from eata_ledger.state.holder import MOST_EVER, MOST_ROOTS, Holder

from tests import acts
from tests.world import Ticket, World

pytestmark = pytest.mark.rule("APP-06")
OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))


@dataclass
class Theft:
    """The owner's tablet and what it knows; the thief's phone and what it knows."""

    world: World
    owner: Holding
    thief: Holding
    tablet: DeviceKeys
    phone: DeviceKeys
    tickets: list[Ticket]
    old_code: CodeKeys


def code() -> CodeKeys:
    return CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))


def admitted(world: World, by: Holding, keys: DeviceKeys) -> Holding:
    asked = devices.Request.of(world.ledger, by.carnet_id, keys)
    world.must(devices.admit(by, asked, world.stamp))
    return replace(by, device=keys.sign)


def seal_keys(world: World, carnet_id: int, without: bytes = b"") -> dict[bytes, bytes]:
    holder = world.fact(Holder, carnet_id)
    assert isinstance(holder, Holder)
    found = {kid: world.fact(Device, carnet_id, kid) for kid in holder.devices if kid != without}
    return {kid: one.seal_key for kid, one in found.items() if isinstance(one, Device)}


@pytest.fixture
def theft(world: World, pin_keys: CodeKeys) -> Theft:
    """Signed on the phone, a tablet admitted, a travel prepared and validated; then the phone is stolen and taken back."""
    phone, tablet, old_code = DeviceKeys.new(), DeviceKeys.new(), code()
    unsigned = replace(world.hold(world.issue(), pin_keys, signed=False), device=phone.sign)
    world.must(devices.sign(unsigned, pin_keys, phone.seal.public, old_code, world.stamp))
    owner = admitted(world, unsigned, tablet)
    tickets = world.travel(unsigned, *OUT)
    assert world.commit(tickets[0]) is Outcome.ACCEPTED
    anew = devices.rooted_anew(owner, world.state(owner.carnet_id).next_slot)
    staying = seal_keys(world, owner.carnet_id, phone.sign.id)
    world.must(devices.revoke(anew, [phone.sign.id], staying, pin_keys.wrap, code(), world.stamp))
    return Theft(world, anew, unsigned, tablet, phone, tickets, old_code)


def test_it_signs_reads_and_enrols_nothing_more(theft: Theft, pin_keys: CodeKeys) -> None:
    world, thief, mine = theft.world, theft.thief, DeviceKeys.new()
    assert world.outcome(world.prepare(thief, OUT[1])[0]) is Outcome.KEY_REVOKED
    asked = devices.Request.of(world.ledger, thief.carnet_id, mine)
    assert world.outcome(devices.admit(thief, asked, world.stamp)) is Outcome.KEY_REVOKED
    for by in (pin_keys.sign, theft.old_code.sign):  # also with the PIN and the holder code of before
        enrolled = devices.enrol(world.ledger, thief.carnet_id, mine, by, world.stamp)
        assert world.outcome(enrolled) is Outcome.CODE_VOIDED
    again = devices.sign(replace(thief, device=mine.sign), pin_keys, mine.seal.public, code(), world.stamp)
    assert world.outcome(again) is Outcome.ALREADY_SIGNED
    staying = seal_keys(world, thief.carnet_id, theft.tablet.sign.id)
    back = devices.revoke(devices.rooted_anew(thief, 4), [theft.tablet.sign.id], staying, None, code(), world.stamp)
    assert world.outcome(back) is Outcome.KEY_REVOKED


def test_its_codes_commit_and_cancel_nothing(theft: Theft) -> None:
    """At any desk, online: the vouchers it can show are void until the owner renews them, and those are others then."""
    world, [done, out, _] = theft.world, theft.tickets
    assert world.commit(out) is Outcome.CODE_VOIDED
    assert world.outcome(acts.cancel(world, done)) is Outcome.CODE_VOIDED
    new = devices.recode(theft.owner, [1], world.stamp)
    assert world.outcome(new) is Outcome.ACCEPTED
    voucher = world.fact(Voucher, theft.owner.carnet_id, 1)
    assert isinstance(voucher, Voucher)
    assert (voucher.cancel_root, voucher.cancel_key != done.cancel.public) == (2, True)
    assert world.outcome(acts.cancel(world, done)) is Outcome.CANCEL_CODE_INVALID


def test_the_owner_goes_on_with_new_codes_and_the_past_still_opens(theft: Theft) -> None:
    world, owner = theft.world, theft.owner
    entry, ticket = acts.renew(world, replace(theft.tickets[1], holding=owner))
    assert world.outcome(entry) is Outcome.ACCEPTED
    assert world.commit(ticket) is Outcome.ACCEPTED
    assert owner.journal(1) == theft.thief.journal(1)
    assert owner.journal(ticket.slot) != theft.thief.journal(ticket.slot)
    stale, _ = acts.renew(world, replace(theft.tickets[2], holding=replace(owner, roots=owner.roots[:1])))
    assert world.outcome(stale) is Outcome.STALE_VERSION


def test_what_comes_after_it_opens_to_nobody_with_the_old_root(theft: Theft) -> None:
    """The new root stands under the new holder code and for the tablet; the phone's keys open none of it."""
    world, thief = theft.world, theft.thief
    entry = next(e for e, _ in reversed(world.history) if isinstance(e.header.body, bodies.RevokeDevice))
    recipients = {info.recipient for info in entry.header.parts if info.label is Label.STANZA}
    assert recipients == {key_id(theft.tablet.seal.public, Algorithm.XWING)}
    known = [theft.old_code.wrap, thief.content_key, kept_key(thief.newest.root, world.ledger, thief.carnet_id)]
    known += [thief.journal(slot) for slot in range(1, 10)]
    for info, value in zip(entry.header.parts, entry.parts, strict=True):
        place = Context(world.ledger, thief.carnet_id, info.label, info.slot)
        for key in known:
            with pytest.raises(CannotOpen):
                unseal(key, place, value)


def test_a_root_must_reach_every_device_that_stays_and_no_other(theft: Theft, pin_keys: CodeKeys) -> None:
    """A client in error, or in the thief's pay, leaves nobody out and lets nobody in."""
    world, owner = theft.world, theft.owner
    third = DeviceKeys.new()
    admitted(world, owner, third)
    anew = devices.rooted_anew(owner, world.state(owner.carnet_id).next_slot)
    everybody = seal_keys(world, owner.carnet_id)
    only = {kid: key for kid, key in everybody.items() if kid != third.sign.id}
    more = everybody | {theft.phone.sign.id: theft.phone.seal.public}
    for wrong in (only, more, {}):
        entry = devices.revoke(anew, [], wrong, pin_keys.wrap, code(), world.stamp)
        assert world.outcome(entry) is Outcome.STANZAS_WRONG
    gone = devices.revoke(anew, [owner.device.id], everybody, pin_keys.wrap, code(), world.stamp)
    assert world.outcome(gone) is Outcome.ROLE_FORBIDDEN
    early = devices.revoke(devices.rooted_anew(owner, 1), [], everybody, pin_keys.wrap, code(), world.stamp)
    assert world.outcome(early) is Outcome.SLOT_TAKEN
    assert world.outcome(devices.revoke(anew, [], everybody, pin_keys.wrap, code(), world.stamp)) is Outcome.ACCEPTED


def test_what_it_admitted_falls_with_it(theft: Theft) -> None:
    """If the owner says so: devices form a tree of who admitted whom."""

    def device(by: bytes | None) -> Device:
        return Device(bytes(32), bytes(1216), 0, by, None)

    known = {
        b"phone": device(None),
        b"tablet": device(b"phone"),
        b"thief's": device(b"phone"),
        b"its": device(b"thief's"),
    }
    assert admitted_by(known, {b"thief's"}, b"phone") == {b"thief's", b"its"}
    assert admitted_by(known, {b"phone"}, b"tablet") == {b"phone", b"thief's", b"its"}


def test_devices_without_end_are_refused(world: World, pin_keys: CodeKeys) -> None:
    """64 at once, 256 in a carnet's life."""
    first = world.hold(world.issue(), pin_keys)
    more = [DeviceKeys.new() for _ in range(64)]
    for keys in more[:63]:
        admitted(world, first, keys)
    asked = devices.Request.of(world.ledger, first.carnet_id, more[63])
    assert world.outcome(devices.admit(first, asked, world.stamp)) is Outcome.BUDGET_SPENT
    holder = world.fact(Holder, first.carnet_id)
    assert isinstance(holder, Holder)
    spent = replace(holder, devices=holder.devices[:1], ever=MOST_EVER)
    world.facts[int(Holder.FAMILY), key_of(first.carnet_id)] = spent.to_bytes()
    assert world.outcome(devices.admit(first, asked, world.stamp)) is Outcome.BUDGET_SPENT


def test_a_key_is_nobody_elses(world: World, pin_keys: CodeKeys) -> None:
    """A device is enrolled once; one that is taken back stays out under its key."""
    first = world.hold(world.issue(), pin_keys)
    keys = DeviceKeys.new()
    second = admitted(world, first, keys)
    asked = devices.Request.of(world.ledger, first.carnet_id, keys)
    assert world.outcome(devices.admit(first, asked, world.stamp)) is Outcome.ALREADY_REGISTERED
    for wrong in (bytes(1216), b"\xff" * 1216):
        mine = SigningKey(os.urandom(32))
        bare = devices.Request(first.carnet_id, mine.public, wrong, bytes(64))
        body = bodies.AdmitDevice(first.carnet_id, mine.public, wrong, mine.sign(asks(world.ledger, bare)))
        part = Part(Label.STANZA, 1, bytes(1200), key_id(wrong, Algorithm.XWING))
        assert world.outcome(make(world.ledger, body, world.stamp, (second.device,), (part,))) is Outcome.KEY_WEAK


def test_a_thief_who_has_spent_everything_does_not_stand_in_the_way(theft: Theft, pin_keys: CodeKeys) -> None:
    """All roots, devices, edits and entries are used up: the issuer's reset is taken, and the carnet is signed anew."""
    world, carnet_id = theft.world, theft.owner.carnet_id
    holder = world.fact(Holder, carnet_id)
    assert isinstance(holder, Holder)
    spent = replace(holder, roots=holder.roots[:1] * MOST_ROOTS, ever=MOST_EVER)
    world.facts[int(Holder.FAMILY), key_of(carnet_id)] = spent.to_bytes()
    for who in (EDITS, HOLDER, "issuer"):
        world.facts[int(Spent.FAMILY), key_of(carnet_id, who)] = Spent(10**6, 2**40).to_bytes()
    pin, mine = code(), DeviceKeys.new()
    reset = keeping.reset_holder(world.ledger, world.issuer, carnet_id, 1, theft.owner.content_key, pin, world.stamp)
    assert world.outcome(reset) is Outcome.ACCEPTED
    after = world.fact(Holder, carnet_id)
    assert isinstance(after, Holder)
    assert (after.before, after.root) == (MOST_ROOTS, 0)
    root = RootKey(after.next_root, 4, os.urandom(32))
    anew = Holding(world.ledger, carnet_id, 1, mine.sign, theft.owner.content_key, (root,))
    assert world.outcome(devices.sign(anew, pin, mine.seal.public, code(), world.stamp)) is Outcome.ACCEPTED
    entry, ticket = acts.renew(world, replace(theft.tickets[1], holding=anew))
    assert world.outcome(entry) is Outcome.ACCEPTED
    assert world.commit(ticket) is Outcome.ACCEPTED


def test_nobody_is_admitted_who_did_not_ask(theft: Theft) -> None:
    """Not the issuer's public key, so that its acts were a holder's; not the tablet's under another sealing key."""
    world, owner, thief = theft.world, theft.owner, DeviceKeys.new()
    for victim in (world.issuer.sign.public, SigningKey(os.urandom(32)).public):
        forged = replace(devices.Request.of(world.ledger, owner.carnet_id, thief), device_key=victim)
        with pytest.raises(Skipped) as caught:
            world.submit(devices.admit(owner, forged, world.stamp))
        assert caught.value.outcome is Outcome.SIGNATURE_INVALID
