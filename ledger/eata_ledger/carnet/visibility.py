"""What a customs territory may see of a carnet's transactions (ACC-57, domain §2.10)."""

from collections.abc import Sequence
from dataclasses import dataclass

from eata_ledger.carnet.goods.balances import NOTHING
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import ARRIVALS, Kind


@dataclass(frozen=True)
class Seen:
    """A transaction as far as visibility asks, in log order."""

    kind: Kind
    territory: str
    cancelled: bool
    items: Items  # declared and not returned


def visible(rows: Sequence[Seen], viewer: str, home: str, arriving: bool = False) -> list[int]:
    """Places (from 0) that `viewer` sees. `arriving`: it is processing an arrival now and sees all so far.

    Whoever has met the carnet sees its own, what precedes its latest arrival, and once nothing is out of home any more
    every re-importation. Whoever has not sees nothing.
    """
    if viewer == home or arriving:
        return list(range(len(rows)))
    if all(row.territory != viewer for row in rows):
        return []
    arrivals = [n for n, r in enumerate(rows) if r.territory == viewer and r.kind in ARRIVALS and not r.cancelled]
    latest = arrivals[-1] if arrivals else -1
    final = not _out(rows)
    return [n for n, r in enumerate(rows) if r.territory == viewer or n < latest or (final and _returned(r))]


def _returned(row: Seen) -> bool:
    return row.kind is Kind.REIMPORTATION and not row.cancelled


def _out(rows: Sequence[Seen]) -> Items:
    """What has left home and has not come back."""
    out = NOTHING
    for row in rows:
        if row.kind is Kind.EXPORTATION and not row.cancelled:
            out |= row.items
        elif _returned(row):
            out -= row.items
    return out
