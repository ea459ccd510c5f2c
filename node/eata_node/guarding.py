"""Errors for people, and the guard around every RPC: no stack trace leaves, no malformed byte kills.

ApiError
 ├─ from an Outcome (`refusal`): a rule's answer, advice before the log and final after it
 └─ from a `Trouble`: the request or the node, not the rules
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import structlog
from eata_ledger.outcomes import Outcome, advice, sentence
from eata_proto.errors import to_status
from google.protobuf.message import DecodeError

from eata_node.metrics import Metrics

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
else:
    Context = grpc.aio.ServicerContext

log = structlog.get_logger()
S = grpc.StatusCode


class Trouble(Enum):
    """What can be wrong beside the rules: (status, sentence, advice)."""

    REQUEST_MALFORMED = (S.INVALID_ARGUMENT, "The request is not in the documented form.", "Correct it and ask again.")
    READ_STALE = (S.UNAUTHENTICATED, "The request's time is over 60 s from this node's clock.", "Set the clock right.")
    NONCE_USED = (S.UNAUTHENTICATED, "This signed request was shown before.", "Sign a new one.")
    NOT_VISIBLE = (S.PERMISSION_DENIED, "This key may not see that.", "Use the code, the PIN or the right key.")
    NOT_FOUND = (S.NOT_FOUND, "There is no such thing.", "Check what you asked for.")
    LAGGING = (S.UNAVAILABLE, "This node has not caught up with what you have seen.", "Use another node.")
    ERA_CHANGED = (S.ABORTED, "The log has a new era.", "Refresh the trust file and start a new session.")
    HALTED = (S.UNAVAILABLE, "This node has halted itself.", "Use another node; tell the operator.")
    NOT_READY = (S.UNAVAILABLE, "This node cannot write now.", "Send the same bytes again, here or elsewhere.")
    RATE_LIMITED = (S.RESOURCE_EXHAUSTED, "Too many requests.", "Wait a minute.")
    OUT_OF_RANGE = (S.OUT_OF_RANGE, "The number asked for is beyond the log.", "Ask for what exists.")
    INTERNAL = (S.INTERNAL, "The node failed on this request.", "Try another node; the operators are told.")


_STATUS = {
    S.NOT_FOUND: {Outcome.CARNET_NOT_FOUND, Outcome.TRAVEL_UNKNOWN},
    S.UNAUTHENTICATED: {Outcome.SIGNATURE_INVALID, Outcome.KEY_UNKNOWN, Outcome.CERT_EXPIRED, Outcome.KEY_REVOKED},
    S.PERMISSION_DENIED: {Outcome.ROLE_FORBIDDEN, Outcome.CODE_INVALID, Outcome.DEVICE_UNKNOWN},
    S.INVALID_ARGUMENT: {Outcome.ENTRY_MALFORMED, Outcome.PARTS_WRONG, Outcome.ENTRY_TOO_LARGE, Outcome.KEY_WEAK},
    S.ALREADY_EXISTS: {
        Outcome.REQUEST_ID_REUSED, Outcome.NUMBER_TAKEN, Outcome.ALREADY_REGISTERED, Outcome.ALREADY_SIGNED,
        Outcome.ALREADY_VALIDATED,
    },
    S.UNAVAILABLE: {Outcome.GROUP_REFUSED},
}  # fmt: skip
_STATUS_OF = {outcome: status for status, outcomes in _STATUS.items() for outcome in outcomes}


@dataclass
class ApiError(Exception):
    """One refusal: gRPC status, stable code, one sentence, what to do next."""

    status: grpc.StatusCode
    code: str
    message: str
    advice: str
    details: dict[str, str] = field(default_factory=dict)


def trouble(kind: Trouble, detail: str = "", **details: str) -> ApiError:
    status, message, what_next = kind.value
    return ApiError(status, kind.name, f"{message} {detail}".strip(), what_next, details)


def refusal(outcome: Outcome, detail: str = "", final: bool = False, index: int | None = None) -> ApiError:
    """A rule's answer; `final` only where the log holds it, at `index`."""
    message = sentence(outcome) if not detail else f"{sentence(outcome)} ({detail})"
    details = {"final": "true" if final else "false"}
    if index is not None:
        details["index"] = str(index)
    return ApiError(_STATUS_OF.get(outcome, S.FAILED_PRECONDITION), outcome.name, message, advice(outcome), details)


async def abort(context: Context, error: ApiError) -> None:
    details = {"advice": error.advice, **error.details}
    await context.abort_with_status(to_status(error.status, error.code, error.message, details))


async def require_node(context: Context, names: set[str]) -> str:
    """The caller's certified name, one of `names`; anyone else is turned away."""
    for raw in context.auth_context().get("x509_common_name", []):
        name = raw.decode("utf-8", "replace")
        if name in names:
            return name
    await abort(context, refusal(Outcome.ROLE_FORBIDDEN, "nodes only"))
    raise AssertionError("unreachable")


class Guard(grpc.aio.ServerInterceptor):
    """Parses, calls, and turns every failure into a coded answer."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(handler_call_details)
        ours = handler_call_details.method.startswith("/eata.v1.")
        if handler is None or handler.request_streaming or not ours:
            return handler
        parse, behaviour = handler.request_deserializer, handler
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(parse, behaviour.unary_stream), None, handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(parse, behaviour.unary_unary), None, handler.response_serializer
        )

    def _unary(self, parse: Any, call: Any) -> Any:
        async def guarded(data: bytes, context: Context) -> Any:
            try:
                return await call(parse(data), context)
            except Exception as error:
                await self._answer(context, error)

        return guarded

    def _stream(self, parse: Any, call: Any) -> Any:
        async def guarded(data: bytes, context: Context) -> AsyncIterator[Any]:
            try:
                async for message in call(parse(data), context):
                    yield message
            except Exception as error:
                await self._answer(context, error)

        return guarded

    async def _answer(self, context: Context, error: Exception) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, DecodeError):
            error = trouble(Trouble.REQUEST_MALFORMED)
        if not isinstance(error, ApiError):
            log.error("request failed", kind=type(error).__name__)
            error = trouble(Trouble.INTERNAL)
        self._metrics.refusals.labels(error.code).inc()
        await abort(context, error)
