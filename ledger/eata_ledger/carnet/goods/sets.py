"""Voucher sets: issued = free + reserved + used, for each kind, never negative (APP-14, domain §2.4)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from eata_ledger.carnet.vocabulary import Kind, SetKind
from eata_ledger.record import U32, Record, f

# A pre-exportation shares the exportation's voucher, a transit's close its opening's; activation uses none.
_SET_OF = {
    Kind.EXPORTATION: SetKind.EXPORT,
    Kind.IMPORTATION: SetKind.IMPORT,
    Kind.REEXPORTATION: SetKind.REEXPORT,
    Kind.REIMPORTATION: SetKind.REIMPORT,
    Kind.TRANSIT_OPEN: SetKind.TRANSIT,
}


def set_of(kind: Kind) -> SetKind | None:
    """The set that a voucher of this kind takes one of."""
    return _SET_OF.get(kind)


@dataclass(frozen=True)
class Counters(Record):
    """Counters of one set kind."""

    issued: int = f(U32)
    reserved: int = f(U32)
    used: int = f(U32)

    @property
    def free(self) -> int:
        return self.issued - self.reserved - self.used


Sets = dict[SetKind, Counters]


def opening(issued: dict[SetKind, int]) -> Sets:
    """The counters of a carnet just issued."""
    return {kind: Counters(issued.get(kind, 0), 0, 0) for kind in SetKind}


def reserve(sets: Sets, kinds: Iterable[Kind]) -> Sets | None:
    """Preparing a travel reserves; None where too few are free."""
    changed = dict(sets)
    for kind, n in Counter(_SET_OF[kind] for kind in kinds if kind in _SET_OF).items():
        if changed[kind].free < n:
            return None
        changed[kind] = replace(changed[kind], reserved=changed[kind].reserved + n)
    return changed


def release(sets: Sets, kinds: Iterable[Kind]) -> Sets:
    """Deleting an untransacted travel gives its sets back."""
    changed = dict(sets)
    for kind, n in Counter(_SET_OF[kind] for kind in kinds if kind in _SET_OF).items():
        changed[kind] = replace(changed[kind], reserved=changed[kind].reserved - n)
    return changed


def add(sets: Sets, more: dict[SetKind, int]) -> Sets:
    """The issuer adds sets (CORE-05)."""
    return {kind: replace(c, issued=c.issued + more.get(kind, 0)) for kind, c in sets.items()}


def unuse(sets: Sets, kind: Kind) -> Sets:
    """A cancelled transaction gives its voucher back for the redo."""
    if kind not in _SET_OF:
        return sets
    counters = sets[_SET_OF[kind]]
    return {**sets, _SET_OF[kind]: replace(counters, used=counters.used - 1)}


def use(sets: Sets, kind: Kind) -> Sets:
    """Committing consumes what was reserved."""
    if kind not in _SET_OF:
        return sets
    counters = sets[_SET_OF[kind]]
    return {**sets, _SET_OF[kind]: replace(counters, reserved=counters.reserved - 1, used=counters.used + 1)}
