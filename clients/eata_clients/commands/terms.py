"""The terms, shown and accepted on each device before it shows a code (APP-16)."""

from typing import Annotated

import typer
from eata_host.console import typed_line
from eata_host.faults import Fault

from eata_clients.authoring.devices import TERMS
from eata_clients.holder.keystore import Keystore

Accept = Annotated[bool, typer.Option("--accept-terms", help="The terms were read and are accepted.")]


def require_terms(wallet: Keystore, carnet: int, accept: bool, as_json: bool) -> None:
    """Asks once for each carnet on this device. Raises `Fault` where they are not accepted."""
    if wallet.accepted(carnet):
        return
    if not accept:
        typer.echo(TERMS, err=as_json)
        typer.echo("Do you accept? y/N ", nl=False, err=True)
        if typed_line().lower() not in ("y", "yes"):
            raise Fault(
                "TERMS_NOT_ACCEPTED", "No code is shown before the terms are accepted.",
                "Read them, then answer y, or give --accept-terms.",
            )  # fmt: skip
    wallet.accept(carnet)
