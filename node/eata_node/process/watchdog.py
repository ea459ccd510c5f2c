"""A process that hears nothing any more starts itself anew.

gRPC wakes the event loop through one pipe, and only for the first of what waits. Where that one write fails, nobody is
woken again: the process stands there, alive and deaf, its timers running. Nothing mends that from inside, so a timer
counts the seconds since something was heard, and replaces the process: same pid, same arguments.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import grpc.aio
import structlog

SILENT = 30  # seconds of the loop's own: those in which it was stopped or busy do not count
log = structlog.get_logger()


def start_anew() -> None:
    """This process is this program again, from its beginning. Does not return."""
    try:
        log.error("nothing was heard any more, not even this process by itself: it starts anew")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    finally:  # it does not start either
        end()


def end() -> None:
    """With code 6, whatever still waits for something. Does not return."""
    os._exit(6)


class Watchdog:
    """Calls `anew` after `silent` seconds without an end of what `ask` does, every `every` seconds: a refusal is one too."""

    def __init__(
        self, ask: Callable[[], Awaitable[object]], anew: Callable[[], None] = start_anew, silent: int = SILENT,
        every: float = 2.0,
    ) -> None:  # fmt: skip
        self._ask, self._anew, self._silent, self._every = ask, anew, silent, every
        self._seconds = 0
        self._tasks = asyncio.create_task(self._listen()), asyncio.create_task(self._count())

    def told_to_end(self) -> None:
        """From here on a deaf process ends, however far its ending has come."""
        self._anew = end

    async def _listen(self) -> None:
        while True:
            with suppress(grpc.aio.AioRpcError):
                await self._ask()
            self._seconds = 0
            await asyncio.sleep(self._every)

    async def _count(self) -> None:
        while self._seconds <= self._silent:
            await asyncio.sleep(1)
            self._seconds += 1
        self._anew()
