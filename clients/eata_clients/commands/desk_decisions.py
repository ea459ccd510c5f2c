"""`eata customs`: reject, hold, release, cancel, extend, sample, answer."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say, secret
from eata_host.faults import Fault
from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.goods.items import Items
from eata_ledger.encoding import Malformed
from eata_ledger.named import named

from eata_clients.commands.options import DeskHome, Network, Opener, customs_app, opener_keys, sealed, signed_in
from eata_clients.commands.standing import PROVISIONAL, line, standing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eata_clients.net.receipts import Committed
    from eata_clients.opened.arrivals import Arrival

_Reason = Annotated[str, sealed("Why; your own territory reads it")]


def register(app: typer.Typer) -> None:
    """The commands hang on the customs group."""


def _client(home: "Path", transport: Any) -> Any:
    from eata_clients.customs.client import CustomsDesk

    return CustomsDesk(home, transport, signed_in(home))


def _told(done: "Committed", as_json: bool, text: str) -> None:
    say({**standing(done), "facts": named(done.facts)}, as_json, line(done, text))
    raise typer.Exit(0 if done.final else PROVISIONAL)


def _voucher_code() -> Any:
    from eata_ledger.proof.qr import read_code
    from eata_ledger.seal.codes import CodeKind

    return read_code(secret("Carnet and transaction code"), CodeKind.TRANSACTION)


@customs_app.command()
def reject(home: DeskHome, network: Network, reason: _Reason, as_json: Annotated[bool, JSON] = False) -> None:
    """Turn a voucher down before commit; its code stays good. The QR text on standard input."""
    from eata_clients.commands.session import run

    qr = _voucher_code()

    async def work(transport: Any) -> Any:
        client = _client(home, transport)
        return await client.reject(await client.scan(qr), reason)

    _told(run(network, home, work), as_json, "Rejected; the voucher may be presented again.")


@customs_app.command()
def hold(
    carnet: Annotated[int, typer.Argument(help="Carnet ID.")], home: DeskHome, network: Network, reason: _Reason,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Stop a carnet in your territory until it is released."""
    from eata_clients.commands.session import run

    done = run(network, home, lambda transport: _client(home, transport).hold(carnet, reason))
    _told(done, as_json, "Held in your territory.")


@customs_app.command()
def release(
    carnet: Annotated[int, typer.Argument(help="Carnet ID.")], home: DeskHome, network: Network,
    note: Annotated[str, sealed("What was found")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """End a hold: the office that placed it, or a controller."""
    from eata_clients.commands.session import run

    done = run(network, home, lambda transport: _client(home, transport).release(carnet, note))
    _told(done, as_json, "Released.")


@customs_app.command()
def cancel(
    index: Annotated[int, typer.Argument(help="Ledger index of the transaction.")], home: DeskHome, network: Network,
    reason: _Reason, as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Undo a transaction with the holder's cancellation code (its QR text on standard input)."""
    from eata_ledger.proof.qr import read_code
    from eata_ledger.seal.codes import CodeKind

    from eata_clients.commands.session import run

    qr = read_code(secret("Carnet and cancellation code"), CodeKind.CANCELLATION)
    done = run(network, home, lambda transport: _client(home, transport).cancel(qr, index, reason))
    _told(done, as_json, "Cancelled; the holder may prepare it again.")


@customs_app.command()
def sample(
    home: DeskHome, network: Network,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many items.")] = 3,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Items to inspect, drawn so that nobody chose them. The voucher's QR text on standard input."""
    from eata_clients.commands.session import run

    qr = _voucher_code()

    async def work(transport: Any) -> Items:
        client = _client(home, transport)
        found: Items = await client.sample(await client.scan(qr), count)
        return found

    found = run(network, home, work)
    say({"items": list(found)}, as_json, f"Inspect items {found}.")


@customs_app.command()
def extend(
    home: DeskHome, network: Network,
    final: Annotated[str, typer.Option(help="The new final date (ISO).")],
    reference: Annotated[str, typer.Option(help="Customs reference number.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """A longer stay: the re-exportation's QR text on one line, the new importation's on the next."""
    from eata_clients.authoring.clearing import Decision
    from eata_clients.authoring.content import remarks
    from eata_clients.commands.session import run

    leaving, staying = _voucher_code(), _voucher_code()
    said = remarks(reference)

    async def work(transport: Any) -> tuple["Committed", "Committed"]:
        client = _client(home, transport)
        scans = (await client.scan(leaving), await client.scan(staying))
        first, second = (Decision(s.presented.items, s.presented.not_returned, remarks=said) for s in scans)
        done: tuple[Committed, Committed] = await client.extend(
            *scans, (first, replace(second, final_day=day_of(final)))
        )
        return done

    out, again = run(network, home, work)
    say(
        {"reexported": standing(out), "imported": standing(again)}, as_json, line(out, "Re-exported."),
        line(again, f"Extended to {final}."),
    )  # fmt: skip
    raise typer.Exit(0 if out.final and again.final else PROVISIONAL)


@customs_app.command()
def answer(
    notice: Annotated[str, typer.Argument(help="Notice id, as `arrivals` prints it.")], home: DeskHome, network: Network,
    acknowledge: Annotated[bool, typer.Option("--acknowledge/--reject", help="Confirm it, or tell the holder to stop.")],
    opener: Opener = None,
    text: Annotated[str, typer.Option(help="What the holder reads.")] = "",
    carnet: Annotated[int, typer.Option(help="Its carnet ID, where two carnets' notices have the same id.")] = 0,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Answer a pre-notification."""
    from eata_clients.commands.session import run
    from eata_clients.opened.lists import Lists

    try:
        wanted = bytes.fromhex(notice)
    except ValueError:
        raise Malformed("a notice id is hex digits") from None

    async def work(transport: Any) -> "Committed":
        arrivals = await Lists(transport, signed_in(home), opener_keys(opener)).arrivals()
        found = meant(arrivals, wanted, carnet)
        done: Committed = await _client(home, transport).answer(found, acknowledge, text)
        return done

    _told(
        run(network, home, work), as_json, "Acknowledged." if acknowledge else "Rejected; the holder is told to stop."
    )


def meant(arrivals: "Sequence[Arrival]", notice: bytes, carnet: int) -> "Arrival":
    """The one that an id names: an id is a carnet's own, and another holder may have copied it. Raises `Fault`."""
    found = [a for a in arrivals if a.notice.notice_id == notice and carnet in (0, a.notice.carnet_id)]
    if not found:
        raise Fault("NOTICE_UNKNOWN", "No such pre-notification here.", "See `eata customs arrivals`.")
    if len(found) > 1:
        carnets = ", ".join(f"{a.number} (--carnet {a.notice.carnet_id})" for a in found)
        raise Fault(
            "NOTICE_DOUBLED", f"Several carnets have a notice of this id: {carnets}.", "Say which: --carnet ID."
        )
    return found[0]
