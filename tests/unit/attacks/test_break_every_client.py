"""H3. The attacker is one administration of eighty: it registers and describes offices without end, for every client in the
world has to fetch them."""

import pytest
from eata_ledger.carnet.dates import DAY
from eata_ledger.facts import key_of
from eata_ledger.log.bodies import RegisterOffice
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.registered import A_YEAR, SIZE_A_YEAR
from eata_ledger.state import RegisteredBy, RegistryHead

from tests import acts
from tests.world import TODAY, World

pytestmark = pytest.mark.rule("OBJ-03")


def office(number: int) -> RegisterOffice:
    return RegisterOffice(f"CH{number:05d}", "CH", "CH", "an office", "Europe/Zurich", (60, 120), True, TODAY)


def spent(world: World, entries: int, size: int) -> None:
    year = world.now // DAY // 365
    world.facts[int(RegisteredBy.FAMILY), key_of(year, "CH")] = RegisteredBy(entries, size).to_bytes()


def test_registrations_end_for_the_year_and_for_that_administration(world: World) -> None:
    spent(world, A_YEAR - 1, 0)
    assert acts.by_party(world, "CH", office(1)) is Outcome.ACCEPTED
    assert acts.by_party(world, "CH", office(2)) is Outcome.BUDGET_SPENT
    spent(world, 0, SIZE_A_YEAR - 100)
    assert acts.by_party(world, "CH", office(2)) is Outcome.BUDGET_SPENT
    german = RegisterOffice("DE00001", "DE", "EU", "an office", "Europe/Zurich", (60, 120), True, TODAY)
    assert acts.by_party(world, "DE", german) is Outcome.ACCEPTED
    world.now += 366 * DAY
    assert acts.by_party(world, "CH", office(2)) is Outcome.ACCEPTED


def test_what_is_refused_is_no_part_of_the_registry(world: World) -> None:
    """The head counts what every client has to fetch."""
    before = world.fact(RegistryHead, b"")
    assert isinstance(before, RegistryHead)
    spent(world, A_YEAR, 0)
    assert acts.by_party(world, "CH", office(1)) is Outcome.BUDGET_SPENT
    assert world.fact(RegistryHead, b"") == before
    spent(world, 0, 0)
    assert acts.by_party(world, "CH", office(1)) is Outcome.ACCEPTED
    after = world.fact(RegistryHead, b"")
    assert isinstance(after, RegistryHead)
    assert (after.count, after.head != before.head) == (before.count + 1, True)
