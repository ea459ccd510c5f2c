"""Arrivals and transits still open, each with its own final day (ACC-25, domain §2.3)."""

from dataclasses import dataclass, replace

from eata_ledger.carnet.items import ITEMS, Items
from eata_ledger.record import CODE, DAY, Record, array, f, nested, table


@dataclass(frozen=True)
class Opening(Record):
    """Items that arrived to leave by one and the same last day."""

    items: Items = f(ITEMS)
    final_day: int = f(DAY)


Openings = dict[str, tuple[Opening, ...]]
OPENINGS = table(CODE, array(nested(Opening), 1024), 200)


def opened(openings: Openings, territory: str, opening: Opening) -> Openings:
    """With one more arrival; those of one final day stand together, so there are never more than days."""
    held = openings.get(territory, ())
    same = next((o for o in held if o.final_day == opening.final_day), Opening(Items(), opening.final_day))
    others = tuple(o for o in held if o.final_day != opening.final_day)
    joined = Opening(same.items | opening.items, opening.final_day)
    return {**openings, territory: tuple(sorted((*others, joined), key=lambda o: o.final_day))}


def closed(openings: Openings, territory: str, items: Items) -> Openings:
    """With `items` taken off every arrival of the territory."""
    left = tuple(replace(o, items=o.items - items) for o in openings.get(territory, ()) if o.items - items)
    others = {name: held for name, held in openings.items() if name != territory}
    return {**others, territory: left} if left else others
