"""H4. The attacker is the carnet's issuer: it made the PIN, and would read declarations, make codes or add a device with it."""

import os

import pytest
from eata_clients.authoring import devices, issuing, keeping
from eata_clients.authoring.devices import DeviceKeys
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.log import bodies
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.seal.aead import CannotOpen, Context, unseal
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.stanza import Keys

from tests import acts
from tests.world import World

pytestmark = [pytest.mark.rule("N-07"), pytest.mark.rule("OBJ-05")]
OUT = (Kind.EXPORTATION, "CH", "1-20")


@pytest.fixture
def issued(world: World, pin_keys: CodeKeys) -> issuing.Issued:
    return world.issue()


@pytest.fixture
def held(world: World, issued: issuing.Issued, pin_keys: CodeKeys) -> Holding:
    """Signed by its holder, one voucher prepared."""
    held = world.hold(issued, pin_keys)
    world.travel(held, OUT)
    return held


def test_nothing_that_the_pin_opens_holds_the_root(world: World, held: Holding, pin_keys: CodeKeys) -> None:
    """Every PIN stanza there is: it gives the content key, which the issuer has anyway, and nothing else."""
    found = []
    for entry, _ in world.history:
        for info, value in zip(entry.header.parts, entry.parts, strict=True):
            if info.label is Label.PIN_STANZA:
                place = Context(world.ledger, held.carnet_id, info.label, info.slot)
                found.append(Keys.from_bytes(unseal(pin_keys.wrap, place, value)))
    assert found
    assert all(keys == Keys(keys.content, None, None, None, None) for keys in found)


def test_the_pin_enrols_no_device_once_the_carnet_is_signed(world: World, held: Holding, pin_keys: CodeKeys) -> None:
    mine = DeviceKeys.new()
    enrolled = devices.enrol(world.ledger, held.carnet_id, mine, pin_keys.sign, world.stamp)
    assert world.outcome(enrolled) is Outcome.CODE_VOIDED
    stolen = Holding(world.ledger, held.carnet_id, 1, mine.sign, held.content_key, held.roots)
    again = devices.sign(stolen, pin_keys, mine.seal.public, code(), world.stamp)
    assert world.outcome(again) is Outcome.ALREADY_SIGNED
    with pytest.raises(Skipped) as caught:
        world.submit(devices.admit(stolen, request(held), world.stamp))
    assert caught.value.outcome is Outcome.KEY_UNKNOWN


def test_an_amendment_or_a_new_pin_opens_no_way_in(world: World, held: Holding, pin_keys: CodeKeys) -> None:
    """After an amendment the carnet is unsigned: it is its own devices that sign it again."""
    mine, fresh = DeviceKeys.new(), code()
    world.must(acts.amend(world, held.carnet_id, pin_keys))
    rotated = keeping.rotate_pin(world.ledger, world.issuer, held.carnet_id, 2, held.content_key, fresh, world.stamp)
    world.must(rotated)
    stolen = Holding(world.ledger, held.carnet_id, 2, mine.sign, held.content_key, held.roots)
    assert world.outcome(devices.sign(stolen, fresh, mine.seal.public, code(), world.stamp)) is Outcome.ALREADY_HELD
    body = bodies.Sign(held.carnet_id, 2, bytes(32), None)
    with pytest.raises(Skipped) as caught:
        world.submit(make(world.ledger, body, world.stamp, (mine.sign, fresh.sign)))
    assert caught.value.outcome is Outcome.KEY_UNKNOWN


def test_resetting_the_holder_is_seen_and_gains_no_voucher(world: World, held: Holding) -> None:
    """What an issuer may do for a holder who has lost everything, done behind the holder's back: an incident that all of
    Customs sees, every open voucher void, nothing of the past opened."""
    fresh, mine = code(), DeviceKeys.new()
    reset = keeping.reset_holder(world.ledger, world.issuer, held.carnet_id, 1, held.content_key, fresh, world.stamp)
    world.must(reset)
    assert world.outcome(world.prepare(held, OUT)[0]) is Outcome.KEY_REVOKED
    own = devices.rooted_anew(Holding(world.ledger, held.carnet_id, 1, mine.sign, held.content_key, held.roots), 2)
    own = Holding(world.ledger, held.carnet_id, 1, mine.sign, held.content_key, own.roots[-1:])
    world.must(devices.sign(own, fresh, mine.seal.public, code(), world.stamp))
    assert acts.incidents(world, held.carnet_id)[-1].type is bodies.ResetHolder.TYPE
    entry = next(e for e, _ in world.history if isinstance(e.header.body, bodies.Travel))
    details = Context(world.ledger, held.carnet_id, Label.DECLARATION, 1)
    with pytest.raises(CannotOpen):
        unseal(own.journal(1), details, entry.parts[1])


def code() -> CodeKeys:
    return CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))


def request(held: Holding) -> devices.Request:
    mine = DeviceKeys.new()
    return devices.Request.of(held.ledger, held.carnet_id, mine)
