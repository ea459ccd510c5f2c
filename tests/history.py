"""What real clients asked and were told, and whether one order of it all explains every answer.

Commits are linearizable: each takes effect at one moment between its call and its answer. Reads keep their session (P6): they
may lag behind others, never behind what the same client has seen, and they never show what has not begun. Histories of
different carnets do not touch each other, so each carnet is checked alone (P-compositionality).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from math import inf

State = frozenset[tuple[int, bytes]]  # (slot, hash of the commit that holds it)


@dataclass(frozen=True)
class Op(ABC):
    """One call of one client; times in seconds of one clock, `end` infinite where no answer came."""

    client: int
    carnet: int
    start: float
    end: float

    @abstractmethod
    def after(self, state: State) -> State | None:
        """The state once this has taken effect; None where its answer could not have been given."""

    @property
    def bound(self) -> bool:
        """True if what ended before its call must have taken effect."""
        return True


@dataclass(frozen=True)
class Commit(Op):
    """`accepted` is None where no answer came."""

    slot: int
    entry: bytes
    accepted: bool | None

    def after(self, state: State) -> State | None:
        held = next((entry for slot, entry in state if slot == self.slot), None)
        if held is None:
            return None if self.accepted is False else state | {(self.slot, self.entry)}
        mine = held == self.entry
        return state if self.accepted is None or self.accepted is mine else None


@dataclass(frozen=True)
class Read(Op):
    """The slots that were shown as used."""

    slots: frozenset[int]

    def after(self, state: State) -> State | None:
        return state if self.slots == {slot for slot, _ in state} else None

    @property
    def bound(self) -> bool:
        return False


def explained(history: Iterable[Op]) -> list[int]:
    """The carnets whose answers no order explains; none for a good history."""
    found = sorted(history, key=lambda op: (op.carnet, op.start))
    return [carnet for carnet, ops in groupby(found, key=lambda op: op.carnet) if not _one(list(ops))]


def _one(ops: list[Op]) -> bool:
    """Wing and Gong's search, with every (done, state) visited once."""
    before = [sum(1 << n for n, first in enumerate(ops) if _precedes(first, op)) for op in ops]
    needed = sum(1 << n for n, op in enumerate(ops) if op.end < inf)
    open_, seen = [(0, State())], set()
    while open_:
        done, state = open_.pop()
        if done & needed == needed:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        for n, op in enumerate(ops):
            if not done >> n & 1 and before[n] & done == before[n]:
                after = op.after(state)
                if after is not None:
                    open_.append((done | 1 << n, after))
    return False


def _precedes(first: Op, then: Op) -> bool:
    if first is then:
        return False
    if first.client == then.client:
        return first.end <= then.start
    return first.end < then.start and then.bound
