"""`eata issue`, `eata issued`: an issuer's own system, talking to its gateway."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from eata_clients.console import JSON, say
from eata_clients.faults import Fault

_Gateway = Annotated[str, typer.Option(envvar="EATA_GATEWAY", help="The gateway's host:port.")]
_Home = Annotated[Path, typer.Option("--home", envvar="EATA_CLIENT_HOME", help="Folder with tls.key, tls.pem, ca.pem.")]


def register(app: typer.Typer) -> None:
    app.command()(issue)
    app.command()(issued)


def _call(gateway: str, home: Path, method: str, request: Any) -> Any:
    import asyncio

    import grpc
    import grpc.aio
    from eata_proto.v1 import gateway_pb2_grpc

    from eata_clients.errors import from_rpc
    from eata_clients.network import CHANNEL_OPTIONS

    names = ("ca.pem", "tls.key", "tls.pem")
    credentials = grpc.ssl_channel_credentials(*((home / name).read_bytes() for name in names))

    async def main() -> Any:
        async with grpc.aio.secure_channel(gateway, credentials, options=CHANNEL_OPTIONS) as channel:
            stub: gateway_pb2_grpc.NicsAsyncStub = gateway_pb2_grpc.NicsStub(channel)
            try:
                return await getattr(stub, method)(request, timeout=30)
            except grpc.aio.AioRpcError as error:
                raise from_rpc(error) from None

    return asyncio.run(main())


def issue(
    file: Annotated[Path, typer.Argument(help="An order as JSON: the fields of IssueRequest.")],
    gateway: _Gateway, home: _Home, as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Issue a carnet through the gateway. The answer holds the PIN: deliver it to the holder only."""
    from eata_proto.v1 import gateway_pb2
    from google.protobuf import json_format

    request = gateway_pb2.IssueRequest()
    try:
        json_format.ParseDict(json.loads(file.read_bytes()), request)
    except (json_format.ParseError, ValueError) as error:
        raise Fault("ORDER_MALFORMED", f"{error}.", "See the fields of IssueRequest.") from None
    reply: gateway_pb2.IssueReply = _call(gateway, home, "Issue", request)
    data = {"carnet_id": reply.carnet_id, "number": reply.number, "pin": reply.pin, "index": reply.index}
    say(data, as_json, f"{reply.number} issued, ID {reply.carnet_id}, PIN {reply.pin}")


def issued(
    number: Annotated[str, typer.Argument(help="Carnet number or ID.")],
    gateway: _Gateway, home: _Home,
    as_of: Annotated[str, typer.Option(help="ISO date for the reconciliation.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """A carnet's reconciliation as the issuer sees it."""
    from eata_proto.v1 import gateway_pb2

    request = gateway_pb2.GatewayStatusRequest(number=number, as_of=as_of)
    reply: gateway_pb2.GatewayStatusReply = _call(gateway, home, "Reconcile", request)
    reasons = [{"kind": r.kind, "territory": r.territory, "items": r.items} for r in reply.reasons]
    data = {
        "number": reply.number, "carnet_id": reply.carnet_id, "status": reply.status, "reasons": reasons,
        "transactions": reply.transactions,
    }  # fmt: skip
    say(data, as_json, reply.status, *(f"  {r['kind']} {r['territory']} {r['items']}" for r in reasons))
