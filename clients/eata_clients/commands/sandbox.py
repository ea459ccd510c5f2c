"""`eata sandbox seed`: registers a sandbox's parties, each with keys in a folder of its own."""

import json
import os
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eata_clients.console import JSON, say
from eata_clients.places import default_network

if TYPE_CHECKING:
    from eata_ledger.proof.entry import Entry

    from eata_clients.transport import Transport

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
    from eata_clients.commands.session import run
    from eata_clients.registry import fetch
    from eata_clients.submitting import submit

    path = parties if parties is not None else files("eata_clients") / "sandbox.json"
    source = json.loads(path.read_text(encoding="utf-8"))

    async def work(transport: "Transport") -> int:
        registry = await fetch(transport)
        entries = _entries(source, offices, transport.network.ledger)
        for entry in entries:
            await submit(transport, registry.genesis, entry)
        return len(entries)

    count = run(network, offices / "icc", work)
    say({"registered": count}, as_json, f"{count} records registered.")


def _entries(source: dict[str, Any], offices: Path, ledger: bytes) -> list["Entry"]:
    from eata_ledger.carnet.dates import DAY, day_of
    from eata_ledger.carnet.vocabulary import OrganisationKind
    from eata_ledger.proof.keys import SigningKey
    from eata_ledger.seal.stanza import SealingKey

    from eata_clients.authoring import registering
    from eata_clients.authoring.content import Stamp
    from eata_clients.authoring.registering import Party
    from eata_clients.issuer import write_party
    from eata_clients.transport import now

    operations = SigningKey((offices / "icc" / "operations.key").read_bytes())
    stamp, day = Stamp(now()), day_of(datetime.now(UTC).date().isoformat())
    parties: dict[str, Party] = {}

    def party(code: str) -> Party:
        parties[code] = Party.new(code)
        write_party(offices / code / "party.cbor", parties[code])
        return parties[code]

    def secret(path: Path, data: bytes) -> None:
        path.touch(mode=0o600)
        path.write_bytes(data)

    entries = [
        registering.organisation(ledger, operations, party(o["code"]), OrganisationKind[o["kind"]], day, stamp)
        for o in source["organisations"]
    ]
    for administration in source["administrations"]:
        code = administration["code"]
        entries.append(registering.administration(ledger, operations, party(code), day, stamp))
        authority = SigningKey(os.urandom(32))
        secret(offices / code / "desk-authority.key", authority.seed)
        entries.append(registering.desk_authority(ledger, parties[code], authority, day, stamp))
    for territory in source["territories"]:
        code, members = territory["code"], tuple(territory["administrations"])
        digital = territory["digital_from"]
        entries.append(
            registering.territory(
                ledger, operations, code, members, None if digital is None else day_of(digital),
                territory["two_step_export"], day, stamp,
            )
        )  # fmt: skip
        key = SealingKey(os.urandom(32))
        for member in members:
            secret(offices / member / f"territory-{code}.key", key.seed)
        recipients = [(parties[m].seal_id, parties[m].seal.public) for m in members]
        validity = (now() - DAY, now() + 90 * DAY)
        entries.append(
            registering.territory_key(ledger, parties[members[0]], code, 1, key, recipients, validity, stamp)
        )
    for office in source["offices"]:
        entries.append(
            registering.office(
                ledger, parties[office["administration"]], office["code"], office["territory"], office["name"],
                tuple(office["offsets"]), day, stamp,
            )
        )  # fmt: skip
    return entries
