"""Where each item is, what to do by when, and what that would cost if nobody did: the holder's own forecast (U3–U5)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eata_ledger.carnet.dates import iso
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.journeys.claims import ClaimClock, claim_clock
from eata_ledger.carnet.journeys.foresight import (
    HORIZONS,
    Deadline,
    Place,
    Suggestion,
    Whereabouts,
    deadlines,
    splits,
    whereabouts,
)
from eata_ledger.carnet.journeys.reconciliation import ReasonKind
from eata_ledger.carnet.vocabulary import RETURNS

from eata_clients.holder.downloaded import Downloaded

_DO = {
    ReasonKind.MISSING_REEXPORTATION: "re-export",
    ReasonKind.MISSING_REIMPORTATION: "re-import",
    ReasonKind.TRANSIT_NOT_CLOSED: "close the transit of",
}


@dataclass(frozen=True)
class Forecast:
    """A carnet looked at on the day `today`."""

    downloaded: Downloaded
    today: int
    places: tuple[Whereabouts, ...]
    deadlines: tuple[Deadline, ...]
    clock: ClaimClock

    @property
    def at_risk(self) -> bool:
        """Something is open, and its first reminder has come."""
        return any(deadline.horizon(self.today) is not None for deadline in self.deadlines)

    def offers(self, place: Whereabouts) -> tuple[Suggestion, ...]:
        """Items one might pick next where these goods are (U5)."""
        live = [row for row, _ in self.downloaded.rows if row.cancelled is None]
        return splits(place.items, live[-1].items if live else Items())


def forecast(shown: Downloaded, today: int) -> Forecast:
    """From what the node told of balances and openings, as the log has them now."""
    gone = Items()
    for row, _ in shown.rows:
        if row.cancelled is None and row.kind in RETURNS:
            gone |= row.not_returned
    carnet, goods = shown.carnet, shown.goods
    return Forecast(
        shown, today, whereabouts(carnet.home, carnet.all_items, goods.balances, gone),
        deadlines(carnet.home, carnet.valid_until, goods.balances, goods.arrivals, goods.transits),
        claim_clock(carnet.valid_until),
    )  # fmt: skip


def sentence(deadline: Deadline, today: int) -> str:
    left = deadline.days_left(today)
    when = f"by {iso(deadline.day)} ({left} days left)" if left >= 0 else f"was due {iso(deadline.day)}"
    return f"{_DO[deadline.kind]} items {deadline.items} in {deadline.territory} {when}"


def as_json(found: Forecast) -> dict[str, Any]:
    """What `eata wallet where --json` prints."""
    return {
        "carnet_id": found.downloaded.carnet.carnet_id,
        "number": found.downloaded.carnet.number,
        "today": iso(found.today),
        "at_risk": found.at_risk,
        "places": [
            {"place": w.place.value, "territory": w.territory, "items": str(w.items),
             "suggestions": [{"name": s.name, "items": str(s.items)} for s in found.offers(w)]}
            for w in found.places
        ],
        "deadlines": [
            {"kind": d.kind.value, "territory": d.territory, "items": str(d.items), "by": iso(d.day),
             "days_left": d.days_left(found.today), "reminder": d.horizon(found.today),
             "do": sentence(d, found.today)}
            for d in found.deadlines
        ],
        "claim_clock": {"lodge_by": iso(found.clock.lodge_by), "prove_by": iso(found.clock.prove_by),
                        "final_on": iso(found.clock.final_on)},
    }  # fmt: skip


def lines(found: Forecast) -> list[str]:
    marks = {Place.HOME: "⌂", Place.ABROAD: "→", Place.TRANSIT: "⇢", Place.OUT: "↗", Place.GONE: "∅"}
    told = [f"  {marks[w.place]} {w.place.value:<8} {w.territory:<4} items {w.items}" for w in found.places]
    told += [f"  ! {sentence(d, found.today)}" for d in found.deadlines]
    return told or ["  Nothing is out."]


def calendar(found: Forecast) -> bytes:
    """Every deadline as an all-day iCalendar event (RFC 5545), with alarms 60, 30, 7 and 1 days before."""
    import icalendar

    whole = icalendar.Calendar()
    whole.add("prodid", "-//eATA//wallet//EN")
    whole.add("version", "2.0")
    number = found.downloaded.carnet.number
    for deadline in found.deadlines:
        event = icalendar.Event()
        event.add("uid", f"{number}-{deadline.kind.value}-{deadline.territory}-{deadline.day}@eata")
        event.add("dtstamp", datetime.now(UTC))
        event.add("dtstart", (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=deadline.day)).date())
        text = f"{number}: {_DO[deadline.kind]} items {deadline.items} in {deadline.territory}"
        event.add("summary", text)
        for days in HORIZONS:
            alarm = icalendar.Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("description", text)
            alarm.add("trigger", timedelta(days=-days))
            event.add_component(alarm)
        whole.add_component(event)
    data: bytes = whole.to_ical()
    return data
