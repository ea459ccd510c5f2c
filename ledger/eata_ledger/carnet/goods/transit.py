"""Transit monitoring: open, closed in due time, expired (ACC-45, ACC-46, domain §2.7)."""

from dataclasses import dataclass, replace
from enum import StrEnum

from eata_ledger.carnet.goods.items import Items


class TransitState(StrEnum):
    """Orange, green, red."""

    IN_PROGRESS = "IN_PROGRESS"
    CLOSED_IN_DUE_TIME = "CLOSED_IN_DUE_TIME"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True)
class Transit:
    """One opened transit. Days are local to the office that acted; `closed` once nothing is left."""

    territory: str
    items: Items
    opened: int
    final_day: int
    left: Items
    closed: int | None = None

    @property
    def closed_late(self) -> bool:
        return self.closed is not None and self.closed > self.final_day

    def state(self, as_of: int) -> TransitState:
        """A function of the facts and the day: a late close stays expired, with `closed_late` as detail."""
        if self.closed is not None:
            return TransitState.EXPIRED if self.closed_late else TransitState.CLOSED_IN_DUE_TIME
        return TransitState.IN_PROGRESS if as_of <= self.final_day else TransitState.EXPIRED


def close(transits: tuple[Transit, ...], territory: str, items: Items, day: int) -> tuple[Transit, ...]:
    """Takes `items` off every open transit of the territory: an item is in transit there or not."""
    result = []
    for transit in transits:
        taken = transit.left & items
        if transit.territory == territory and taken:
            left = transit.left - taken
            transit = replace(transit, left=left, closed=None if left else day)
        result.append(transit)
    return tuple(result)
