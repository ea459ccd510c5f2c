"""The way to a digital date, officers' own certificates, and codes that need no network."""

from pathlib import Path

import pytest
from eata_clients.authoring.holding import RootKey
from eata_clients.holder.keystore import KeptCarnet, Keystore
from eata_host.vault import write_locked
from eata_ledger.carnet.dates import HOUR, day_of, iso
from eata_ledger.carnet.journeys.preparation import OfficeStatus, Step, due_days, steps, workload
from eata_ledger.carnet.vocabulary import Role
from eata_ledger.log.certificate import Certified
from eata_ledger.seal.codes import CodeKind

from tests.world import World

READY = OfficeStatus("North", "Airport", 30, 30, 30, True, True, False)
DIGITAL = day_of("2027-06-01")


@pytest.mark.rule("GTP-10")
def test_six_steps_lead_to_the_digital_date() -> None:
    assert [f"{step.value} {iso(day)}" for step, day in due_days(DIGITAL).items()] == [
        "INITIAL_DATE 2027-01-01", "ADMINISTRATIVE 2027-03-01", "OFFICES_EQUIPPED 2027-03-01",
        "OFFICIALS_TRAINED 2027-03-01", "READINESS 2027-03-01", "GO_LIVE 2027-06-01",
    ]  # fmt: skip


@pytest.mark.rule("GTP-10")
def test_a_step_is_late_the_day_after_it_was_due() -> None:
    """Equipment and training are read off the offices, whatever is declared."""
    untrained = OfficeStatus("North", "Port", 10, 9, 10, True, True, True)
    declared = frozenset({Step.INITIAL_DATE, Step.OFFICIALS_TRAINED})
    on_the_day, after = (steps(DIGITAL, (READY, untrained), declared, day_of("2027-03-01") + n) for n in (0, 1))
    assert [s.step.value for s in after if s.late] == ["ADMINISTRATIVE", "OFFICIALS_TRAINED", "READINESS"]
    assert not any(s.late for s in on_the_day)
    assert [s.step.value for s in after if s.done] == ["INITIAL_DATE", "OFFICES_EQUIPPED"]
    assert not any(s.done for s in steps(DIGITAL, (), declared, DIGITAL))


@pytest.mark.rule("GTP-11")
def test_an_office_is_ready_when_equipped_and_everyone_is_trained_and_has_an_account() -> None:
    """A scanner helps; a code can always be typed."""
    port = OfficeStatus("North", "Port", 10, 4, 9, False, True, True)
    assert (READY.ready, READY.missing()) == (True, ())
    assert port.missing() == ("internet", "training for 6", "accounts for 1")


@pytest.mark.rule("GTP-11")
@pytest.mark.rule("ID-09")
def test_a_thousand_officers_are_trained_in_groups_of_fifteen() -> None:
    """The guide's sample: 10 offices, 1,000 officers."""
    offices = tuple(OfficeStatus("All", f"office {n}", 100, 0, 0, n > 0, True, True) for n in range(10))
    left = workload(offices)
    assert (left.groups, left.training_hours, left.equip_hours, left.account_hours) == (67, 201, 4, 50)


@pytest.mark.rule("ID-01")
@pytest.mark.rule("ID-07")
@pytest.mark.rule("ID-08")
@pytest.mark.rule("ID-09")
def test_every_officer_has_a_certificate_of_their_own_for_one_shift(world: World) -> None:
    """An opaque id, one role, one office, twelve hours: who leaves is simply not certified again."""
    desks = [world.desk(office) for office in ("CHZRH", "DEBER") for _ in range(500)]
    presented = [Certified.from_bytes(desk.certificate) for desk in desks]
    certificates = [p.certificate for p in presented]
    assert len({c.officer for c in certificates}) == len({c.key for c in certificates}) == 1_000
    assert all(c.valid_to - c.valid_from == 12 * HOUR and c.role is Role.OFFICER for c in certificates)
    assert presented[0].genuine(world.authorities["CH"].public)
    assert not presented[0].genuine(world.authorities["DE"].public)


@pytest.mark.rule("APP-25")
def test_a_wallet_shows_its_codes_with_no_network(tmp_path: Path) -> None:
    """No transport at all: the keystore is enough."""
    wallet = Keystore(tmp_path)
    kept = KeptCarnet(bytes(32), 883, 1, bytes(32), bytes(32), bytes(32), None, (RootKey(1, 1, bytes(range(32))),))
    write_locked(tmp_path / "883.keys", kept.to_bytes())
    shown = wallet.code(883, 1)
    assert shown.text.startswith("EATA1:T:883:")
    assert wallet.code(883, 1) == shown
    assert wallet.code(883, 1, CodeKind.CANCELLATION).text != shown.text
