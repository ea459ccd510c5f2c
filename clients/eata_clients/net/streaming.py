"""Many entries over one stream: what waited while there was no network, what is issued or brought in by the thousand."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from eata_ledger.log.entry import Entry
from eata_ledger.log.genesis import Charter
from eata_ledger.wire import entry_to_proto
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.net.errors import EataError, Unreachable, Untrusted, from_answer, from_rpc
from eata_clients.net.outbox import Outbox
from eata_clients.net.receipts import Committed, committed
from eata_clients.net.submitting import Sending
from eata_clients.net.transport import HEDGE_SECONDS, Transport

TOGETHER = 64  # entries of one message
_MESSAGE, _AROUND = 1 << 20, 2_000  # bytes of a message; of an entry's signatures and frames
_AWAY = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
_OVERDUE = 15  # hedges that a stream may say nothing


async def submit_many(
    transport: Transport,
    charter: Charter,
    entries: Iterable[Entry],
    outbox: Outbox | None = None,
    record: bool = False,
    together: int = TOGETHER,
) -> AsyncGenerator[tuple[Entry, Committed | EataError], None]:
    """Orders many over one stream, `together` a message: yields what became of each, as it is answered.

    An entry may need what an earlier one does. Where a node fails or takes no more, the next one gets the same bytes
    of what has no answer yet (P7). What a node alone says is settled with the others: it comes final, or as ordered where
    too few of them answer. Raises `EataError` where none of them answers any of it.
    """
    left, barren, alone = dict(enumerate(entries)), 0, True
    last: EataError = Unreachable()
    judge = _Judge(transport, charter, record)
    if outbox is not None:
        for entry in left.values():
            outbox.keep(entry)
    names = await transport.near()
    while left:
        if barren == len(names):
            raise last
        before, waits = len(left), False
        try:
            async with aclosing(_answers(transport, names[0], dict(left), record, together)) as answers:
                async for number, answer in answers:
                    outcome = await judge.outcome(left[number], answer, names[0], alone, waits)
                    if isinstance(outcome, EataError) and (waits or not outcome.by_rules):
                        last, waits = outcome, True
                        continue
                    entry = left.pop(number)
                    transport.carry(answer.reply.session, names[0])
                    if outbox is not None:
                        await judge.put_away(outbox, entry, outcome)
                    yield entry, outcome
        except EataError as error:  # one node's word, whatever it is
            if isinstance(error, Untrusted):
                transport.suspicions.keep(names[0], f"answered what does not verify ({error.message})")
            last = error
        barren, alone = (barren + 1 if len(left) == before else 0), False
        names.append(names.pop(0))  # the next one, until its turn comes again


@dataclass
class _Judge:
    """What one node's answers are worth; `few`: too few nodes answer to make anything final now."""

    transport: Transport
    charter: Charter
    record: bool
    few: bool = False

    async def put_away(self, outbox: Outbox, entry: Entry, outcome: Committed | EataError) -> None:
        """What is settled leaves the outbox; what is only ordered, or refused by too few, stays."""
        if isinstance(outcome, EataError):
            outbox.refused(entry, outcome)
        elif outcome.final:
            for earlier, said in outbox.words(entry).items():
                await Sending(self.transport, self.charter, entry).compare(said, earlier, outcome)
            outbox.final(entry)

    def _said(self, answer: ledger_pb2.Answer, entry: Entry) -> Committed | EataError:
        """One node's word, a refusal that its statement holds included. Raises `Untrusted`."""
        if answer.refused:
            return from_answer(answer.refused)
        try:
            return committed(answer.reply.statement, self.charter, entry.hash)
        except Untrusted:
            raise
        except EataError as refused:
            return refused

    async def outcome(
        self, entry: Entry, answer: ledger_pb2.Answer, node: str, alone: bool, waits: bool
    ) -> Committed | EataError:
        """`alone`: no other node was asked with the same bytes before.

        `waits`: an earlier entry has no outcome yet. What is refused may lack just that: nobody else is asked to record it.
        """
        sending = Sending(self.transport, self.charter, entry, self.record)
        try:
            found = self._said(answer, entry)
            if isinstance(found, EataError):
                found.alone, found.node = alone, node
                if self.few or waits or not found.by_rules:
                    return found
                found, node = await sending.second_opinion(found)
            if not found.final and not self.few:
                found = await sending.settle(found, node)
                self.few = not found.final
            return found
        except Untrusted as error:
            self.transport.suspicions.keep(node, f"answered what does not verify ({error.message})")
            error.retryable = True  # the next node gets the same bytes
            return error
        except EataError as error:
            return error


async def _answers(
    transport: Transport, name: str, entries: Mapping[int, Entry], record: bool, together: int
) -> AsyncGenerator[tuple[int, ledger_pb2.Answer], None]:
    """One node's answers by number, until the stream ends or a reply is overdue."""
    messages = list(_messages(entries, together))

    async def requests() -> AsyncIterator[ledger_pb2.SubmitManyRequest]:
        for numbers in messages:
            yield ledger_pb2.SubmitManyRequest(
                entries=[entry_to_proto(entries[n]) for n in numbers], session=transport.session, record=record,
                receipt=True,
            )  # fmt: skip

    stub = ledger_pb2_grpc.LedgerStub(transport.channel(name))
    call = stub.SubmitMany(requests())
    try:
        for numbers in messages:
            reply = await _heard(call.read(), stub)
            if not isinstance(reply, ledger_pb2.SubmitManyReply) or len(reply.answers) != len(numbers):
                raise Untrusted("a reply lacks answers")
            for pair in zip(numbers, reply.answers, strict=True):
                yield pair
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from None
    finally:
        call.cancel()


async def _heard(reading: Awaitable[Any], stub: "ledger_pb2_grpc.LedgerAsyncStub") -> Any:
    """A reply that takes longer than a hedge is waited for while the node says that it is there (P6)."""
    reply = asyncio.ensure_future(reading)
    try:
        for _ in range(_OVERDUE):
            done, _ = await asyncio.wait({reply}, timeout=HEDGE_SECONDS)
            if done:
                return reply.result()
            try:
                await stub.Status(ledger_pb2.StatusRequest(), timeout=HEDGE_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() in _AWAY and not reply.done():
                    raise
        raise Unreachable(" in time")
    finally:
        reply.cancel()


def _messages(entries: Mapping[int, Entry], together: int) -> Iterable[list[int]]:
    """Numbers of entries that go into one message: at most `together`, and within its size."""
    message: list[int] = []
    size = 0
    for number, entry in entries.items():
        own = len(entry.header.encoded) + sum(map(len, entry.parts)) + _AROUND
        if message and (len(message) == together or size + own > _MESSAGE):
            yield message
            message, size = [], 0
        message.append(number)
        size += own
    if message:
        yield message
