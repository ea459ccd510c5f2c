"""The gateway's gRPC service. It holds the issuer's key; nodes get sealed parts only."""

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import grpc.aio
from eata_clients.errors import EataError
from eata_clients.faults import Fault
from eata_clients.issuer import IssuerClient
from eata_ledger.encoding import Malformed
from eata_ledger.state import Carnet, CarnetState
from eata_proto.errors import to_status
from eata_proto.v1 import gateway_pb2, gateway_pb2_grpc

from eata_nics.orders import order_from

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
else:
    Context = grpc.aio.ServicerContext

S = grpc.StatusCode
_STATUS = {"REQUEST_ID_REUSED": S.ALREADY_EXISTS, "NUMBER_TAKEN": S.ALREADY_EXISTS, "NOT_VISIBLE": S.PERMISSION_DENIED,
           "NOT_FOUND": S.NOT_FOUND}  # fmt: skip


class Gateway(gateway_pb2_grpc.NicsServicer):
    """Issue is idempotent by the caller's own request id, also across a crash of the gateway."""

    def __init__(self, issuer: IssuerClient, admitted: str) -> None:
        self._issuer, self._admitted = issuer, admitted
        self._one_at_a_time = asyncio.Lock()

    async def Issue(self, request: gateway_pb2.IssueRequest, context: Context) -> gateway_pb2.IssueReply:  # noqa: N802
        try:
            self._check_caller(context)
            async with self._one_at_a_time:
                issued, done = await self._issuer.issue(request.request_id, order_from(request))
        except (Fault, Malformed) as error:
            await _abort(context, error)
        return gateway_pb2.IssueReply(
            carnet_id=issued.carnet_id, number=request.number, pin=issued.pin.shown, index=done.index,
            statement=done.statement,
        )  # fmt: skip

    async def Reconcile(  # noqa: N802
        self, request: gateway_pb2.GatewayStatusRequest, context: Context
    ) -> gateway_pb2.GatewayStatusReply:
        try:
            self._check_caller(context)
            reply = await self._issuer.carnet(request.number, request.as_of)
        except (Fault, Malformed) as error:
            await _abort(context, error)
        carnet, state = Carnet.from_bytes(reply.record), CarnetState.from_bytes(reply.state)
        found = reply.reconciliation
        return gateway_pb2.GatewayStatusReply(
            number=carnet.number, carnet_id=carnet.carnet_id, status=found.status, transactions=state.rows,
            reasons=[
                gateway_pb2.GatewayReason(kind=r.kind, territory=r.territory, items=r.items) for r in found.reasons
            ],
        )  # fmt: skip

    def _check_caller(self, context: Context) -> None:
        """Only this issuer's own systems: the TLS certificate names the organisation."""
        names = context.auth_context().get("x509_common_name", [])
        if self._admitted.encode() not in list(names):
            raise EataError("ROLE_FORBIDDEN", "This gateway serves another organisation.", "Use your own gateway.")


async def _abort(context: Context, error: Fault | Malformed) -> NoReturn:
    if isinstance(error, Malformed):
        status = to_status(S.INVALID_ARGUMENT, "ORDER_MALFORMED", f"{error}.", {"advice": "Correct the order."})
    else:
        retryable = isinstance(error, EataError) and error.retryable
        code = S.UNAVAILABLE if retryable else _STATUS.get(error.code, S.FAILED_PRECONDITION)
        code = S.PERMISSION_DENIED if error.code == "ROLE_FORBIDDEN" else code
        status = to_status(code, error.code, error.message, {"advice": error.advice})
    await context.abort_with_status(status)
    raise AssertionError("unreachable")
