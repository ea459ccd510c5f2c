"""Reconciliation with reasons (ACC-55, domain §2.6): N/A through the last valid day, inclusive."""

from dataclasses import dataclass
from enum import StrEnum

from eata_ledger.carnet.goods.balances import Balances
from eata_ledger.carnet.goods.items import Items


class Reconciliation(StrEnum):
    """The three statuses (C-08)."""

    NOT_YET = "N/A"
    TERMINATED = "Terminated"
    TO_CHECK = "To check"


class ReasonKind(StrEnum):
    """Why a carnet is to be checked."""

    MISSING_REEXPORTATION = "MISSING_REEXPORTATION"
    MISSING_REIMPORTATION = "MISSING_REIMPORTATION"
    TRANSIT_NOT_CLOSED = "TRANSIT_NOT_CLOSED"


@dataclass(frozen=True)
class Reason:
    """One open balance: the kind, the territory it is open in, the items."""

    kind: ReasonKind
    territory: str
    items: Items


def reconcile(balances: Balances, home: str, valid_until: int, today: int) -> tuple[Reconciliation, tuple[Reason, ...]]:
    """Status on the day `today`, with a reason for every open balance once the validity is over."""
    if today <= valid_until:
        return Reconciliation.NOT_YET, ()
    if balances.settled:
        return Reconciliation.TERMINATED, ()
    reasons = [
        Reason(ReasonKind.MISSING_REEXPORTATION, territory, items)
        for territory, items in sorted(balances.admitted.items())
    ]
    if balances.home_out:
        reasons.append(Reason(ReasonKind.MISSING_REIMPORTATION, home, balances.home_out))
    reasons += [
        Reason(ReasonKind.TRANSIT_NOT_CLOSED, territory, items) for territory, items in sorted(balances.transit.items())
    ]
    return Reconciliation.TO_CHECK, tuple(reasons)
