"""Submit: check here, barrier before a refusal that depends on state, order, answer with a statement."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from eata_ledger.apply import Known
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.entry import MAX_ENTRY, author_of, is_commit, signed_bytes
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.wire import frame_of
from eata_proto.v1 import ledger_pb2

from eata_node.engine.interface import Engine, EngineDown
from eata_node.ground.metrics import Metrics
from eata_node.recovery.compaction import FULL
from eata_node.replica.replica import Replica
from eata_node.replica.results import GroupVoid, Result
from eata_node.rpc.errors import ApiError, Trouble, refusal, trouble
from eata_node.rpc.limits import Limit, Limits
from eata_node.writing.pipeline import Earlier
from eata_node.writing.proposer import Overloaded, Proposer
from eata_node.writing.receipts import Receipts
from eata_node.writing.sessions import Readers

Pay = Callable[[int], None]
_Asked = ledger_pb2.SubmitRequest | ledger_pb2.SubmitManyRequest
_BARRIER_SECONDS = 2.0
_COMMIT_SECONDS = 10.0
_TOGETHER = 64  # entries of one message


async def _nothing() -> None:
    """A call by itself has nothing before it."""


@dataclass
class Before:
    """What came before on one stream: `earlier` waits for it, `unsettled` are the errors of what got no outcome."""

    earlier: Earlier = _nothing
    unsettled: list[ApiError] = field(default_factory=list)


@dataclass(frozen=True)
class _Refused:
    """What the rules say of an entry now; another entry may change that. `signed`: by its author, the signature is good."""

    error: ApiError
    signed: bool


@dataclass(frozen=True)
class _Going:
    """An entry on its way to the log, in one of its frames."""

    frame: bytes
    work: "asyncio.Task[Result | ApiError]"  # goes on where the one who asked has gone


class Submitting:
    """One proxy's way of turning an entry into a logged outcome."""

    def __init__(
        self, replica: Replica, proposer: Proposer, engine: Engine, readers: Readers, receipts: Receipts,
        metrics: Metrics, limits: Limits, full: Callable[[], float],
    ) -> None:  # fmt: skip
        self._limits, self._full = limits, full
        self._replica, self._proposer, self._engine = replica, proposer, engine
        self._readers, self._receipts, self._metrics = readers, receipts, metrics
        self._going: dict[bytes, _Going] = {}  # by entry hash

    async def submit(self, request: ledger_pb2.SubmitRequest, pay: Pay) -> ledger_pb2.SubmitReply:
        """`pay` charges the caller: whoever sends bytes pays for them until their author's signature has been checked."""
        pay(request.entry.ByteSize())
        await self._open(request.session)
        [found] = await self._decide([request.entry], request, Before())
        if isinstance(found, ApiError):
            raise found
        return self._reply(found)

    async def many(
        self, request: ledger_pb2.SubmitManyRequest, pay: Pay, before: "Before", refused: Callable[[ApiError], bytes]
    ) -> ledger_pb2.SubmitManyReply:
        """One answer an entry; `refused` writes a refusal."""
        if not 1 <= len(request.entries) <= _TOGETHER:
            raise trouble(Trouble.REQUEST_MALFORMED, f"A message has 1 to {_TOGETHER} entries.")
        pay(sum(entry.ByteSize() for entry in request.entries))
        await self._open(request.session)

        async def answer(found: Result | ApiError) -> ledger_pb2.Answer:
            try:
                if isinstance(found, Result):
                    reply = self._reply(found)
                    if request.receipt:
                        receipt = await self._receipts.merged(found.index, self._replica.charter.enough)
                        reply.statement = receipt.statement.to_bytes()
                    return ledger_pb2.Answer(reply=reply)
            except ApiError as error:
                found = error
            return ledger_pb2.Answer(refused=refused(found))

        found = await self._decide(list(request.entries), request, before)
        return ledger_pb2.SubmitManyReply(answers=await asyncio.gather(*map(answer, found)))

    async def _open(self, session: ledger_pb2.Session) -> None:
        """Raises `ApiError` where this node takes no entry now, or is behind what the client has seen."""
        await self._readers.session(session)
        if self._replica.clock_watch.wrong:
            raise trouble(Trouble.CLOCK_WRONG)
        if self._full() > FULL:
            raise trouble(Trouble.LOG_FULL)

    async def _decide(
        self, entries: list[ledger_pb2.Entry], asked: "_Asked", before: "Before"
    ) -> list[Result | ApiError]:  # fmt: skip
        """What became of each. What the rules let pass goes at once; what they refuse is judged again after it.

        A refusal is given only after the barrier (advice, not final); a commit that is to be recorded is ordered all the
        same. Where an entry before it ended without an outcome, it may have lacked just that, and gets the same error.
        """
        found: dict[int, Result | ApiError] = {}
        left, abreast = list(range(len(entries))), False
        while left:
            advised = {n: await self._advised(entries[n]) for n in left}
            refused = {n: advice.error for n, advice in advised.items() if isinstance(advice, _Refused)}
            signed = {n for n, advice in advised.items() if isinstance(advice, _Refused) and advice.signed}
            going = [n for n in left if advised[n] is None]
            if abreast and not going:
                going = [n for n in signed if asked.record and is_commit(entries[n].header)]
                found |= {n: error for n, error in refused.items() if n not in going}
                refused = {}
            found |= {n: advice for n, advice in advised.items() if isinstance(advice, Result | ApiError)}
            ordered = await asyncio.gather(*(self._order(entries[n], asked.receipt) for n in going))
            found |= zip(going, ordered, strict=True)
            before.unsettled += [one for one in ordered if isinstance(one, ApiError)]
            left, abreast = list(refused), not going
            try:
                if left and abreast:
                    await self._barrier(before)
            except ApiError as error:
                before.unsettled.append(error)
                return [found.get(n, error) for n in range(len(entries))]
        return [found[n] for n in range(len(entries))]

    async def _advised(self, message: ledger_pb2.Entry) -> "Result | ApiError | _Refused | None":
        """None to go on; a known outcome; what no later state changes; or what the rules say now."""
        if message.ByteSize() > MAX_ENTRY:
            return refusal(Outcome.ENTRY_TOO_LARGE)
        await asyncio.sleep(0)  # many together do not keep the others waiting
        try:
            judged = self._replica.judge(message)
        except Malformed as error:
            return refusal(Outcome.ENTRY_MALFORMED, str(error))
        except Skipped as skipped:
            return _Refused(refusal(skipped.outcome, skipped.detail), signed=False)
        if isinstance(judged, Known):
            known = self._replica.known(judged)
            return known if known.skipped is None else refusal(known.outcome)
        if judged.outcome is Outcome.ACCEPTED:
            return None
        return _Refused(refusal(judged.outcome, judged.detail), signed=True)

    def _charge(self, message: ledger_pb2.Entry) -> ApiError | None:
        """To its author, whose signature is good; the refusal where the author has asked too much."""
        author = author_of(message.header)
        try:
            self._limits.charge(Limit.IDENTITY, author)
            self._limits.charge(Limit.ENTRY_BYTES, author, message.ByteSize())
        except ApiError as error:
            return error
        return None

    async def _barrier(self, before: "Before") -> None:
        """Applies up to the engine's head, so that a refusal is not just an old replica's view."""
        await before.earlier()
        if before.unsettled:
            raise before.unsettled[0]
        try:
            head = await self._engine.head()
        except EngineDown:
            raise trouble(Trouble.NOT_READY) from None
        if head.state != "LIVE":
            raise trouble(Trouble.NOT_READY, "The log is recovering.")
        if not await self._replica.abreast(head, _BARRIER_SECONDS):
            raise trouble(Trouble.LAGGING)

    async def _order(self, message: ledger_pb2.Entry, receipt: bool) -> Result | ApiError:
        """One frame of an entry at a time, charged once: whoever sends copies of it, or adds signatures, spends nobody's rate."""
        entry, frame = sha256(signed_bytes(message.header)), frame_of(message)
        going = self._going.get(entry)
        if going is not None and going.frame != frame:
            await asyncio.wait({going.work})
            found = await self._advised(message)
            return found if isinstance(found, Result) else trouble(Trouble.NOT_READY, "A copy was on its way.")
        if going is None:
            limited = self._charge(message)
            if limited is not None:
                return limited
            going = self._going[entry] = _Going(frame, asyncio.create_task(self._propose(message, frame, receipt)))
            going.work.add_done_callback(lambda _: self._going.pop(entry))
        return await asyncio.shield(going.work)

    def stop(self) -> None:
        """Nothing is on its way any longer; who waits is cancelled."""
        for going in list(self._going.values()):
            going.work.cancel()

    async def _propose(self, message: ledger_pb2.Entry, frame: bytes, receipt: bool) -> Result | ApiError:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                result = await self._proposer.propose(message, frame, receipt)
        except TimeoutError:
            return trouble(Trouble.NOT_READY, "The log did not answer in time.")
        except GroupVoid:
            return refusal(Outcome.GROUP_REFUSED)
        except Overloaded:
            return trouble(Trouble.NOT_READY, "Too much waits already.")
        self._metrics.commit_seconds.observe(time.perf_counter() - started)
        return result

    def _reply(self, result: Result) -> ledger_pb2.SubmitReply:
        if self._replica.halted:
            raise trouble(Trouble.HALTED)
        if result.skipped is not None:
            raise refusal(result.outcome, result.skipped.detail)
        if result.outcome is not Outcome.ACCEPTED:
            raise refusal(result.outcome, final=True, index=result.index)
        return ledger_pb2.SubmitReply(
            outcome=int(result.outcome), index=result.index, facts=result.facts,
            statement=self._receipts.own(result.index).statement.to_bytes(),
            session=ledger_pb2.Session(era=self._replica.state.era, position=self._replica.position),
        )  # fmt: skip
