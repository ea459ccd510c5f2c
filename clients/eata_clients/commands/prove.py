"""`eata prove`, `eata wallet evidence`: proofs for people who were not there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault
from eata_host.files import read_bounded
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import CarnetId, Network, WalletHome, wallet_app

if TYPE_CHECKING:
    from eata_ledger.proof.checkpoint import Checkpoint
    from eata_ledger.proof.trust import Trust

    from eata_clients.net.transport import Transport

_app = typer.Typer(help="Proofs: that the ledger forked, that a bundle of evidence holds.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(_app, name="prove")


@wallet_app.command()
def evidence(
    carnet: CarnetId, home: WalletHome, network: Network,
    out: Annotated[Path, typer.Option(help="The zip to write.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """A carnet's transactions with every proof, and a program that checks them with no network and no trust in us."""
    from eata_host.files import write_secret
    from rich.console import Console
    from rich.progress import Progress

    from eata_clients.commands.session import run
    from eata_clients.holder.evidence import collect, pack
    from eata_clients.holder.wallet import Wallet

    if out.exists():
        raise Fault("EXISTS", f"{out.name} is there already.", "Give another name, or move it away first.")

    async def work(transport: "Transport") -> dict[str, Any]:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("collecting proofs", total=None)
            return await collect(
                Wallet(home, transport), transport, carnet,
                lambda done, total: progress.update(task, completed=done, total=total),
            )  # fmt: skip

    bundle = run(network, None, work)
    write_secret(out, pack(bundle))  # it opens the counterfoils
    count = len(bundle["transactions"])
    say({"file": str(out), "transactions": count}, as_json, f"{count} transactions of {bundle['number']} in {out}.")


@_app.command("verify")
def verify_bundle(
    file: Annotated[Path, typer.Argument(help="An evidence bundle (zip or JSON).")], network: Network,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Check an evidence bundle against the ledger pinned in the network file; needs no network. Exit 1 if not good."""
    from eata_clients.net.network import Network as NetworkFile
    from eata_clients.trust import verify_bundle as verify

    try:
        proved = verify.check_bundle(verify.read_bundle(str(file)), NetworkFile.read(network).ledger)
    except verify.Wrong as error:
        say({"good": False, "why": str(error)}, as_json, f"NOT GOOD: {error}")
        raise typer.Exit(1) from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        say({"good": False, "why": "the bundle does not read"}, as_json, "NOT GOOD: the bundle does not read")
        raise typer.Exit(1) from None
    count = len(proved["transactions"])
    say({"good": True, **proved}, as_json, f"good: {count} transactions, signed by {len(proved['nodes'])} nodes")


@_app.command("fork")
def fork(
    one: Annotated[Path, typer.Argument(help="A trust file.")],
    other: Annotated[Path, typer.Argument(help="Another trust file of the same ledger.")],
    network: Network,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Show that nodes signed two histories: two trees of one size. Exit 0 if that is proved, 1 if it is not.

    Two sizes contradict each other only by a consistency proof, which is asked of the nodes.
    """
    files = [_read(path, network) for path in (one, other)]
    (first, signed), (second, also) = [_signed(trust) for trust in files]
    same = first.origin == second.origin and first.size == second.size
    if not same:
        proved, both = _inconsistent(network, first, second), sorted(signed | also)
    else:
        proved, both = first.root != second.root, sorted(signed & also)
    data = {"fork": proved, "sizes": [first.size, second.size], "nodes": both if proved else []}
    text = "No fork: one tree extends the other."
    if proved:
        text = f"FORK: two trees ({first.size:,} and {second.size:,} entries); signed by {', '.join(both)}."
    say(data, as_json, text)
    raise typer.Exit(0 if proved else 1)


def _read(path: Path, network: Path) -> "Trust":
    from eata_ledger.proof.trust import Trust

    from eata_clients.net.network import Network as NetworkFile

    trust = Trust.from_bytes(read_bounded(path, 1 << 20))
    trust.check(NetworkFile.read(network).ledger)
    return trust


def _signed(trust: "Trust") -> tuple["Checkpoint", frozenset[str]]:
    from eata_ledger.proof.checkpoint import read_note

    return read_note(trust.checkpoint, trust.charter.nodes)


def _inconsistent(network: Path, first: "Checkpoint", second: "Checkpoint") -> bool:
    """True where no node can show that the larger tree extends the smaller."""
    import asyncio

    import grpc.aio
    from eata_ledger.log import merkle
    from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

    from eata_clients.commands.session import run

    if first.origin != second.origin:
        raise Malformed("the trust files are of two eras: nothing follows from that alone")
    old, new = sorted((first, second), key=lambda checkpoint: checkpoint.size)
    request = ledger_pb2.ConsistencyRequest(old_size=old.size, new_size=new.size)

    async def proves(transport: "Transport", name: str) -> bool:
        try:
            proof = await ledger_pb2_grpc.LedgerStub(transport.channel(name)).Consistency(request, timeout=5)
        except grpc.aio.AioRpcError:
            return False
        return merkle.consistent(old.size, old.root, new.size, new.root, list(proof.hashes))

    async def work(transport: "Transport") -> bool:
        return any(await asyncio.gather(*(proves(transport, node.name) for node in transport.network.nodes)))

    return not run(network, None, work)
