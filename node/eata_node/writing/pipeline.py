"""Requests of one stream, worked on side by side and answered in the order they came."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias, TypeVar

Q = TypeVar("Q")
R = TypeVar("R")
Earlier: TypeAlias = Callable[[], Awaitable[object]]  # returns once every earlier request has been worked on


async def in_order(
    requests: AsyncIterator[Q], work: Callable[[Q, Earlier], Awaitable[R]], ahead: int
) -> AsyncIterator[R]:
    """Reads at most `ahead` requests that have no answer yet: a caller who sends faster is held back by HTTP/2.

    The first failure, of reading or of the work, ends the stream after the answers before it.
    """
    waiting: asyncio.Queue[asyncio.Future[R] | None] = asyncio.Queue(ahead)
    begun: deque[asyncio.Future[R]] = deque()

    async def read() -> None:
        try:
            async for request in requests:
                begun.append(asyncio.ensure_future(work(request, _after(tuple(begun)))))
                await waiting.put(begun[-1])
            await waiting.put(None)
        except Exception as error:
            failed: asyncio.Future[R] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            begun.append(failed)
            await waiting.put(failed)

    reading = asyncio.create_task(read())
    try:
        while (answer := await waiting.get()) is not None:
            yield await answer
            begun.popleft()
    finally:
        reading.cancel()
        for one in begun:
            one.cancel()
        await asyncio.gather(reading, *begun, return_exceptions=True)


def _after(begun: "tuple[asyncio.Future[R], ...]") -> Earlier:
    async def earlier() -> None:
        if begun:
            await asyncio.wait(begun)

    return earlier
