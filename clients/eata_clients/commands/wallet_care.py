"""`eata wallet`: documents beside a carnet, one voucher lent to another (N-01, APP-22, U11)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, answer, say
from eata_host.faults import Fault
from eata_host.files import read_bounded, write_secret
from eata_ledger.rules.keeping import LARGEST_ATTACHMENT

from eata_clients.commands.customs import instant
from eata_clients.commands.options import CarnetId, Network, WalletHome, wallet_app
from eata_clients.commands.scanning import listed
from eata_clients.commands.standing import line, standing

if TYPE_CHECKING:
    from eata_clients.net.receipts import Committed
    from eata_clients.opened.documents import Document

_Slot = Annotated[int, typer.Argument(min=1, max=1024, help="Voucher slot.")]


def register(app: typer.Typer) -> None:
    """The commands hang on `wallet` themselves."""


def read_document(path: Path) -> bytes:
    """A document's bytes, not read at all when it is too large. Raises `Malformed`."""
    return read_bounded(path, LARGEST_ATTACHMENT)


def chosen(found: "list[Document]", name: str) -> "Document":
    """By name, or by the first digits of its hash. Raises `Fault`."""
    fitting = [d for d in found if d.content.name == name or (len(name) >= 8 and d.blob.hex().startswith(name))]
    if len({d.blob for d in fitting}) > 1:
        raise Fault("AMBIGUOUS", f"{len(fitting)} documents are called {name}.", "Name one by the digits of its hash.")
    if not fitting:
        raise Fault("NOT_FOUND", "The carnet has no such document.", "See the list of its documents.")
    return fitting[-1]


@wallet_app.command()
def attach(
    carnet: CarnetId, file: Annotated[Path, typer.Argument(help="A PDF or JPEG, at most 5 MB.")], home: WalletHome,
    network: Network, as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Attach a document, such as the paper carnet's cover: for whoever may open the carnet, sealed for all others."""
    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    data = read_document(file)
    done = run(network, None, lambda transport: Wallet(home, transport).attach(carnet, file.name, data))
    say({**standing(done), "name": file.name}, as_json, line(done, f"{file.name} attached."))


@wallet_app.command()
def documents(
    carnet: CarnetId, home: WalletHome, network: Network,
    save: Annotated[str, typer.Option(help="Fetch this one, by its name or the first digits of its hash.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where to write it.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """The carnet's documents; fetch one."""
    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    if bool(save) != (out is not None):
        raise Fault("OPTION", "Say what to save and where.", "Give --save and --out together.")

    async def work(transport: Any) -> "list[Document]":
        client = Wallet(home, transport)
        found = await client.documents(carnet)
        if out is not None:
            if out.exists():
                raise Fault("EXISTS", f"{out.name} is there already.", "Give another name.")
            write_secret(out, await client.document(carnet, chosen(found, save)))
        return found

    rows = [listed(found) for found in run(network, None, work)]
    said = [f"{save} saved as {out}."] if out is not None else [] if rows else ["No documents."]
    say(rows, as_json, *said, *(f"{r['name']}, {r['media']}, {r['size']:,} bytes, {r['document'][:16]}" for r in rows))


@wallet_app.command()
def lend(
    carnet: CarnetId, slot: _Slot, home: WalletHome, network: Network,
    since: Annotated[str, typer.Option("--from", help="ISO time with offset; from now on if left out.")] = "",
    until: Annotated[str, typer.Option(help="ISO time with offset.")] = "",
    authority: Annotated[str, typer.Option(help="The attached power of attorney, by name.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Lend one voucher for a while (U11): Customs sees to whom, and refuses it outside the time.

    To whom is read from standard input: a name or company, and on a second line an EORI or identity document.

    Then hand over its code with `eata wallet share`. `eata wallet renew` takes it back at once.
    """
    from eata_clients.authoring.keeping import GrantContent
    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet
    from eata_clients.net.transport import now

    to, identification = answer("Who may present it"), answer("Their EORI or identity document")
    if not to:
        raise Fault("REASON_REQUIRED", "A voucher is lent to somebody.", "Give a name or company on standard input.")
    end = instant(until)
    if end is not None and end <= now():
        raise Fault("OPTION", "That time has passed.", "Lend it until some time to come.")
    if end is None:
        raise Fault("OPTION", "A voucher is lent until some time.", "Give --until 2026-06-30T18:00+02:00.")
    window = (instant(since) or now(), end)

    async def work(transport: Any) -> "Committed":
        client = Wallet(home, transport)
        paper = chosen(await client.documents(carnet), authority).blob if authority else None
        content = GrantContent(to, identification, authority)
        return await client.lend(carnet, slot, content, window, paper)

    done = run(network, None, work)
    say({**standing(done), "slot": slot, "to": to}, as_json, line(done, f"Voucher {slot} is lent to {to}."))
