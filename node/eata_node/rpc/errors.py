"""Errors for people, and the guard around every RPC: no stack trace leaves, no malformed byte kills.

ApiError
 ├─ from an Outcome (`refusal`): a rule's answer, advice before the log and final after it
 └─ from a `Trouble`: the request or the node, not the rules
"""

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import grpc
import grpc.aio
import structlog
from eata_ledger.log.genesis import NodeRecord
from eata_ledger.outcomes import Outcome, advice, sentence
from eata_proto.errors import to_bytes, to_status
from google.protobuf.message import DecodeError

from eata_node.ground.metrics import Metrics
from eata_node.rpc.tls import public_key_of

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
else:
    Context = grpc.aio.ServicerContext

log = structlog.get_logger()
S = grpc.StatusCode


class Trouble(Enum):
    """What can be wrong beside the rules: (status, sentence, advice)."""

    REQUEST_MALFORMED = (S.INVALID_ARGUMENT, "The request is not in the documented form.", "Correct it and ask again.")
    READ_STALE = (
        S.UNAUTHENTICATED,
        "The request's time is over 60 s from this node's clock.",
        "Set this computer's clock right.",
    )
    NONCE_USED = (S.UNAUTHENTICATED, "This signed request was shown before.", "Sign a new one.")
    NOT_VISIBLE = (S.PERMISSION_DENIED, "This key may not see that.", "Use the code, the PIN or the right key.")
    NOT_FOUND = (S.NOT_FOUND, "There is no such thing.", "Check what you asked for.")
    LAGGING = (S.UNAVAILABLE, "This node has not caught up with what you have seen.", "Use another node.")
    SESSION_AHEAD = (
        S.UNAVAILABLE,
        "The log has not reached what you say you have seen.",
        "Ask another node: one of them has told you more than there is.",
    )
    ERA_CHANGED = (S.ABORTED, "The log has a new era.", "Refresh the trust file and start a new session.")
    HALTED = (S.UNAVAILABLE, "This node has halted itself.", "Use another node; tell the operator.")
    NOT_READY = (S.UNAVAILABLE, "This node cannot write now.", "Send the same bytes again, here or elsewhere.")
    REQUEST_TOO_LARGE = (S.INVALID_ARGUMENT, "The request is larger than its kind may be.", "Send less at once.")
    LOG_FULL = (
        S.UNAVAILABLE,
        "The log is nearly full; it is being compacted.",
        "Send the same bytes again in a while.",
    )
    CLOCK_WRONG = (
        S.UNAVAILABLE,
        "This node's clock is over 10 s from its peers'.",
        "Use another node; tell the operator.",
    )
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

    @property
    def all_details(self) -> dict[str, str]:
        """With the advice, as they travel."""
        return {"advice": self.advice, **self.details}


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
    await context.abort_with_status(to_status(error.status, error.code, error.message, error.all_details))


def as_answer(error: ApiError) -> bytes:
    """A refusal inside a message, where other entries of it get theirs."""
    return to_bytes(error.status, error.code, error.message, error.all_details)


def _tls_key(presented: Mapping[str, Iterable[bytes]]) -> bytes:
    """The uncompressed public key of the caller's certificate, empty where there is none."""
    for pem in presented.get("x509_pem_cert", []):
        return public_key_of(pem)
    return b""


async def require_node(context: Context, nodes: Iterable[NodeRecord], also: str = "") -> str:
    """The name of the registered node whose TLS key the caller has, or `also`; anyone else is turned away.

    A certificate of a key that the root has replaced is nobody's, whoever signed it.
    """
    presented = context.auth_context()
    names = {raw.decode("utf-8", "replace") for raw in presented.get("x509_common_name", [])}
    if also and also in names:
        return also
    for node in nodes:
        if f"node:{node.name}" in names and (node.tls is None or node.tls == _tls_key(presented)):
            return node.name
    await abort(context, refusal(Outcome.ROLE_FORBIDDEN, "nodes only"))
    raise AssertionError("unreachable")


def address_of(context: Context) -> str:
    """The caller's address without its port; of IPv6 the /64, which one caller has whole."""
    address = str(context.peer()).rpartition(":")[0]
    if not address.startswith("ipv6:"):
        return address
    try:
        found = ipaddress.ip_address(unquote(address[5:]).strip("[]"))
    except ValueError:
        return address
    return str(ipaddress.ip_network((int(found), 64), strict=False))


# Bytes of a request; what is not named may have 64 KiB.
LARGEST = {
    "/eata.v1.Ledger/Submit": 600 << 10, "/eata.v1.Ledger/SubmitMany": 1100 << 10, "/eata.v1.Blobs/Put": 7 << 20,
}  # fmt: skip
_LARGEST = 64 << 10
# What guessing and enumeration look like, from outside.
_FAILURES = frozenset(
    {
        "NOT_VISIBLE",
        "CODE_INVALID",
        "SIGNATURE_INVALID",
        "KEY_UNKNOWN",
        "REQUEST_MALFORMED",
        "ENTRY_MALFORMED",
        "PARTS_WRONG",
    }
)


class Door(Protocol):
    """What a door asks before a call, and is told after one that failed."""

    def enter(self, context: Context) -> None:
        """Raises `ApiError` for a caller who has asked too much."""

    def pay(self, context: Context, size: int) -> None:
        """Charges the caller for bytes that nobody is known to have signed. Raises `ApiError`."""

    def failed(self, context: Context) -> None:
        """A call of the kind that guessing makes."""


def told(error: Exception, context: Context, metrics: Metrics, door: Door) -> ApiError:
    """What the caller is told of a failure; counted, and held against whoever guesses."""
    if isinstance(error, DecodeError):
        error = trouble(Trouble.REQUEST_MALFORMED)
    if not isinstance(error, ApiError):
        log.error("request failed", kind=type(error).__name__)
        error = trouble(Trouble.INTERNAL)
    metrics.refusals.labels(error.code).inc()
    if error.code in _FAILURES:
        door.failed(context)
    return error


class Guard(grpc.aio.ServerInterceptor):
    """Measures, parses, calls, and turns every failure into a coded answer."""

    def __init__(self, metrics: Metrics, door: Door) -> None:
        self._metrics, self._door = metrics, door

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(handler_call_details)
        ours = handler_call_details.method.startswith("/eata.v1.")
        if handler is None or not ours:
            return handler
        parse, behaviour = handler.request_deserializer, handler
        largest = LARGEST.get(handler_call_details.method, _LARGEST)
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._duplex(parse, behaviour.stream_stream, largest), None, handler.response_serializer
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(parse, behaviour.unary_stream, largest), None, handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(parse, behaviour.unary_unary, largest), None, handler.response_serializer
        )

    def _parsed(self, data: bytes, parse: Any, context: Context, largest: int) -> Any:
        self._door.enter(context)
        if len(data) > largest:
            raise trouble(Trouble.REQUEST_TOO_LARGE, f"It has {len(data):,} bytes, {largest:,} are allowed.")
        return parse(data)

    def _unary(self, parse: Any, call: Any, largest: int) -> Any:
        async def guarded(data: bytes, context: Context) -> Any:
            try:
                return await call(self._parsed(data, parse, context, largest), context)
            except Exception as error:
                await self._answer(context, error)

        return guarded

    def _stream(self, parse: Any, call: Any, largest: int) -> Any:
        async def guarded(data: bytes, context: Context) -> AsyncIterator[Any]:
            try:
                async for message in call(self._parsed(data, parse, context, largest), context):
                    yield message
            except Exception as error:
                await self._answer(context, error)

        return guarded

    def _duplex(self, parse: Any, call: Any, largest: int) -> Any:
        async def guarded(raw: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
            async def requests() -> AsyncIterator[Any]:
                async for data in raw:
                    yield self._parsed(data, parse, context, largest)

            try:
                async for message in call(requests(), context):
                    yield message
            except Exception as error:
                await self._answer(context, error)

        return guarded

    async def _answer(self, context: Context, error: Exception) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        await abort(context, told(error, context, self._metrics, self._door))
