"""H7. The attacker has a phone that the holder has lost, and says so much of the carnet that the holder can say nothing any more."""

import os

import pytest
from eata_clients.authoring import keeping
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.notices import MOST_SAID
from eata_ledger.seal.codes import CodeKeys

from tests import acts
from tests.world import World

pytestmark = pytest.mark.rule("APP-06")
OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))


def test_a_holder_who_begins_anew_is_heard(world: World, pin_keys: CodeKeys) -> None:
    issued = world.issue()
    held = world.hold(issued, pin_keys)
    for _ in range(MOST_SAID):
        assert world.outcome(acts.ask(world, held)) is Outcome.ACCEPTED
    assert world.outcome(acts.ask(world, held)) is Outcome.TOO_MANY
    fresh = CodeKeys(SigningKey(os.urandom(32)), pin_keys.wrap)
    world.must(
        keeping.reset_holder(
            world.ledger, world.issuer, held.carnet_id, held.content_version, held.content_key, fresh, world.stamp,
            os.urandom(16),
        )
    )  # fmt: skip
    *_, importation = world.travel(world.hold(issued, fresh), *OUT)
    assert world.outcome(acts.notify(world, importation)) is Outcome.ACCEPTED
