"""Positional revocation: what a key signed before stands, what the log orders after counts for nothing."""

import os

import pytest
from eata_clients.authoring import clearing, registering
from eata_clients.authoring.entries import make
from eata_ledger.carnet.vocabulary import Kind, Role
from eata_ledger.log.bodies import Block, RevokeKey
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.state import CarnetState

from tests import acts
from tests.world import TODAY, Ticket, World

OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))


@pytest.fixture
def tickets(world: World, pin_keys: CodeKeys) -> list[Ticket]:
    return world.travel(world.hold(world.issue(), pin_keys), *OUT)


def revoke(world: World, key: SigningKey, by: SigningKey) -> Entry:
    return make(world.ledger, RevokeKey(key.id), world.stamp, (by,))


def test_a_revoked_desk_authority_certifies_nobody_any_more(world: World, tickets: list[Ticket]) -> None:
    """Commits before stand; desks it certified, also before, are refused; a new authority goes on."""
    old_desk = world.desk()
    assert world.commit(tickets[0], desk=old_desk) is Outcome.ACCEPTED
    assert world.outcome(revoke(world, world.authorities["CH"], world.parties["CH"].sign)) is Outcome.ACCEPTED
    assert world.commit(tickets[1], desk=old_desk) is Outcome.KEY_REVOKED
    assert world.commit(tickets[1]) is Outcome.KEY_REVOKED
    fresh = SigningKey(os.urandom(32))
    world.must(registering.desk_authority(world.ledger, world.parties["CH"], fresh, TODAY, world.stamp))
    new_desk = clearing.sign_in(world.ledger, fresh, "CHZRH", Role.OFFICER, world.now)
    assert world.commit(tickets[1], desk=new_desk) is Outcome.ACCEPTED
    state = world.fact(CarnetState, tickets[0].holding.carnet_id)
    assert isinstance(state, CarnetState)
    assert state.rows == 2


def test_a_revoked_authoritys_controller_does_not_countersign(world: World, tickets: list[Ticket]) -> None:
    controller = world.desk("CHZRH", Role.CONTROLLER)
    fresh = SigningKey(os.urandom(32))
    world.must(registering.desk_authority(world.ledger, world.parties["CH"], fresh, TODAY, world.stamp))
    world.must(revoke(world, world.authorities["CH"], world.operations))
    desk = clearing.sign_in(world.ledger, fresh, "CHZRH", Role.OFFICER, world.now)
    assert world.commit(tickets[0], desk=desk, controller=controller) is Outcome.KEY_REVOKED


def test_an_organisations_key_is_revoked_by_operations_alone(world: World, tickets: list[Ticket]) -> None:
    for by in (world.parties["CH"].sign, world.issuer.sign):
        assert world.outcome(revoke(world, world.issuer.sign, by)) is Outcome.ROLE_FORBIDDEN
    assert world.outcome(revoke(world, world.issuer.sign, world.operations)) is Outcome.ACCEPTED
    assert acts.by_issuer(world, Block(tickets[0].holding.carnet_id)) is Outcome.KEY_REVOKED
    assert world.outcome(revoke(world, world.issuer.sign, world.operations)) is Outcome.KEY_REVOKED


def test_a_desk_authority_is_revoked_by_its_own_administration(world: World) -> None:
    assert world.outcome(revoke(world, world.authorities["CH"], world.parties["DE"].sign)) is Outcome.ROLE_FORBIDDEN
    unknown = SigningKey(os.urandom(32))
    assert world.outcome(revoke(world, unknown, world.operations)) is Outcome.PARENT_UNKNOWN
    with pytest.raises(Skipped):
        world.submit(revoke(world, world.authorities["CH"], unknown))
