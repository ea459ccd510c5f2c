"""Arrivals and transits still open, each with its own final day (ACC-25, domain §2.3)."""

from dataclasses import dataclass, replace

from eata_ledger.carnet.items import ITEMS, Items
from eata_ledger.record import CODE, DAY, Record, array, f, nested, table


@dataclass(frozen=True)
class Opening(Record):
    """Items of one arrival still to leave, and the last day for it."""

    items: Items = f(ITEMS)
    final_day: int = f(DAY)


Openings = dict[str, tuple[Opening, ...]]
OPENINGS = table(CODE, array(nested(Opening), 1024), 200)


def opened(openings: Openings, territory: str, opening: Opening) -> Openings:
    """With one more arrival."""
    return {**openings, territory: (*openings.get(territory, ()), opening)}


def closed(openings: Openings, territory: str, items: Items) -> Openings:
    """With `items` taken off every arrival of the territory."""
    left = tuple(replace(o, items=o.items - items) for o in openings.get(territory, ()) if o.items - items)
    others = {name: held for name, held in openings.items() if name != territory}
    return {**others, territory: left} if left else others
