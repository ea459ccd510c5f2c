"""What became of an entry, and who waits to be told."""

import asyncio
from collections.abc import Iterable
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

    async def watch(self, frames: Iterable[bytes], patience: float) -> dict[bytes, Result]:
        """What became of those that the log brings within `patience` seconds; asked again, it starts anew."""
        coming = {frame: self.expect(frame) for frame in frames}
        for result in coming.values():
            result.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, if we are gone
        if coming:
            await asyncio.wait(coming.values(), timeout=patience)
        found = {}
        for frame, result in coming.items():
            if result.done() and result.exception() is None:
                found[frame] = result.result()
            elif self._waiting.get(frame) is result:
                del self._waiting[frame]
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
