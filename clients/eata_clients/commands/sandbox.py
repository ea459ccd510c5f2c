"""`eata sandbox seed`: registers a sandbox's parties, each with keys in a folder of its own."""

import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from eata_host.console import JSON, say
from eata_host.files import text_of
from eata_host.places import default_network
from eata_ledger.encoding import Malformed

if TYPE_CHECKING:
    from eata_clients.net.transport import Transport

_app = typer.Typer(help="A sandbox to try everything in.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(_app, name="sandbox")


@_app.command()
def seed(
    offices: Annotated[Path, typer.Option(help="Folder of the parties' folders; `icc` holds the operations key.")],
    network: Annotated[
        Path,
        typer.Option("--network", envvar="EATA_NETWORK", default_factory=default_network, help="The network file."),
    ],
    parties: Annotated[Path | None, typer.Option(help="Another list of parties (JSON).")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Register territories, administrations, offices, desk authorities, territory keys, issuers, auditors."""
    from eata_ledger.log.bodies import DescribeOffice, Publish

    from eata_clients.commands.session import run
    from eata_clients.net.errors import EataError
    from eata_clients.net.submitting import submit
    from eata_clients.sandbox.registrations import registrations
    from eata_clients.trust.registry_pages import fetch

    path = parties if parties is not None else files("eata_clients.sandbox") / "sandbox.json"
    try:
        source = json.loads(text_of(path.read_bytes(), path.name))
    except ValueError:
        raise Malformed("the list of parties is not JSON") from None
    if not isinstance(source, dict) or not {"organisations", "administrations", "territories", "offices"} <= set(
        source
    ):
        raise Malformed("a list of parties has organisations, administrations, territories and offices")

    async def work(transport: "Transport") -> int:
        registry = await fetch(transport)
        entries = registrations(source, offices, transport.network.ledger)
        new = 0
        for entry in entries:
            body = entry.header.body
            published = isinstance(body, Publish) and body.key in registry.published(body.topic)
            if published or (isinstance(body, DescribeOffice) and body.office in registry.described):
                continue
            try:
                await submit(transport, registry.charter, entry)
                new += 1
            except EataError as error:
                if error.code not in ("ALREADY_REGISTERED", "VERSION_WRONG"):
                    raise
        return new

    count = run(network, offices / "icc", work)
    say({"registered": count}, as_json, f"{count} records registered; what was there already stayed as it was.")
