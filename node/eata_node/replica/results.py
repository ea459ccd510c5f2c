"""What became of an entry, and who waits to be told."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from eata_ledger.outcomes import Outcome, Skipped

_NEWEST = 4096


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
    """By frame hash; everyone who waits for a frame shares one future. The newest results are kept for who asks late."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[Result]] = {}
        self._newest: OrderedDict[bytes, Result] = OrderedDict()

    def expect(self, frame: bytes) -> "asyncio.Future[Result]":
        """Resolved when the log brings an entry with this frame hash; shared by all who wait for it."""
        found = self._waiting.get(frame)
        if found is None or found.done():
            found = asyncio.get_running_loop().create_future()
            self._waiting[frame] = found
        return found

    async def watch(self, frames: Iterable[bytes], patience: float) -> dict[bytes, Result]:
        """What became of those that the log has just brought, or brings within `patience` seconds."""
        wanted = list(frames)
        found = {frame: self._newest[frame] for frame in wanted if frame in self._newest}
        coming = {frame: self.expect(frame) for frame in wanted if frame not in found}
        for result in coming.values():
            result.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, if we are gone
        if coming:
            await asyncio.wait(coming.values(), timeout=patience)
        for frame, result in coming.items():
            if result.done() and result.exception() is None:
                found[frame] = result.result()
            elif self._waiting.get(frame) is result:
                del self._waiting[frame]
        return found

    def tell(self, frame: bytes, result: Result | GroupVoid) -> None:
        if isinstance(result, Result) and result.skipped is None:
            self._newest[frame] = result
            if len(self._newest) > _NEWEST:
                self._newest.popitem(last=False)
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
        self._newest.clear()
