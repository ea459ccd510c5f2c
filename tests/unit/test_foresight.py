"""What a holder should do by when, where the goods are, and what answers a claim."""

import pytest
from eata_ledger.carnet.dates import day_of, iso, months_after
from eata_ledger.carnet.goods.balances import EMPTY, Balances
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.goods.openings import Opening, Openings
from eata_ledger.carnet.goods.sampling import sample
from eata_ledger.carnet.journeys.claims import Movement, Rank, claim_clock, evidence
from eata_ledger.carnet.journeys.foresight import Deadline, Place, deadlines, splits, whereabouts
from eata_ledger.carnet.journeys.reconciliation import Reason, ReasonKind
from eata_ledger.carnet.vocabulary import Kind
from hypothesis import given
from hypothesis import strategies as st

UNTIL = day_of("2026-12-31")
LISTED = Items.parse("1-20")


def items(text: str) -> Items:
    return Items.parse(text)


@pytest.mark.rule("U3")
def test_every_open_balance_is_a_deadline_the_nearest_first() -> None:
    """Re-export by its own final date, transit by its own, re-import by the carnet's last day."""
    balances = Balances(items("1-20"), {"EU": items("1-10")}, {"RS": items("11-12")})
    arrivals: Openings = {"EU": (Opening(items("1-4"), UNTIL - 30), Opening(items("5-10"), UNTIL - 10))}
    found = deadlines("CH", UNTIL, balances, arrivals, {"RS": (Opening(items("11-12"), UNTIL - 40),)})
    assert [(d.kind.value, d.territory, str(d.items), d.day - UNTIL) for d in found] == [
        ("TRANSIT_NOT_CLOSED", "RS", "11-12", -40), ("MISSING_REEXPORTATION", "EU", "1-4", -30),
        ("MISSING_REEXPORTATION", "EU", "5-10", -10), ("MISSING_REIMPORTATION", "CH", "1-20", 0),
    ]  # fmt: skip
    assert deadlines("CH", UNTIL, EMPTY, {}, {}) == ()


@pytest.mark.rule("U3")
@pytest.mark.parametrize(
    ("left", "horizon"), [(61, None), (60, 60), (31, 60), (30, 30), (8, 30), (7, 7), (2, 7), (1, 1), (0, 1), (-1, 0)]
)
def test_reminders_come_at_sixty_thirty_seven_and_one(left: int, horizon: int | None) -> None:
    deadline = Deadline(ReasonKind.MISSING_REEXPORTATION, "EU", items("1"), UNTIL)
    assert deadline.horizon(UNTIL - left) == horizon


@pytest.mark.rule("U5")
def test_each_item_is_in_one_place() -> None:
    balances = Balances(items("1-12"), {"EU": items("1-6")}, {"RS": items("7")})
    found = whereabouts("CH", LISTED, balances, items("8"))
    assert {(w.place, w.territory): str(w.items) for w in found} == {
        (Place.TRANSIT, "RS"): "7", (Place.ABROAD, "EU"): "1-6", (Place.GONE, ""): "8", (Place.OUT, ""): "9-12",
        (Place.HOME, "CH"): "13-20",
    }  # fmt: skip


SETS_OF_ITEMS = st.integers(0, 2**21 - 1).map(lambda bits: Items(bits & (2**21 - 2)))


@given(SETS_OF_ITEMS, SETS_OF_ITEMS, SETS_OF_ITEMS, SETS_OF_ITEMS)
def test_no_item_is_lost_or_doubled(out: Items, abroad: Items, transit: Items, gone: Items) -> None:
    found = whereabouts("CH", LISTED, Balances(out, {"EU": abroad}, {"RS": transit}), gone)
    assert sum(len(w.items) for w in found) == len(LISTED)
    joined = Items()
    for place in found:
        joined |= place.items
    assert joined == LISTED


@pytest.mark.rule("U5")
@pytest.mark.rule("N-11")
def test_splits_offer_all_the_rest_and_the_same_as_last() -> None:
    """The rest is what the last one left, not a count from item 1."""
    offers = {s.name: str(s.items) for s in splits(items("1-10"), items("1-4"))}
    assert offers == {"all": "1-10", "rest": "5-10", "same as last": "1-4"}
    assert [s.name for s in splits(items("1-10"), Items())] == ["all"]
    assert splits(Items(), items("1")) == ()


@pytest.mark.rule("U4")
def test_the_claim_clock_runs_twelve_six_and_three_months() -> None:
    """Domain §3.3: 12 months to lodge, 6 to prove, 3 until it is final."""
    clock = claim_clock(day_of("2026-05-31"))
    assert [iso(day) for day in (clock.lodge_by, clock.prove_by, clock.final_on)] == [
        "2027-05-31", "2027-11-30", "2028-02-29",
    ]  # fmt: skip
    claimed = claim_clock(day_of("2026-05-31"), day_of("2026-08-15"))
    assert iso(claimed.prove_by) == "2027-02-15"


@pytest.mark.parametrize(
    ("day", "months", "result"),
    [("2026-01-31", 1, "2026-02-28"), ("2024-01-31", 1, "2024-02-29"), ("2026-12-15", 1, "2027-01-15"),
     ("2026-03-31", -1, "2026-02-28"), ("2026-01-10", -5, "2025-08-10"), ("2026-11-30", 12, "2027-11-30")],
)  # fmt: skip
def test_months_keep_the_date_or_end_with_the_month(day: str, months: int, result: str) -> None:
    assert iso(months_after(day_of(day), months)) == result


def moved(index: int, kind: Kind, territory: str, which: str, day: int = UNTIL - 5) -> Movement:
    return Movement(index, kind, territory, items(which), day)


@pytest.mark.rule("NICS-11")
@pytest.mark.rule("U4")
@pytest.mark.rule("GTP-13")
def test_evidence_is_ranked_and_what_nothing_covers_is_named() -> None:
    """Re-exports of the same territory first, then entries elsewhere, whatever office wrote them (domain §3.3)."""
    reason = Reason(ReasonKind.MISSING_REEXPORTATION, "EU", items("1-10"))
    log = [
        moved(1, Kind.REEXPORTATION, "EU", "1-10"),  # before the arrival: says nothing of it
        moved(2, Kind.IMPORTATION, "EU", "1-10"),
        moved(3, Kind.REIMPORTATION, "CH", "1-4"),
        moved(4, Kind.REEXPORTATION, "EU", "5"),
        moved(5, Kind.IMPORTATION, "US", "6"),
        moved(6, Kind.REEXPORTATION, "EU", "7", UNTIL + 1),  # after expiry
    ]
    found, missing = evidence(reason, log, UNTIL)
    assert [(e.rank, e.index, str(e.items)) for e in found] == [
        (Rank.REEXPORTATION, 4, "5"), (Rank.SEEN_ELSEWHERE, 3, "1-4"), (Rank.SEEN_ELSEWHERE, 5, "6"),
    ]  # fmt: skip
    assert str(missing) == "7-10"


def test_nothing_in_the_log_answers_a_missing_return_home() -> None:
    reason = Reason(ReasonKind.MISSING_REIMPORTATION, "CH", items("1"))
    assert evidence(reason, [moved(1, Kind.REEXPORTATION, "EU", "1")], UNTIL) == ([], items("1"))


@pytest.mark.rule("U8")
def test_a_sample_is_reproducible_and_depends_on_both_sides() -> None:
    leaf, serial = bytes(32), bytes(16)
    drawn = sample(leaf, serial, LISTED, 5)
    assert sample(leaf, serial, LISTED, 5) == drawn
    assert drawn <= sample(leaf, serial, LISTED, 8)
    assert len({str(sample(leaf, bytes([n]) * 16, LISTED, 5)) for n in range(20)}) > 10
    assert len({str(sample(bytes([n]) * 32, serial, LISTED, 5)) for n in range(20)}) > 10
    assert sample(leaf, serial, items("3"), 5) == items("3")
