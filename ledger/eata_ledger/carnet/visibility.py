"""What a customs territory may see of a carnet's transactions (ACC-57, domain §2.10)."""

from collections.abc import Sequence
from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import ARRIVALS, Kind


@dataclass(frozen=True)
class Seen:
    """A transaction as far as visibility asks, in log order."""

    kind: Kind
    territory: str
    cancelled: bool


def visible(rows: Sequence[Seen], viewer: str, home: str, arriving: bool = False) -> list[int]:
    """Places (from 0) that `viewer` sees. `arriving`: it is processing an arrival now and sees all so far."""
    if viewer == home or arriving:
        return list(range(len(rows)))
    arrivals = [n for n, r in enumerate(rows) if r.territory == viewer and r.kind in ARRIVALS and not r.cancelled]
    latest = arrivals[-1] if arrivals else -1
    returns = [n for n, r in enumerate(rows) if r.kind is Kind.REIMPORTATION and not r.cancelled]
    last = returns[-1] if returns else None
    return [n for n, r in enumerate(rows) if r.territory == viewer or n < latest or n == last]
