"""ACC-30. The attacker is one officer or controller and wants what takes two: a return on a blocked carnet."""

import os
from dataclasses import replace

import pytest
from eata_clients.authoring import clearing, registering
from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.vocabulary import Kind, Role
from eata_ledger.log.bodies import Block
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.seal.codes import CodeKeys

from tests import acts
from tests.world import TODAY, Ticket, World

pytestmark = pytest.mark.rule("ACC-30")
OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"),
       (Kind.REEXPORTATION, "EU", "1-20"))  # fmt: skip


@pytest.fixture
def blocked(world: World, pin_keys: CodeKeys) -> Ticket:
    """The re-exportation's voucher; Berlin has imported, the issuer has blocked."""
    tickets = world.travel(world.hold(world.issue(), pin_keys), *OUT)
    for ticket, office in zip(tickets, ("CHZRH", "CHZRH", "DEBER"), strict=False):
        assert world.commit(ticket, office) is Outcome.ACCEPTED
    assert acts.by_issuer(world, Block(tickets[0].holding.carnet_id)) is Outcome.ACCEPTED
    return tickets[3]


def test_a_controller_is_not_its_own_second(world: World, blocked: Ticket) -> None:
    """The same certificate twice; then another desk of the same person."""
    authority, person = world.authorities["DE"], os.urandom(16)

    def signed_in(role: Role) -> clearing.Desk:
        return clearing.sign_in(world.ledger, authority, "DEBER", role, world.now, person)

    controller, signed_in_again = signed_in(Role.CONTROLLER), signed_in(Role.OFFICER)
    assert world.commit(blocked, "DEBER", desk=controller, controller=controller) is Outcome.CARNET_BLOCKED
    assert world.commit(blocked, "DEBER", desk=signed_in_again, controller=controller) is Outcome.CARNET_BLOCKED
    assert world.commit(blocked, "DEBER", controller=controller) is Outcome.ACCEPTED


def test_a_controller_of_another_office_does_not_count(world: World, blocked: Ticket) -> None:
    """Of the same administration, down the road."""
    world.must(
        registering.office(
            world.ledger, world.parties["DE"], "DEMUC", "EU", "Munich", "Europe/Berlin", TODAY, world.stamp
        )
    )
    other = clearing.sign_in(world.ledger, world.authorities["DE"], "DEMUC", Role.CONTROLLER, world.now)
    assert world.commit(blocked, "DEBER", controller=other) is Outcome.CARNET_BLOCKED


def test_a_controller_whose_shift_ended_does_not_count(world: World, blocked: Ticket) -> None:
    controller = world.desk("DEBER", Role.CONTROLLER)
    world.now += DAY
    assert world.commit(blocked, "DEBER", controller=controller) is Outcome.CARNET_BLOCKED


def test_a_controller_is_named_only_by_its_own_signature(world: World, blocked: Ticket) -> None:
    """Anybody has seen the certificate; its key signs nothing here."""
    officer, controller = world.desk("DEBER"), world.desk("DEBER", Role.CONTROLLER)
    forged = replace(controller, key=officer.key)
    with pytest.raises(Skipped, match="SIGNATURE_INVALID"):
        world.outcome(world.commit_entry(blocked, "DEBER", desk=officer, controller=forged))
