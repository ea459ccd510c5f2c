"""Arrivals and transits still open, each with its own final day (ACC-25, domain §2.3)."""

from dataclasses import dataclass, replace

from eata_ledger.carnet.goods.items import ITEMS, Items
from eata_ledger.record import DAY, Record, array, f, nested


@dataclass(frozen=True)
class Opening(Record):
    """Items that arrived to leave by one and the same last day."""

    items: Items = f(ITEMS)
    final_day: int = f(DAY)


Open = tuple[Opening, ...]
OPEN = array(nested(Opening), 1024)
Openings = dict[str, Open]  # by territory


def opened(held: Open, opening: Opening) -> Open:
    """With one more arrival; those of one final day stand together, so there are never more than days."""
    same = next((o for o in held if o.final_day == opening.final_day), Opening(Items(), opening.final_day))
    others = tuple(o for o in held if o.final_day != opening.final_day)
    joined = Opening(same.items | opening.items, opening.final_day)
    return tuple(sorted((*others, joined), key=lambda o: o.final_day))


def closed(held: Open, items: Items) -> Open:
    """With `items` taken off every arrival."""
    return tuple(replace(o, items=o.items - items) for o in held if o.items - items)
