"""The gateway's gRPC service. It holds the issuer's key; nodes get sealed parts only."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc
import grpc.aio
from eata_clients.authoring import issuing, keeping
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.issuing import Order
from eata_clients.authoring.keeping import NewPin
from eata_clients.issuer.care import IssuerCare
from eata_clients.issuer.client import Issuer
from eata_clients.net.errors import EataError
from eata_clients.net.receipts import Committed
from eata_clients.net.streaming import TOGETHER
from eata_clients.net.transport import now
from eata_host.faults import Fault
from eata_ledger.carnet.vocabulary import OrderType, SetKind, Status
from eata_ledger.encoding import Malformed, Value, decode
from eata_ledger.log import bodies
from eata_ledger.log.entry import Entry
from eata_ledger.named import named
from eata_ledger.seal.codes import code_keys
from eata_ledger.state import Carnet, CarnetState, Incident, Transaction
from eata_proto.errors import to_status
from eata_proto.v1 import gateway_pb2, gateway_pb2_grpc

from eata_nics.answers import answer, asked, changed, coded, in_words, issued, open_goods, standing, summary
from eata_nics.drafts import Drafts
from eata_nics.formats import format_of
from eata_nics.judging import judge
from eata_nics.orders import order_from, sets_from, total_of

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
else:
    Context = grpc.aio.ServicerContext

T = TypeVar("T")
_Changing = gateway_pb2.ChangeRequest | gateway_pb2.SetsRequest | gateway_pb2.DischargeRequest


class Gateway(gateway_pb2_grpc.NicsServicer):
    """Every write is idempotent by the caller's own request id, also across a crash of the gateway."""

    def __init__(self, issuer: Issuer, drafts: Drafts, admitted: str) -> None:
        self._issuer, self._drafts, self._admitted = issuer, drafts, admitted
        self._care = IssuerCare(issuer)
        self._one_at_a_time = asyncio.Lock()
        self._begun: set[asyncio.Task[Any]] = set()

    # -- orders

    async def Issue(self, request: gateway_pb2.IssueRequest, context: Context) -> gateway_pb2.IssueReply:  # noqa: N802
        async with _Coded(self, context):
            return await self._issue(request)

    async def _issue(self, request: gateway_pb2.IssueRequest) -> gateway_pb2.IssueReply:
        order = await self._linked(order_from(request), request)
        found = await self._alone(self._issuer.issue(request.request_id, order))
        return issued(request, *found, await self._issuer.registry())

    async def IssueMany(  # noqa: N802
        self, request: gateway_pb2.IssueManyRequest, context: Context
    ) -> gateway_pb2.IssueManyReply:
        """One answer an order, in their order; each idempotent by its own request id."""
        async with _Coded(self, context):
            names = {order.request_id for order in request.orders}
            if not 1 <= len(request.orders) <= TOGETHER or len(names) < len(request.orders):
                raise Malformed(f"a message has 1 to {TOGETHER} orders, each with a request id of its own")
            orders, found = dict[str, Order](), dict[str, tuple[issuing.Issued, Committed] | EataError | Malformed]()
            for one in request.orders:
                try:
                    orders[one.request_id] = await self._linked(order_from(one), one)
                except (EataError, Malformed) as error:
                    found[one.request_id] = error
            found |= await self._alone(self._issuer.issue_many(orders))
            registry = await self._issuer.registry()
            return gateway_pb2.IssueManyReply(
                answers=[answer(one, found[one.request_id], registry) for one in request.orders]
            )

    async def _alone(self, work: Coroutine[Any, Any, T]) -> T:
        """One at a time, and to its end: what a caller who has gone has begun is kept and found when he asks again."""

        async def held() -> T:
            async with self._one_at_a_time:
                return await work

        task = asyncio.create_task(held())
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return await asyncio.shield(task)

    async def _linked(self, order: Order, request: gateway_pb2.IssueRequest) -> Order:
        """With the link to the carnet it replaces, or to its paper twin's record."""
        kinds = ((OrderType.REPLACEMENT, request.replaces), (OrderType.TWIN, request.twin_of))
        for kind, number in kinds:
            if number:
                other = Carnet.from_bytes((await self._issuer.carnet(number, to_act=True)).record)
                return replace(order, order=kind, links=((int(kind), other.carnet_id),))
        return order

    async def Validate(  # noqa: N802
        self, request: gateway_pb2.IssueRequest, context: Context
    ) -> gateway_pb2.ValidateReply:
        """A dry run: everything that is wrong at once; nothing is written."""
        async with _Coded(self, context):
            registry = await self._issuer.registry()
            found = await judge(request, self._issuer)
            return gateway_pb2.ValidateReply(
                problems=[gateway_pb2.Problem(code=code, sentence=sentence) for code, sentence in found],
                format=format_of(registry, request.home, list(request.itinerary)),
                total=total_of(request),
            )

    async def SaveDraft(self, request: gateway_pb2.Draft, context: Context) -> gateway_pb2.DraftReply:  # noqa: N802
        async with _Coded(self, context):
            self._drafts.save(request)
            return gateway_pb2.DraftReply()

    async def Drafts(self, request: gateway_pb2.DraftsRequest, context: Context) -> gateway_pb2.DraftsReply:  # noqa: N802
        async with _Coded(self, context):
            return gateway_pb2.DraftsReply(drafts=self._drafts.all())

    async def DeleteDraft(self, request: gateway_pb2.DraftId, context: Context) -> gateway_pb2.DraftReply:  # noqa: N802
        async with _Coded(self, context):
            self._drafts.delete(request.draft_id)
            return gateway_pb2.DraftReply()

    async def IssueDraft(self, request: gateway_pb2.DraftId, context: Context) -> gateway_pb2.IssueReply:  # noqa: N802
        """DRAFT → ISSUED. Its own id is the request id: asked again, it answers the same carnet and PIN."""
        async with _Coded(self, context):
            order = self._drafts.read(request.draft_id).order
            order.request_id = f"draft:{request.draft_id}"[:64]
            reply = await self._issue(order)
            self._drafts.issued(request.draft_id)
            return reply

    # -- changes

    async def Amend(self, request: gateway_pb2.AmendRequest, context: Context) -> gateway_pb2.ChangeReply:  # noqa: N802
        async with _Coded(self, context):
            request.order.request_id = request.request_id
            order = order_from(request.order)
            carnet = Carnet.from_bytes((await self._issuer.carnet(request.order.number, to_act=True)).record)
            if (order.home, order.type) != (carnet.home, carnet.type) or order.sets:
                raise Malformed("an amendment keeps home and type, and names no sets: add sets instead")
            ledger = (await self._issuer.registry()).genesis.ledger
            pin = code_keys(self._issuer.files.pin(carnet.carnet_id), ledger, carnet.carnet_id)
            fingerprint: list[Value] = [
                "amend",
                carnet.carnet_id,
                list(order.box_p),
                order.valid_until,
                order.content.to_value(),
            ]

            def make(request_id: bytes) -> Entry:
                return issuing.amend(
                    ledger,
                    self._issuer.party,
                    carnet.carnet_id,
                    carnet.content + 1,
                    order,
                    pin.wrap,
                    Stamp(now()),
                    request_id,
                )

            return changed(carnet.carnet_id, await self._change(request.request_id, fingerprint, make))

    async def AddSets(self, request: gateway_pb2.SetsRequest, context: Context) -> gateway_pb2.ChangeReply:  # noqa: N802
        async with _Coded(self, context):
            sets = sets_from(request.sets)
            return changed(*await self._act(request, lambda carnet_id: bodies.AddSets(carnet_id, sets)))

    async def Block(self, request: gateway_pb2.ChangeRequest, context: Context) -> gateway_pb2.ChangeReply:  # noqa: N802
        async with _Coded(self, context):
            return changed(*await self._act(request, bodies.Block))

    async def Unblock(self, request: gateway_pb2.ChangeRequest, context: Context) -> gateway_pb2.ChangeReply:  # noqa: N802
        async with _Coded(self, context):
            return changed(*await self._act(request, bodies.Unblock))

    async def Cancel(self, request: gateway_pb2.ChangeRequest, context: Context) -> gateway_pb2.ChangeReply:  # noqa: N802
        async with _Coded(self, context):
            return changed(*await self._act(request, bodies.CancelCarnet))

    async def Discharge(  # noqa: N802
        self, request: gateway_pb2.DischargeRequest, context: Context
    ) -> gateway_pb2.DischargeReply:
        """Terminates, counts what was never used, and blocks if anything was (NICS-05).

        Goods that are still out are named, and end it only where the issuer says `anyway`.
        """
        async with _Coded(self, context):
            reply = await self._issuer.carnet(request.number)
            still_out = open_goods(reply)
            if still_out and not request.anyway and CarnetState.from_bytes(reply.state).status is not Status.TERMINATED:
                raise Fault(
                    "GOODS_OUT", f"Goods of this carnet are still out: {in_words(still_out)}.",
                    "Wait for them, or see to other evidence; then discharge with --anyway.",
                )  # fmt: skip
            carnet_id, done = await self._act(request, bodies.Discharge)
            facts: Any = done.facts
            match facts:
                case [_, _, _, list(counts), int(prepared), bool(blocked)]:
                    unused = {SetKind(kind).name: n for kind, n in counts}
                case _:
                    raise EataError("UNTRUSTED", "The discharge carries no counts.", "Use another node.")
            return gateway_pb2.DischargeReply(
                carnet_id=carnet_id, index=done.index, statement=done.statement, unused=unused, prepared=prepared,
                blocked=blocked, standing=standing(done), open=still_out,
            )  # fmt: skip

    async def RotatePin(self, request: gateway_pb2.ChangeRequest, context: Context) -> gateway_pb2.PinReply:  # noqa: N802
        return await self._new_pin(request, context, keeping.rotate_pin)

    async def ResetHolder(self, request: gateway_pb2.ChangeRequest, context: Context) -> gateway_pb2.PinReply:  # noqa: N802
        return await self._new_pin(request, context, keeping.reset_holder)

    async def _new_pin(
        self, request: gateway_pb2.ChangeRequest, context: Context, by: NewPin
    ) -> gateway_pb2.PinReply:  # fmt: skip
        async with _Coded(self, context):
            work = self._care.new_pin(_id(request.request_id), request.number, by)
            carnet, pin, done = await self._alone(work)
            return gateway_pb2.PinReply(
                carnet_id=carnet.carnet_id,
                pin=pin.shown,
                index=done.index,
                statement=done.statement,
                standing=standing(done),
            )

    async def Attach(self, request: gateway_pb2.AttachRequest, context: Context) -> gateway_pb2.ChangeReply:  # noqa: N802
        async with _Coded(self, context):
            work = self._care.attach(_id(request.request_id), request.number, request.name, request.content)
            carnet, done = await self._alone(work)
            return changed(carnet.carnet_id, done)

    async def Erase(self, request: gateway_pb2.ChangeRequest, context: Context) -> gateway_pb2.ChangeReply:  # noqa: N802
        async with _Coded(self, context):
            carnet, done = await self._alone(self._care.shred(_id(request.request_id), request.number))
            return changed(carnet.carnet_id, done)

    async def _act(self, request: _Changing, body_of: Callable[[int], bodies.Body]) -> tuple[int, Committed]:
        carnet = Carnet.from_bytes((await self._issuer.carnet(request.number, to_act=True)).record)
        ledger, body = (await self._issuer.registry()).genesis.ledger, body_of(carnet.carnet_id)

        def make(request_id: bytes) -> Entry:
            return issuing.change(ledger, self._issuer.party, body, Stamp(now()), request_id)

        return carnet.carnet_id, await self._change(request.request_id, [int(body.TYPE), body.to_value()], make)

    async def _change(self, request_id: str, fingerprint: list[Value], make: Callable[[bytes], Entry]) -> Committed:
        return await self._alone(self._issuer.change(_id(request_id), fingerprint, make))

    # -- reading

    async def Reconcile(  # noqa: N802
        self, request: gateway_pb2.GatewayStatusRequest, context: Context
    ) -> gateway_pb2.GatewayStatusReply:
        async with _Coded(self, context):
            reply = await self._issuer.carnet(request.number, request.as_of)
            carnet, state = Carnet.from_bytes(reply.record), CarnetState.from_bytes(reply.state)
            found = reply.reconciliation
            return gateway_pb2.GatewayStatusReply(
                number=carnet.number, carnet_id=carnet.carnet_id, status=found.status, transactions=state.rows,
                reasons=[
                    gateway_pb2.GatewayReason(kind=r.kind, territory=r.territory, items=r.items) for r in found.reasons
                ],
            )  # fmt: skip

    async def Transactions(  # noqa: N802
        self, request: gateway_pb2.TransactionsRequest, context: Context
    ) -> gateway_pb2.GatewayTransactionsReply:
        """The digital transaction records, for discharge: validations in full, the rest in summary (N-07)."""
        async with _Coded(self, context):
            reply = await self._issuer.carnet(request.number)
            carnet = Carnet.from_bytes(reply.record)
            full, excerpts = await self._issuer.validations(reply), await self._issuer.excerpts(reply)
            return gateway_pb2.GatewayTransactionsReply(
                number=carnet.number, carnet_id=carnet.carnet_id,
                transactions=[summary(row, row.index in full) for row in map(Transaction.from_bytes, reply.rows)],
                asks=[asked(excerpts, incident) for incident in map(Incident.from_bytes, reply.incidents)],
            )  # fmt: skip

    async def Follow(  # noqa: N802
        self, request: gateway_pb2.GatewayFollowRequest, context: Context
    ) -> AsyncIterator[gateway_pb2.GatewayEvent]:
        """Everything that happens to this issuer's carnets; resume one past the last index kept."""
        try:
            self.check_caller(context)
            async for event in self._issuer.events(request.from_index):
                facts = decode(event.facts)
                match facts:
                    case [_, str(known), *_] if event.carnet_id:
                        number = known
                    case _:
                        number = ""
                yield gateway_pb2.GatewayEvent(
                    index=event.index, time=datetime.fromtimestamp(event.log_time / 1000, UTC).isoformat(),
                    type=event.type, carnet_id=event.carnet_id, number=number, json=json.dumps(named(facts)),
                )  # fmt: skip
        except (Fault, Malformed) as error:
            await abort(context, error)

    def check_caller(self, context: Context) -> None:
        """Only this issuer's own systems: the TLS certificate names the organisation."""
        names = context.auth_context().get("x509_common_name", [])
        if self._admitted.encode() not in list(names):
            raise EataError("ROLE_FORBIDDEN", "This gateway serves another organisation.", "Use your own gateway.")


class _Coded:
    """Admits the caller, and turns errors into coded statuses."""

    def __init__(self, gateway: Gateway, context: Context) -> None:
        self._gateway, self._context = gateway, context

    async def __aenter__(self) -> None:
        try:
            self._gateway.check_caller(self._context)
        except Fault as error:
            await abort(self._context, error)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Fault | Malformed):
            await abort(self._context, error)


def _id(request_id: str) -> str:
    if not 1 <= len(request_id) <= 64:
        raise Malformed("request_id has 1 to 64 characters")
    return request_id


async def abort(context: Context, error: Fault | Malformed) -> NoReturn:
    """Ends the call with a coded status."""
    await context.abort_with_status(to_status(*coded(error)))
    raise AssertionError("unreachable")
