"""How errors travel: a gRPC status with google.rpc.ErrorInfo (reason = our code, domain "eata")."""

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "eata"


@dataclass(frozen=True)
class WireError:
    """A coded error off the wire."""

    code: str
    message: str
    details: Mapping[str, str]


def to_status(status: grpc.StatusCode, code: str, message: str, details: Mapping[str, str]) -> grpc.Status:
    """For `context.abort_with_status`; `details` holds at least `advice`."""
    found: grpc.Status = rpc_status.to_status(_status(status, code, message, details))
    return found


def to_bytes(status: grpc.StatusCode, code: str, message: str, details: Mapping[str, str]) -> bytes:
    """The same for an answer inside a message: google.rpc.Status."""
    data: bytes = _status(status, code, message, details).SerializeToString(deterministic=True)
    return data


def _status(status: grpc.StatusCode, code: str, message: str, details: Mapping[str, str]) -> status_pb2.Status:
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=code, domain=DOMAIN, metadata=dict(details)))
    return status_pb2.Status(code=code_pb2.Code.Value(status.name), message=message, details=[packed])


def from_rpc(error: grpc.RpcError) -> WireError | None:
    """The coded error inside a gRPC failure, None where it has none."""
    return _coded(rpc_status.from_call(error))


def from_bytes(data: bytes) -> tuple[grpc.StatusCode, WireError | None]:
    """What `to_bytes` wrote; anything else reads as UNKNOWN without a code."""
    try:
        status = status_pb2.Status.FromString(data)
        return grpc.StatusCode[code_pb2.Code.Name(status.code)], _coded(status)
    except (DecodeError, ValueError, KeyError):
        return grpc.StatusCode.UNKNOWN, None


def _coded(status: status_pb2.Status | None) -> WireError | None:
    if status is None:
        return None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
            return WireError(info.reason, status.message, dict(info.metadata))
    return None
