"""One stream's requests: side by side within a bound, answered in order, and a failure ends it after what came before."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from eata_node.writing.pipeline import Earlier, in_order


class Sender:
    """Sends numbers; `sent` is how many were taken from it."""

    def __init__(self, count: int) -> None:
        self.count, self.sent = count, 0

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self.count):
            self.sent += 1
            yield number


async def idle() -> None:
    """Until nothing more can happen by itself."""
    for _ in range(1_000):
        await asyncio.sleep(0)


async def test_answers_leave_in_the_order_of_the_requests_whichever_is_ready_first() -> None:
    gates = [asyncio.Event() for _ in range(5)]

    async def work(number: int, _: Earlier) -> int:
        await gates[number].wait()
        return number

    answers: list[int] = []

    async def listen() -> None:
        async for answer in in_order(aiter(Sender(5)), work, 8):
            answers.append(answer)

    listening = asyncio.create_task(listen())
    for number in (3, 1, 0):
        gates[number].set()
        await idle()
    assert answers == [0, 1]
    for gate in gates:
        gate.set()
    await listening
    assert answers == [0, 1, 2, 3, 4]


async def test_a_sender_who_gets_no_answers_is_not_read_further() -> None:
    sender, gate = Sender(10_000), asyncio.Event()

    async def work(number: int, _: Earlier) -> int:
        await gate.wait()
        return number

    async def listen() -> list[int]:
        return [answer async for answer in in_order(aiter(sender), work, 64)]

    listening = asyncio.create_task(listen())
    await idle()
    assert 64 <= sender.sent <= 66
    gate.set()
    assert await listening == list(range(10_000))


async def test_earlier_is_over_once_every_request_before_has_been_worked_on() -> None:
    done: list[int] = []

    async def work(number: int, earlier: Earlier) -> int:
        await earlier()
        done.append(number)
        return number

    assert [one async for one in in_order(aiter(Sender(20)), work, 8)] == list(range(20)) == done


async def test_earlier_waits_for_all_of_them_though_the_one_just_before_is_done() -> None:
    gate, seen = asyncio.Event(), []

    async def work(number: int, earlier: Earlier) -> int:
        if number == 0:
            await gate.wait()
        if number == 2:
            await earlier()
        seen.append(number)
        return number

    async def listen() -> list[int]:
        return [one async for one in in_order(aiter(Sender(3)), work, 8)]

    listening = asyncio.create_task(listen())
    await idle()
    assert seen == [1]
    gate.set()
    assert await listening == [0, 1, 2]
    assert seen == [1, 0, 2]


async def test_a_failure_ends_the_stream_after_the_answers_before_it_and_the_work_behind_it() -> None:
    cancelled: list[int] = []

    async def work(number: int, _: Earlier) -> int:
        if number == 2:
            raise ValueError("the third")
        if number > 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(number)
                raise
        return number

    answers: list[int] = []

    async def listen() -> None:
        async for answer in in_order(aiter(Sender(6)), work, 8):
            answers.append(answer)
            await idle()

    with pytest.raises(ValueError, match="the third"):
        await listen()
    assert (answers, cancelled) == ([0, 1], [3, 4, 5])


async def test_requests_that_cannot_be_read_end_the_stream_after_what_came() -> None:
    async def requests() -> AsyncIterator[int]:
        yield 1
        raise ValueError("not a message")

    async def work(number: int, _: Earlier) -> int:
        return number

    answers: list[int] = []

    async def listen() -> None:
        async for answer in in_order(requests(), work, 8):
            answers.append(answer)

    with pytest.raises(ValueError, match="not a message"):
        await listen()
    assert answers == [1]
