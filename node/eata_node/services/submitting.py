"""Submit: check here, barrier before a refusal that depends on state, order, answer with a statement."""

import asyncio
import time

import grpc.aio
from eata_ledger.apply import Applied, Known
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.proof.bodies import Commit
from eata_ledger.proof.entry import MAX_ENTRY, Header
from eata_ledger.seal.verification import verification_code
from eata_ledger.state import Voucher
from eata_ledger.wire import frame_of
from eata_proto.v1 import ledger_pb2

from eata_node.engine.interface import Engine
from eata_node.guarding import Trouble, refusal, trouble
from eata_node.metrics import Metrics
from eata_node.proposer import Overloaded, Proposer
from eata_node.receipts import Receipts
from eata_node.replica import GroupVoid, Replica, Result
from eata_node.services.reader import Readers

_BARRIER_SECONDS = 2.0
_COMMIT_SECONDS = 10.0


class Submitting:
    """One proxy's way of turning an entry into a logged outcome."""

    def __init__(
        self, replica: Replica, proposer: Proposer, engine: Engine, readers: Readers, receipts: Receipts,
        metrics: Metrics, exchange: bytes | None = None,
    ) -> None:  # fmt: skip
        self._exchange = exchange
        self._replica, self._proposer, self._engine = replica, proposer, engine
        self._readers, self._receipts, self._metrics = readers, receipts, metrics

    async def submit(self, request: ledger_pb2.SubmitRequest) -> ledger_pb2.SubmitReply:
        started = time.perf_counter()
        if request.entry.ByteSize() > MAX_ENTRY:
            raise refusal(Outcome.ENTRY_TOO_LARGE)
        await self._readers.session(request.session)
        result = await self._judge(request.entry)
        if result is None:
            result = await self._order(request.entry)
            self._metrics.commit_seconds.observe(time.perf_counter() - started)
        return self._reply(result)

    async def _judge(self, message: ledger_pb2.Entry) -> Result | None:
        """A known outcome, or None to go on. A refusal is given only after the barrier (advice, not final)."""
        refused = self._advice(message)
        if isinstance(refused, Result):
            return refused
        if refused is not None:
            await self._barrier()
            refused = self._advice(message)
            if isinstance(refused, Result):
                return refused
            if refused is not None:
                raise refused
        return None

    def _advice(self, message: ledger_pb2.Entry) -> Result | Exception | None:
        try:
            judged = self._replica.judge(message)
        except Malformed as error:
            raise refusal(Outcome.ENTRY_MALFORMED, str(error)) from None
        except Skipped as skipped:
            return refusal(skipped.outcome, skipped.detail)
        if isinstance(judged, Known):
            known = self._replica.known(judged)
            if known.skipped is not None:
                raise refusal(known.outcome)
            return known
        return _refused(judged)

    async def _barrier(self) -> None:
        """Applies up to the engine's head, so that a refusal is not just an old replica's view."""
        try:
            head = await self._engine.head()
        except grpc.aio.AioRpcError:
            raise trouble(Trouble.NOT_READY) from None
        if head.state != "LIVE":
            raise trouble(Trouble.NOT_READY, "The log is recovering.")
        if not await self._replica.reach(head.position, _BARRIER_SECONDS):
            raise trouble(Trouble.LAGGING)

    async def _order(self, message: ledger_pb2.Entry) -> Result:
        frame = frame_of(message)
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                return await self._proposer.propose(message, frame)
        except TimeoutError:
            raise trouble(Trouble.NOT_READY, "The log did not answer in time.") from None
        except GroupVoid:
            raise refusal(Outcome.GROUP_REFUSED) from None
        except Overloaded:
            raise trouble(Trouble.NOT_READY, "Too much waits already.") from None

    def _reply(self, result: Result) -> ledger_pb2.SubmitReply:
        if self._replica.halted:
            raise trouble(Trouble.HALTED)
        if result.skipped is not None:
            raise refusal(result.outcome, result.skipped.detail)
        if result.outcome is not Outcome.ACCEPTED:
            raise refusal(result.outcome, final=True, index=result.index)
        return ledger_pb2.SubmitReply(
            outcome=int(result.outcome), index=result.index, facts=result.facts,
            statement=self._receipts.own(result.index).to_bytes(),
            session=ledger_pb2.Session(era=self._replica.state.era, position=self._replica.position),
            verification=self._verification(result),
        )  # fmt: skip

    def _verification(self, result: Result) -> str:
        """A commit's verification code by this node's own key; empty for other entries."""
        stored = self._replica.store.entry(result.index)
        body = None if stored is None or self._exchange is None else Header.from_bytes(stored.header).body
        if not isinstance(body, Commit) or self._exchange is None:
            return ""
        voucher = Facts(self._replica.store).get(Voucher, body.carnet_id, body.slot)
        ledger = self._replica.genesis.ledger
        code = None if voucher is None else verification_code(
            self._exchange, voucher.verify_key, ledger, body.carnet_id, body.slot, body.declaration, int(result.outcome)
        )  # fmt: skip
        return "" if code is None else code.text


def _refused(judged: Applied) -> Exception | None:
    return None if judged.outcome is Outcome.ACCEPTED else refusal(judged.outcome, judged.detail)
