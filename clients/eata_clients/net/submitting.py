"""Submitting: bytes are kept before they are first sent, and until more than half of the nodes have signed.

One node's answer is *ordered*: it may lie. What is not borne out goes elsewhere with the same bytes (P7), a refusal is
believed once so many nodes have given it that an honest one is among them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import grpc.aio
from eata_ledger.log.entry import Entry
from eata_ledger.log.genesis import Charter
from eata_ledger.wire import entry_to_proto
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.net.errors import EataError, Untrusted
from eata_clients.net.outbox import Outbox
from eata_clients.net.receipts import Committed, Gathered, committed, gather, read_statement, report
from eata_clients.net.transport import Transport

Told = Callable[[Committed], None]


async def submit(
    transport: Transport, charter: Charter, entry: Entry, outbox: Outbox | None = None, record: bool = False,
    told: Told | None = None,
) -> Committed:  # fmt: skip
    """Final where more than half of the nodes answer, else ordered: it then stays in the outbox.

    `told` hears of it as soon as one node has it; `record`: a commit that is refused is recorded as refused. Raises
    `EataError` with the log's or the nodes' refusal.
    """
    if outbox is not None:
        outbox.keep(entry)
    sending = Sending(transport, charter, entry, record)
    try:
        ordered, node = await sending.order()
        if told is not None:
            told(ordered)
        done = await sending.settle(ordered, node)
    except EataError as error:
        if outbox is not None:
            outbox.refused(entry, error)
        raise
    if outbox is not None and done.final:
        for earlier, said in outbox.words(entry).items():
            await sending.compare(said, earlier, done)
        outbox.final(entry)
    elif outbox is not None:
        outbox.keep_word(entry, node, ordered.statement)
    return done


class Sending:
    """One entry on its way to being final."""

    def __init__(self, transport: Transport, charter: Charter, entry: Entry, record: bool = False) -> None:
        self._transport, self._charter, self._entry = transport, charter, entry
        self._request = ledger_pb2.SubmitRequest(entry=entry_to_proto(entry), record=record, receipt=True)

    async def order(self) -> tuple[Committed, str]:
        """What the first node says that can be believed so far, and its name. Raises `EataError`."""
        distrusted: set[str] = set()
        while True:
            try:
                reply, node = await self._transport.ask(_submit, self._request, distrusted)
            except EataError as error:
                if error.node and not error.retryable:
                    return await self.second_opinion(error)
                raise
            try:
                return self._committed(reply), node
            except Untrusted as error:
                self._transport.suspicions.keep(
                    node, f"answered what does not verify ({error.message})", said=reply.statement
                )
                distrusted.add(node)
            except EataError as error:  # its statement says that the log refused it: one node's word like any other
                error.node = node
                return await self.second_opinion(error)

    def _committed(self, reply: ledger_pb2.SubmitReply) -> Committed:
        found = committed(reply.statement, self._charter, self._entry.hash)
        if found.index != reply.index:
            raise Untrusted("the statement is of another index")
        return found

    async def second_opinion(self, first: EataError) -> tuple[Committed, str]:
        """Asks others what one node has refused. Raises the refusal, confirmed if so many nodes say so."""
        await self._transport.near()
        others = [name for name in self._transport.nearest if name != first.node]
        together, refused = max(self._charter.one_honest - 1, 1), 1
        while refused < self._charter.one_honest and others:
            asked, others = others[:together], others[together:]
            for name, answer in zip(asked, await self._try(asked), strict=True):
                if isinstance(answer, Committed):
                    return answer, name
                refused += answer.by_rules or answer.code == first.code
        first.confirmed = refused >= self._charter.one_honest
        if not first.confirmed:
            first.advice = f"{first.node} alone says so, too few others answer: do not go by it; send it again later."
        raise first

    async def _try(self, names: Sequence[str]) -> list[Committed | EataError]:
        """The same bytes at each of these nodes."""

        async def one(name: str) -> Committed | EataError:
            try:
                return self._committed(await self._transport.at(name, _submit, self._request))
            except EataError as error:
                return error

        return await asyncio.gather(*map(one, names))

    async def settle(self, ordered: Committed, node: str) -> Committed:
        """Until it is final, or no more nodes are there to ask. Raises `EataError` where others refuse it."""
        if ordered.final:
            return ordered
        gathered = Gathered(self._charter, self._entry.hash)
        gathered.take(ordered.statement)
        if not await gather(self._transport, gathered, ordered.index, node):
            self._transport.demote(node)
        if not gathered.final and gathered.strangers:
            await self._elsewhere(gathered, ordered, node)
        done = gathered.committed()
        if done.final:
            await self.compare(ordered.statement, node, done)
        return done

    async def _elsewhere(self, gathered: Gathered, ordered: Committed, node: str) -> None:
        """Nodes that answer and do not know the entry get the same bytes. Raises `EataError` where they refuse it."""
        refusals: list[EataError] = []
        for name in dict.fromkeys(gathered.strangers):
            [answer] = await self._try([name])
            if isinstance(answer, EataError):
                refusals += [answer] if answer.by_rules else []
            else:
                gathered.take(answer.statement)
                await gather(self._transport, gathered, answer.index, name)
                if gathered.final:
                    return
            if len(refusals) == self._charter.one_honest:
                await self._accuse(ordered.statement, node, f"said committed, others refuse it ({refusals[0].code})")
                refusals[0].confirmed = True
                raise refusals[0]

    async def compare(self, said: bytes, node: str, done: Committed) -> None:
        """A node whose word is not what more than half have signed is accused with its own signature."""
        first, final = (read_statement(one).claim for one in (said, done.statement))
        if first.era == final.era and first.leaf != final.leaf:
            await self._accuse(said, node, "signed what more than half of the nodes contradict", done.statement)

    async def _accuse(self, statement: bytes, node: str, why: str, against: bytes = b"") -> None:
        self._transport.suspicions.keep(node, why, said=statement, against=against)
        await report(self._transport, statement, [name for name in self._transport.nearest if name != node])


def _submit(channel: grpc.aio.Channel) -> Callable[..., Awaitable[ledger_pb2.SubmitReply]]:
    return ledger_pb2_grpc.LedgerStub(channel).Submit
