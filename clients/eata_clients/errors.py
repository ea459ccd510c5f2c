"""What can go wrong for a client, as a person reads it.

EataError: code, one sentence, what to do next, whether it is final
 ├─ Unreachable: no node answered
 └─ Untrusted: an answer does not verify; nothing of it is used
"""

import grpc
import grpc.aio
from google.rpc import error_details_pb2
from grpc_status import rpc_status


class EataError(Exception):
    """A coded refusal. `final` is true only where the log holds it."""

    def __init__(self, code: str, message: str, advice: str, final: bool = False, retryable: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.advice, self.final, self.retryable = code, message, advice, final, retryable

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.advice}"


class Unreachable(EataError):
    """No node answered in time."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(
            "UNREACHABLE", f"No node answered{detail}.", "Check the network and try again.", retryable=True
        )


class Untrusted(EataError):
    """An answer that does not verify."""

    def __init__(self, why: str) -> None:
        super().__init__("UNTRUSTED", f"The answer does not verify: {why}.", "Use another node and tell the operators.")


_RETRYABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


def from_rpc(error: grpc.aio.AioRpcError) -> EataError:
    """The coded error inside a gRPC status; plain statuses get their name as code."""
    retryable = error.code() in _RETRYABLE
    status = rpc_status.from_call(error)
    for detail in () if status is None else status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
            final = info.metadata.get("final") == "true"
            return EataError(info.reason, status.message, info.metadata.get("advice", ""), final, retryable)
    advice = "Try again." if retryable else "Check the request."
    return EataError(error.code().name, error.details() or "The node gave no reason.", advice, False, retryable)
