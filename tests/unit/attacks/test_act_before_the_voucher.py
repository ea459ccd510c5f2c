"""P1, PRX-06. The attackers are a holder and one officer: the carnet has expired, and they date the border crossing back."""

import pytest
from eata_clients.authoring.content import Stamp
from eata_ledger.carnet.dates import DAY, HOUR, MINUTE
from eata_ledger.carnet.vocabulary import Kind, Role
from eata_ledger.outcomes import Outcome
from eata_ledger.seal.codes import CodeKeys

from tests.world import TODAY, World

pytestmark = pytest.mark.rule("PRX-06")
OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"))
ENDS = (TODAY + 31) * DAY - 2 * HOUR  # local midnight after the carnet's last day


def test_an_act_is_not_before_the_voucher_it_uses(world: World, pin_keys: CodeKeys) -> None:
    """The voucher is prepared after the end, the commit dated before it: by the officer's own shift, or by a controller's note."""
    held = world.hold(world.issue(), pin_keys)
    for ticket in world.travel(held, *OUT):
        assert world.commit(ticket) is Outcome.ACCEPTED
    world.now = ENDS - HOUR
    desk = world.desk("FRLYS")
    world.now = ENDS + 5 * HOUR
    [late] = world.travel(held, (Kind.IMPORTATION, "EU", "1-20"))
    assert world.commit(late, "FRLYS", desk=desk) is Outcome.CARNET_EXPIRED
    before = Stamp(ENDS - 30 * MINUTE, 120, 8 * HOUR)
    assert world.outcome(world.commit_entry(late, "FRLYS", desk=desk, stamp=before)) is Outcome.EVENT_TIME_WRONG
    fresh, controller = world.desk("FRLYS"), world.desk("FRLYS", Role.CONTROLLER)
    noted = world.commit_entry(late, "FRLYS", desk=fresh, stamp=before, controller=controller)
    assert world.outcome(noted) is Outcome.EVENT_TIME_WRONG


def test_a_controller_whose_shift_has_ended_countersigns_nothing(world: World, pin_keys: CodeKeys) -> None:
    """The certificate was good at the noted time, and is not now."""
    [ticket, *_] = world.travel(world.hold(world.issue(), pin_keys), *OUT)
    noted, controller = Stamp(world.now, 120, life=8 * DAY), world.desk("CHZRH", Role.CONTROLLER)
    world.now += 2 * DAY
    entry = world.commit_entry(ticket, stamp=noted, controller=controller)
    assert world.outcome(entry) is Outcome.CERT_EXPIRED
    live = world.commit_entry(ticket, stamp=noted, controller=world.desk("CHZRH", Role.CONTROLLER))
    assert world.outcome(live) is Outcome.ACCEPTED
