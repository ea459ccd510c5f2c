"""What a holder should do, and by when, before anybody asks: claim risk, items left, splits (U3, U5).

Pure functions of the balances and the openings, like reconciliation: no clock, days are day numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from eata_ledger.carnet.goods.balances import NOTHING, Balances
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.goods.openings import Openings
from eata_ledger.carnet.journeys.reconciliation import ReasonKind

HORIZONS = (60, 30, 7, 1)


class Place(StrEnum):
    """Where an item is now."""

    HOME = "HOME"
    OUT = "OUT"
    ABROAD = "ABROAD"
    TRANSIT = "TRANSIT"
    GONE = "GONE"


@dataclass(frozen=True)
class Whereabouts:
    """Items in one place; `territory` is home for HOME, empty for OUT (exported, not yet admitted) and GONE."""

    place: Place
    territory: str
    items: Items


def whereabouts(home: str, listed: Items, balances: Balances, gone: Items) -> tuple[Whereabouts, ...]:
    """Each item once: in transit, admitted abroad, out, gone for good, at home.

    `gone`: declared as not returned on a re-exportation or re-importation (diverted to home use).
    """
    found, left = [], listed
    tables = ((Place.TRANSIT, balances.transit), (Place.ABROAD, balances.admitted))
    for place, table in tables:
        for territory, items in sorted(table.items()):
            found.append(Whereabouts(place, territory, items & left))
            left -= items
    found.append(Whereabouts(Place.GONE, "", gone & left))
    left -= gone
    found.append(Whereabouts(Place.OUT, "", balances.home_out & left))
    found.append(Whereabouts(Place.HOME, home, left - balances.home_out))
    return tuple(w for w in found if w.items)


@dataclass(frozen=True)
class Deadline:
    """Something open, and the last day for it; `kind` is what reconciliation would say the day after."""

    kind: ReasonKind
    territory: str
    items: Items
    day: int

    def days_left(self, today: int) -> int:
        """Negative once it is over."""
        return self.day - today

    def horizon(self, today: int) -> int | None:
        """The reminder this deadline has reached: 60, 30, 7 or 1 days; 0 once it is over; None before."""
        left = self.days_left(today)
        return 0 if left < 0 else next((h for h in reversed(HORIZONS) if left <= h), None)


def deadlines(
    home: str, valid_until: int, balances: Balances, arrivals: Openings, transits: Openings
) -> tuple[Deadline, ...]:
    """Every open balance with its last day, the most urgent first (U3)."""
    found = [
        *_open(ReasonKind.MISSING_REEXPORTATION, balances.admitted, arrivals, valid_until),
        *_open(ReasonKind.TRANSIT_NOT_CLOSED, balances.transit, transits, valid_until),
    ]
    if balances.home_out:
        found.append(Deadline(ReasonKind.MISSING_REIMPORTATION, home, balances.home_out, valid_until))
    return tuple(sorted(found, key=lambda d: (d.day, d.kind, d.territory)))


def _open(kind: ReasonKind, table: Mapping[str, Items], openings: Openings, valid_until: int) -> list[Deadline]:
    found = []
    for territory, items in table.items():
        left = items
        for opening in openings.get(territory, ()):
            if opening.items & left:
                found.append(Deadline(kind, territory, opening.items & left, min(opening.final_day, valid_until)))
                left -= opening.items
        if left:
            found.append(Deadline(kind, territory, left, valid_until))
    return found


@dataclass(frozen=True)
class Suggestion:
    """Items a holder might pick for the next declaration (U5)."""

    name: str
    items: Items


def splits(present: Items, last: Items, chosen: Items = NOTHING) -> tuple[Suggestion, ...]:
    """“All here”, “the rest”, “the same as last time”: `present` is where the goods are, as the ledger knows."""
    offers = (
        Suggestion("all", present),
        Suggestion("rest", present - chosen - last if last & present else present - chosen),
        Suggestion("same as last", last & present),
    )
    seen: list[Suggestion] = []
    for offer in offers:
        if offer.items and all(offer.items != other.items for other in seen):
            seen.append(offer)
    return tuple(seen)
