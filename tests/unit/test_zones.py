"""Field cases C3 to C5: an act bears the time of its office's clocks, wherever the computer stands and whatever it shows."""

import time
from datetime import datetime

import pytest
from eata_clients.commands.customs import _of_office
from eata_clients.zones import clock_differs, event_time, offset_at, offsets_of, shown_offset
from eata_host.faults import Fault
from eata_ledger.carnet.dates import iso, local_day
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import RegisterOffice


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def office(zone: str, offsets: tuple[int, ...] | None = None) -> RegisterOffice:
    known = offsets_of(zone, ms("2026-06-01T00:00Z")) if offsets is None else offsets
    return RegisterOffice("CH-ZRH", "CH", "CH", "Zurich Airport", zone, known, True, 0)


@pytest.mark.parametrize(
    ("zone", "offsets"),
    [
        ("Europe/Zurich", (60, 120)), ("Asia/Tokyo", (540,)), ("Australia/Lord_Howe", (630, 660)),
        ("Asia/Kolkata", (330,)), ("America/St_Johns", (-210, -150)), ("UTC", (0,)),
    ],
)  # fmt: skip
def test_an_office_is_registered_with_every_offset_of_its_zone(zone: str, offsets: tuple[int, ...]) -> None:
    assert office(zone).offsets == offsets


@pytest.mark.parametrize("zone", ["Europe/Zürich", "Zurich", "../etc/passwd", "", "+02:00", "localtime", "posixrules"])
def test_what_is_no_zone_is_not_registered(zone: str) -> None:
    with pytest.raises(Malformed):
        offsets_of(zone, 0)


@pytest.mark.parametrize("zone", ["Europe/Zürich", "/etc/passwd", "../x", "Europe/", "a/b/c/d", "x" * 41])
def test_nodes_look_at_the_form_of_a_zone_alone(zone: str) -> None:
    with pytest.raises(Malformed):
        RegisterOffice.from_bytes(office("Europe/Zurich").to_bytes().replace(b"\x6dEurope/Zurich", _text(zone)))


def _text(value: str) -> bytes:
    data = value.encode()
    return (bytes([0x60 + len(data)]) if len(data) < 24 else bytes([0x78, len(data)])) + data


def test_after_midnight_in_zurich_it_is_the_next_day() -> None:
    """C4: half past midnight of 1 July, summer time: a carnet valid to 30 June has expired."""
    at = ms("2026-06-30T22:30Z")
    assert iso(local_day(at, offset_at(office("Europe/Zurich"), at))) == "2026-07-01"
    assert offset_at(office("Europe/Zurich"), ms("2026-01-15T12:00Z")) == 60


def test_a_zone_that_this_computer_does_not_know_stops_no_desk() -> None:
    """Newer than its list, or registered by hand: its own clock where the office has it, else the office's first offset."""
    unknown, at = office("Europe/Nowhere", (60, 120)), ms("2026-07-01T12:00Z")
    assert offset_at(unknown, at) in (60, 120)
    assert "Europe/Nowhere" in clock_differs(unknown, at)


@pytest.mark.parametrize(("minutes", "text"), [(0, "+00:00"), (330, "+05:30"), (-210, "-03:30"), (-240, "-04:00")])
def test_an_offset_is_shown_as_clocks_show_it(minutes: int, text: str) -> None:
    assert shown_offset(minutes) == text


def test_where_a_zone_has_changed_its_rules_the_nearest_registered_offset_is_taken() -> None:
    assert offset_at(office("Europe/Zurich", (60,)), ms("2026-07-01T12:00Z")) == 60


@pytest.mark.parametrize(("here", "differs"), [("UTC", True), ("Europe/London", True), ("Europe/Berlin", False)])
def test_a_computer_with_another_clock_is_told_so(here: str, differs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """C5: nothing that is written depends on it; the officer reads whose time it is."""
    monkeypatch.setenv("TZ", here)
    time.tzset()
    try:
        said = clock_differs(office("Europe/Zurich"), ms("2026-07-01T12:00Z"))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert bool(said) is differs
    assert not said or "14:00" in said


def test_a_typed_offset_is_kept_or_refused() -> None:
    """C3: 18:20 at +11:00 is not 17:20 at +10:00."""
    typed = event_time("2026-11-30T18:20:05+11:00")
    assert typed == (ms("2026-11-30T07:20:05Z"), 660)
    assert _of_office(typed, office("Australia/Sydney")) == typed
    with pytest.raises(Fault, match=r"\+01:00 or \+02:00"):
        _of_office(typed, office("Europe/Zurich"))
