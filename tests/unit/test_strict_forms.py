"""C1, C3, C30: what looks like a date, a time or a kind and is none is refused, not read as something else."""

from typing import Any

import pytest
from eata_clients.zones import event_time
from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.journeys.journey import Journey
from eata_ledger.carnet.territories import territory_of
from eata_ledger.encoding import Malformed

CARNET = {"number": "CHTA1", "home": "CH", "items": 3, "issued": "2026-06-01", "valid_until": "2026-11-30"}
ROW = {"kind": "EXPORTATION", "at": "2026-06-02T10:00", "territory": "CH", "declared": "1-3"}


def journey(row: dict[str, Any], root: dict[str, Any] | None = None, **carnet: Any) -> Journey:
    return Journey.from_json({"carnet": CARNET | carnet, "transactions": [ROW | row], **(root or {})})


@pytest.mark.parametrize(
    "text", ["20270531", "2027-W22-1", "2027-5-31", "2027-05-31T00:00", "٢٠٢٧-05-31", "9999-12-31", ""]
)
def test_a_date_has_one_form(text: str) -> None:
    with pytest.raises(Malformed):
        day_of(text)


@pytest.mark.parametrize(
    "text",
    ["2026-06-02T14:34+02:00:29", "20260602T14+02:00", "2026-W23-2T14:34+02:00", "2026-06-02x14:34+02:00", "2026-06-02T14:34"],
)  # fmt: skip
def test_a_time_has_one_form_and_its_offset(text: str) -> None:
    with pytest.raises(Malformed):
        event_time(text)


@pytest.mark.parametrize(
    "row",
    [{"kind": "1EXPORTATION9"}, {"kind": "exportatıon"}, {"at": "2026-06-02T10:00Z"}, {"at": "2026-06-02T10:00+02:00"},
     {"final_date": False}, {"final_date": []}, {"not_returned": {}}, {"territory": 7}],
)  # fmt: skip
def test_a_row_says_what_it_says_in_text(row: dict[str, Any]) -> None:
    journey({})
    with pytest.raises(Malformed):
        journey(row)


def test_a_journeys_own_fields_are_text() -> None:
    for carnet in ({"number": ["x"]}, {"issued": 20260601}, {"valid_until": "20261130"}):
        with pytest.raises(Malformed):
            journey({}, **carnet)
    with pytest.raises(Malformed):
        journey({}, {"as_of": 20260603})
    assert journey({"final_date": ""}, {"as_of": ""}).as_of is None


@pytest.mark.parametrize(("code", "territory"), [("PR", "US"), ("AX", "EU"), ("MC", "EU"), ("IM", "GB")])
def test_a_place_inside_a_territory_is_one_of_its_countries(code: str, territory: str) -> None:
    assert territory_of(code) == territory
