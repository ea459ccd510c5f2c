"""What became of an entry, and who waits to be told."""

import asyncio
from dataclasses import dataclass

from eata_ledger.outcomes import Outcome, Skipped


@dataclass(frozen=True)
class Result:
    """What became of one entry: a leaf at `index`, or a skip."""

    index: int
    outcome: Outcome
    facts: bytes
    skipped: Skipped | None = None


class GroupVoid(Exception):
    """The group consumed its position without effect."""


class Waiters:
    """By frame hash; everyone who waits for a frame shares one future."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[Result]] = {}

    def expect(self, frame: bytes) -> "asyncio.Future[Result]":
        """Resolved when the log brings an entry with this frame hash; shared by all who wait for it."""
        found = self._waiting.get(frame)
        if found is None or found.done():
            found = asyncio.get_running_loop().create_future()
            self._waiting[frame] = found
        return found

    def tell(self, frame: bytes, result: Result | GroupVoid) -> None:
        waiter = self._waiting.pop(frame, None)
        if waiter is None or waiter.done():
            return
        if isinstance(result, GroupVoid):
            waiter.set_exception(result)
        else:
            waiter.set_result(result)

    def end(self, why: str) -> None:
        """Nobody waits any longer."""
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(GroupVoid(why))
        self._waiting.clear()
