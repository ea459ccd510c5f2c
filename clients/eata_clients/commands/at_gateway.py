"""What the issuer's commands share: calls of its gateway, orders from files, answers as lines and as data."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.faults import Fault
from eata_host.words import shown

if TYPE_CHECKING:
    from eata_proto.v1 import gateway_pb2

Gateway = Annotated[str, typer.Option(envvar="EATA_GATEWAY", help="The gateway's host:port.")]
Home = Annotated[Path, typer.Option("--home", envvar="EATA_CLIENT_HOME", help="Folder with tls.key, tls.pem, ca.pem.")]


def call(
    gateway: str, home: Path, method: str, request: Any, show: Callable[[Any], None] | None = None, count: int = 0,
    patience: float = 30,
) -> Any:  # fmt: skip
    """One call of the gateway, answered in `patience` seconds; a stream's events go to `show`, at most `count` of them (0: no end)."""
    import asyncio

    import grpc
    import grpc.aio
    from eata_proto.v1 import gateway_pb2_grpc

    from eata_clients.net.errors import from_rpc
    from eata_clients.net.network import CHANNEL_OPTIONS

    names = ("ca.pem", "tls.key", "tls.pem")
    credentials = grpc.ssl_channel_credentials(*((home / name).read_bytes() for name in names))

    async def main() -> Any:
        async with grpc.aio.secure_channel(gateway, credentials, options=CHANNEL_OPTIONS) as channel:
            stub: gateway_pb2_grpc.NicsAsyncStub = gateway_pb2_grpc.NicsStub(channel)
            try:
                if show is None:
                    return await getattr(stub, method)(request, timeout=patience)
                seen = 0
                async for event in getattr(stub, method)(request):
                    show(event)
                    seen += 1
                    if seen == count:
                        return None
            except grpc.aio.AioRpcError as error:
                raise from_rpc(error) from None

    return asyncio.run(main())


def read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except ValueError:
        raise Fault(
            "ORDER_MALFORMED", f"{file.name} is not JSON.", "See nics_gateway/README.md for an order."
        ) from None


def to_request(source: Any) -> "gateway_pb2.IssueRequest":
    """An order as a request. Raises `Fault`."""
    from eata_proto.v1 import gateway_pb2
    from google.protobuf import json_format

    if not isinstance(source, dict):
        raise Fault("ORDER_MALFORMED", "An order is a JSON object.", "See nics_gateway/README.md for an order.")
    try:
        return json_format.ParseDict(source, gateway_pb2.IssueRequest())
    except json_format.ParseError as error:
        raise Fault(
            "ORDER_MALFORMED", _in_plain_words(str(error)), "See nics_gateway/README.md for an order."
        ) from None


def _in_plain_words(error: str) -> str:
    """What the parser of the order says, without the names of its own forms."""
    unknown = re.search(r'no field named "(.{1,40}?)"', error)
    if unknown:
        return f"“{shown(unknown[1])}” is no field of an order."
    wrong = re.search(r"Failed to parse (\w{1,40}) field", error)
    return f"The field “{wrong[1]}” has a value of another kind." if wrong else "A field has a value of another kind."


def as_data(reply: "gateway_pb2.IssueReply") -> dict[str, Any]:
    """The same for a program."""
    return {
        "carnet_id": reply.carnet_id, "number": reply.number, "pin": reply.pin, "index": reply.index,
        **as_standing(reply.standing), "format": as_format(reply.format),
    }  # fmt: skip


def said(reply: "gateway_pb2.IssueReply") -> str:
    """An issued carnet as a line for a person."""
    keep = (
        "" if reply.format.deliver_id_pin or not reply.format.use_case else " Use case 1: do not hand over ID and PIN."
    )
    return f"{reply.number} issued, ID {reply.carnet_id}, PIN {reply.pin} ({in_words(reply.standing)}).{keep}"


def in_words(standing: "gateway_pb2.Standing") -> str:
    """How far the nodes stand by it, for a person."""
    by = f"signed by {standing.signers} of {standing.nodes} nodes"
    return f"final, {by}" if standing.final else f"ordered, provisional: {by}; ask again with the same request id"


def as_standing(standing: "gateway_pb2.Standing") -> dict[str, Any]:
    return {"final": standing.final, "signers": standing.signers, "nodes": standing.nodes}


def as_format(found: "gateway_pb2.Format") -> dict[str, Any]:
    return {
        "use_case": found.use_case, "paper": found.paper, "digital": found.digital,
        "link": "clone_or_twin" if found.clone_or_twin else "none", "deliver_id_pin": found.deliver_id_pin,
    }  # fmt: skip
