"""`eata nics serve`: the gateway process."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
from eata_host.faults import Fault
from eata_host.files import hold
from eata_host.places import default_network
from eata_ledger.encoding import Malformed

_app = typer.Typer(help="The gateway for an issuer's own system.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(_app, name="nics")


@_app.callback()
def nics() -> None:
    """The gateway for an issuer's own system."""


@_app.command()
def serve(
    home: Annotated[Path, typer.Option(envvar="EATA_CLIENT_HOME", help="The issuer's folder: party.cbor, TLS.")],
    network: Annotated[
        Path,
        typer.Option("--network", envvar="EATA_NETWORK", default_factory=default_network, help="The network file."),
    ],
    listen: Annotated[str, typer.Option(help="host:port; port 0 takes a free one.")] = "127.0.0.1:0",
) -> None:
    """Serve the issuer's system until SIGTERM. Prints the address, one line."""
    import uvloop

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise Malformed("listen is host:port, such as 127.0.0.1:0")

    try:
        hold(home)
    except BlockingIOError:
        raise Fault("RUNNING", "A gateway serves this folder already.", "Use it; one folder has one gateway.") from None
    uvloop.run(_serve(home, network, listen))


async def _serve(home: Path, network: Path, listen: str) -> None:
    import grpc
    import grpc.aio
    from cryptography import x509
    from cryptography.x509.oid import NameOID
    from eata_clients.issuer.client import Issuer, read_party
    from eata_clients.net.transport import connect
    from eata_proto.v1 import gateway_pb2_grpc

    from eata_nics.drafts import Drafts
    from eata_nics.gateway import Gateway

    certificate = (home / "tls.pem").read_bytes()
    name = x509.load_pem_x509_certificate(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    async with connect(network, home) as transport:
        issuer = Issuer(home, transport, read_party(home / "party.cbor"))
        if (await issuer.registry()).issuer(issuer.party.code) is None:
            raise Fault("ROLE_FORBIDDEN", f"{issuer.party.code} is not a registered issuer.", "Use an issuer's folder.")
        server = grpc.aio.server(options=(("grpc.max_receive_message_length", 8 << 20), ("grpc.so_reuseport", 0)))
        gateway_pb2_grpc.add_NicsServicer_to_server(Gateway(issuer, Drafts(home / "drafts"), str(name)), server)
        pair = ((home / "tls.key").read_bytes(), certificate)
        credentials = grpc.ssl_server_credentials([pair], (home / "ca.pem").read_bytes(), True)
        try:
            port = server.add_secure_port(listen, credentials)
        except RuntimeError:
            raise Fault(
                "ADDRESS", f"{listen} cannot be listened on.", "Choose host:port; port 0 takes a free one."
            ) from None
        await server.start()
        typer.echo(f"{listen.rsplit(':', 1)[0]}:{port}")
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        await told.wait()
        await server.stop(0.5)
