"""The claim clock and the facts that answer a claim (U4, domain §3.3).

After expiry Customs has 12 months to lodge a claim, the guarantor 6 to prove regularisation, then a deposit
becomes final after 3 more: 33 months in all from issue, the time evidence must be kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from eata_ledger.carnet.dates import months_after
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.journeys.reconciliation import Reason, ReasonKind
from eata_ledger.carnet.vocabulary import ARRIVALS, Kind

LODGE_MONTHS, PROVE_MONTHS, FINAL_MONTHS = 12, 6, 3


@dataclass(frozen=True)
class ClaimClock:
    """Last days (inclusive) of each step; without a claim yet, the latest they can be."""

    lodge_by: int
    prove_by: int
    final_on: int


def claim_clock(valid_until: int, claimed: int | None = None) -> ClaimClock:
    """From the carnet's last valid day, and the day of the claim if one was lodged."""
    lodge = months_after(valid_until, LODGE_MONTHS)
    prove = months_after(lodge if claimed is None else claimed, PROVE_MONTHS)
    return ClaimClock(lodge, prove, months_after(prove, FINAL_MONTHS))


class Rank(IntEnum):
    """How good a piece of evidence is, best first."""

    REEXPORTATION = 1
    SEEN_ELSEWHERE = 2
    OTHER = 3


@dataclass(frozen=True)
class Movement:
    """A live transaction as evidence asks for it; `day` is local to its office."""

    index: int
    kind: Kind
    territory: str
    items: Items
    day: int


@dataclass(frozen=True)
class Evidence:
    """A transaction that answers a reason, for these items; `missing` of a claim is what none covers."""

    rank: Rank
    index: int
    items: Items


def evidence(reason: Reason, movements: Sequence[Movement], valid_until: int) -> tuple[list[Evidence], Items]:
    """What the log itself proves against a reason, best first, and the items nothing covers.

    A missing re-exportation is answered by a re-exportation in that territory up to expiry (1), or by a later
    arrival elsewhere or a re-importation of the same items (2); a missing re-importation by nothing in the log.
    """
    found: list[Evidence] = []
    covered = Items()
    if reason.kind is not ReasonKind.MISSING_REIMPORTATION:
        arrived = [n for n, m in enumerate(movements) if m.territory == reason.territory and m.kind in ARRIVALS]
        since = arrived[-1] if arrived else -1
        for n, movement in enumerate(movements):
            rank = _rank(movement, reason) if n > since else None
            if rank is not None and movement.items & reason.items and (rank > 1 or movement.day <= valid_until):
                found.append(Evidence(rank, movement.index, movement.items & reason.items))
                covered |= movement.items & reason.items
    return sorted(found, key=lambda e: (e.rank, e.index)), reason.items - covered


def _rank(movement: Movement, reason: Reason) -> Rank | None:
    if movement.kind is Kind.REEXPORTATION and movement.territory == reason.territory:
        return Rank.REEXPORTATION
    elsewhere = movement.territory != reason.territory
    if elsewhere and movement.kind in (*ARRIVALS, Kind.REIMPORTATION, Kind.REEXPORTATION):
        return Rank.SEEN_ELSEWHERE
    return None
