from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.outcomes import Outcome
from eata_ledger.seal.codes import code_keys

from tests.world import World


def test_smoke() -> None:
    world = World()
    issued = world.issue()
    held = world.hold(issued, code_keys(issued.pin, world.ledger, issued.carnet_id))
    v, e, i = world.travel(
        held, (Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20")
    )
    assert world.commit(e) is Outcome.NOT_VALIDATED
    assert world.commit(v) is Outcome.ACCEPTED
    assert world.commit(e) is Outcome.ACCEPTED
    assert world.commit(i, "DEBER") is Outcome.ACCEPTED
    assert str(world.state(issued.carnet_id).home_out) == "1-20"
