"""How errors travel: a gRPC status with google.rpc.ErrorInfo (reason = our code, domain "eata")."""

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
import grpc.aio
from google.protobuf import any_pb2
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
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=code, domain=DOMAIN, metadata=dict(details)))
    number = code_pb2.Code.Value(status.name)
    found: grpc.Status = rpc_status.to_status(status_pb2.Status(code=number, message=message, details=[packed]))
    return found


def from_rpc(error: grpc.aio.AioRpcError) -> WireError | None:
    """The coded error inside a gRPC failure, None where it has none."""
    status = rpc_status.from_call(error)
    for detail in () if status is None else status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
            return WireError(info.reason, status.message, dict(info.metadata))
    return None
