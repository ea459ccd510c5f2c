"""H8. The attacker is a holder whose proxy holds back another's travel: it has read the vouchers' public keys there, and
declares them first, to make the victim's own travel impossible."""

from dataclasses import replace

import pytest
from eata_clients.authoring import holding
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.encoding import sha256
from eata_ledger.log import bodies
from eata_ledger.log.declared import Declared, declare
from eata_ledger.log.entry import Entry, Part
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.seal.codes import CodeKeys

from tests.world import World

pytestmark = pytest.mark.rule("OBJ-05")
OUT = (Kind.EXPORTATION, "CH", "1-20")


@pytest.fixture
def attacker(world: World, pin_keys: CodeKeys) -> Holding:
    return world.hold(world.issue(), pin_keys)


@pytest.fixture
def held_back(world: World, pin_keys: CodeKeys) -> Entry:
    """The victim's travel, which only the attacker's proxy has seen."""
    return world.prepare(world.hold(world.issue(), pin_keys), OUT)[0]


def declared_again(world: World, attacker: Holding, parts: tuple[Part, ...]) -> Outcome:
    travel = bodies.Travel(attacker.carnet_id, bytes(16))
    return world.outcome(make(world.ledger, travel, world.stamp, (attacker.device,), parts))


def parts_of(entry: Entry) -> tuple[Part, ...]:
    """As the proxy reads them off the entry."""
    infos = zip(entry.header.parts, entry.parts, strict=True)
    return tuple(Part(info.label, info.slot, value) for info, value in infos)


def test_a_copied_declaration_is_not_the_copiers(world: World, attacker: Holding, held_back: Entry) -> None:
    """The very parts, on another carnet: the voucher key has declared them for its own."""
    with pytest.raises(Skipped) as caught:
        declared_again(world, attacker, parts_of(held_back))
    assert caught.value.outcome is Outcome.SIGNATURE_INVALID
    assert world.outcome(held_back) is Outcome.ACCEPTED


def test_anothers_key_under_ones_own_proof_is_refused(world: World, attacker: Holding, held_back: Entry) -> None:
    """A declaration of the attacker's own, that names the victim's key."""
    copied = Declared.from_part(parts_of(held_back)[0].value).declaration
    sealed = (Part(Label.DECLARATION, 1, b"details"), Part(Label.PACKET, 1, b"packet"))
    digests = (sha256(sealed[0].value), sha256(sealed[1].value))
    forged = declare(world.ledger, attacker.carnet_id, replace(copied, slot=1), attacker.device, digests, bytes(16))
    with pytest.raises(Skipped) as caught:
        declared_again(world, attacker, (Part(Label.DECLARED, 1, forged.to_part()), *sealed))
    assert caught.value.outcome is Outcome.SIGNATURE_INVALID
    assert world.outcome(held_back) is Outcome.ACCEPTED


def test_one_key_on_two_carnets_hinders_neither(world: World, pin_keys: CodeKeys) -> None:
    """Who made a key may use it on both of its own carnets: what is one's own is asked a carnet at a time."""
    first, second = (world.hold(world.issue(), pin_keys) for _ in range(2))
    entry, [ticket] = world.prepare(first, OUT)
    assert world.outcome(entry) is Outcome.ACCEPTED
    parts = holding.declare(second, 1, ticket.wish, ticket.keys, ticket.cancel.public)
    assert declared_again(world, second, tuple(parts)) is Outcome.ACCEPTED
