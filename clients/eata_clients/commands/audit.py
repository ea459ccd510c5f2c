"""`eata audit`, `eata fetch-receipt`, `eata trust export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault
from eata_host.places import default_auditor, default_network

if TYPE_CHECKING:
    from eata_clients.net.transport import Transport

_trust = typer.Typer(help="Trust files: what offline verification needs.", no_args_is_help=True)
_Network = Annotated[
    Path, typer.Option("--network", envvar="EATA_NETWORK", default_factory=default_network, help="The network file.")
]


def register(app: typer.Typer) -> None:
    app.command()(audit)
    app.command("fetch-receipt")(fetch_receipt)
    app.add_typer(_trust, name="trust")


def audit(
    node: Annotated[str, typer.Option(help="A node's name, or its members' address.")],
    network: _Network,
    home: Annotated[
        Path,
        typer.Option(
            envvar="EATA_CLIENT_HOME", default_factory=default_auditor, help="The auditor's folder (TLS, party.cbor)."
        ),
    ],
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Replay every entry from genesis, trusting no node, and compare the roots of all."""
    from rich.console import Console
    from rich.progress import Progress

    from eata_clients.commands.session import run
    from eata_clients.issuer.client import read_party
    from eata_clients.trust import auditor

    party = read_party(home / "party.cbor")

    async def work(transport: "Transport") -> auditor.Report:
        names = {n.name for n in transport.network.nodes if node in (n.name, n.members, n.public)}
        if not names:
            raise Fault("NODE_UNKNOWN", f"No node is called {node}.", "Use a name or address of the network file.")
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("replaying", total=None)
            return await auditor.Auditor(transport, party).audit(
                names.pop(), lambda done, total: progress.update(task, completed=done, total=total)
            )

    report = run(network, home, work)
    data = {
        "entries": report.entries, "roots_equal": report.agreeing, "nodes": report.nodes, "forks": report.forks,
        "transactions": report.transactions, "shredded": report.shredded, "missing": list(report.missing),
    }  # fmt: skip
    say(data, as_json, report.line)
    raise typer.Exit(0 if report.agreeing == report.nodes else 1)


def fetch_receipt(
    index: Annotated[int, typer.Argument(min=0, max=2**63, help="Ledger index.")],
    entry: Annotated[str, typer.Argument(help="The entry's hash, as its author and readers know it.")],
    network: _Network,
    out: Annotated[Path, typer.Option(help="Where to write the receipt.")],
    png: Annotated[Path | None, typer.Option(help="Also write its QR picture here.")] = None,
    signers: Annotated[int, typer.Option(min=0, max=64, help="How many nodes should sign; 0: more than half.")] = 0,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Fetch a commit's receipt, signed by as many nodes as asked."""
    from eata_ledger.proof.qr import receipt_text

    from eata_clients.commands.session import run
    from eata_clients.net.receipts import Committed, receipt
    from eata_clients.trust.registry_pages import fetch

    try:
        entry_hash = bytes.fromhex(entry)
    except ValueError:
        raise Fault("ENTRY_HASH", "An entry hash is 64 hex digits.", "Take it from the commit's answer.") from None

    async def work(transport: "Transport") -> tuple[Committed, int]:
        charter = (await fetch(transport)).charter
        return await receipt(transport, charter, index, entry_hash, signers), signers or charter.enough

    found, wanted = run(network, None, work)
    out.write_bytes(found.statement)
    if png is not None:
        import segno

        segno.make(receipt_text(found.statement), error="m", micro=False).save(str(png), scale=4)
    data: dict[str, Any] = {"index": index, "signers": found.signers, "file": str(out)}
    say(data, as_json, f"Receipt of index {index}, signed by {found.signers} of the {wanted} nodes asked for.")
    raise typer.Exit(0 if found.signers >= wanted else 1)


@_trust.command("export")
def export(
    network: _Network,
    out: Annotated[Path, typer.Option(help="Where to write the trust file.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Write a trust file: the genesis, and the newest checkpoint that more than half of the nodes signed."""
    from eata_ledger.proof.checkpoint import signature_lines
    from eata_ledger.proof.trust import Trust

    from eata_clients.commands.session import run
    from eata_clients.trust.registry_pages import fetch
    from eata_clients.trust.trust_file import fetch_trust

    async def work(transport: "Transport") -> Trust:
        return await fetch_trust(transport, await fetch(transport))

    trust = run(network, None, work)
    out.write_bytes(trust.to_bytes())
    size = signature_lines(trust.checkpoint)[0].size
    say({"file": str(out), "size": size}, as_json, f"Trust file at tree size {size}.")
