"""`eata wallet`: a holder's carnets. Codes and PINs are read from standard input, never from arguments."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say, secret
from eata_host.faults import Fault
from eata_ledger.carnet.dates import iso
from eata_ledger.carnet.vocabulary import VoucherState
from eata_ledger.state import Incident

from eata_clients.commands.options import CarnetId, Network, WalletHome, wallet_app
from eata_clients.commands.terms import Accept, require_terms

if TYPE_CHECKING:
    from eata_clients.holder.downloaded import Downloaded


def register(app: typer.Typer) -> None:
    app.add_typer(wallet_app, name="wallet")


def _summary(shown: "Downloaded") -> dict[str, Any]:
    reconciliation = shown.reply.reconciliation
    return {
        "carnet_id": shown.carnet.carnet_id,
        "number": shown.carnet.number,
        "holder": shown.content.holder,
        "valid_until": iso(shown.carnet.valid_until),
        "items": shown.carnet.items,
        "total": shown.content.worth,
        "signed": shown.state.signed is not None,
        "test": shown.carnet.test,
        "sets": {kind.name: {"free": c.free, "reserved": c.reserved, "used": c.used} for kind, c in shown.state.sets.items()},
        "vouchers": [
            {"slot": v.slot, "kind": v.kind.name, "territory": v.territory, "items": str(v.items), "state": v.state.name, "travel": v.travel_id.hex(), "lent_to": shown.lent.get(v.slot)}
            for v in shown.vouchers
        ],
        "transactions": [
            {
                "index": row.index, "kind": row.kind.name, "territory": row.territory, "office": row.office,
                "items": str(row.items), "not_returned": str(row.not_returned), "time": row.event_time,
                "slot": row.slot, "cancelled": row.cancelled is not None,
                "counterfoil_opened": counterfoil is not None, "entry": shown.entries[row.index].hex(),
            }
            for row, counterfoil in shown.rows
        ],
        "links": [{"relation": link.relation, "number": link.number} for link in shown.reply.links],
        "incidents": [
            {"index": i.index, "type": i.type.name, "territory": i.territory, "office": i.office, "about": i.about}
            for i in map(Incident.from_bytes, shown.reply.incidents)
        ],
        "refused": [
            {"index": r.index, "code": r.code, "office": r.office, "slot": r.slot, "time": r.event_time}
            for r in shown.reply.refused
        ],
        "blocked": shown.state.blocked,
        "carnet_status": shown.state.status.name,
        "home_out": str(shown.state.home_out),
        "admitted": {territory: str(items) for territory, items in shown.goods.balances.admitted.items()},
        "status": reconciliation.status,
        "reasons": [{"kind": r.kind, "territory": r.territory, "items": r.items} for r in reconciliation.reasons],
    }  # fmt: skip


def _lines(summary: dict[str, Any]) -> list[str]:
    head = f"{summary['number']} (ID {summary['carnet_id']}), {summary['holder']}, valid until {summary['valid_until']}"
    lines = [head + (", TEST" if summary["test"] else "")]
    lines += [
        f"  {v['slot']:>3} {v['kind']:<14} {v['territory']:<4} {v['items']:<12} {v['state']:<9} travel {v['travel']}"
        + (f" lent to {v['lent_to']}" if v["lent_to"] else "")
        for v in summary["vouchers"]
    ]
    lines += [
        f"  index {t['index']} {t['kind']} {t['items']} at {t['office']}" + (" (cancelled)" if t["cancelled"] else "")
        for t in summary["transactions"]
    ]
    lines += [f"  {i['type'].lower()} in {i['territory']}, index {i['index']}" for i in summary["incidents"]]
    lines += [
        f"  slot {r['slot']}: {r['office']} signed it, the ledger refused it ({r['code']})" for r in summary["refused"]
    ]
    free = ", ".join(f"{kind} {counters['free']}" for kind, counters in summary["sets"].items())
    known = f"sets free: {free}" if free else "sets: its own devices see them"  # the PIN alone does not
    lines += [f"  {known}" + ("" if summary["signed"] else "; not signed yet")]
    lines += [f"  {link['relation']} {link['number']}" for link in summary["links"]]
    return lines


@wallet_app.command()
def download(home: WalletHome, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Look at a carnet: give its PIN QR text, or “ID PIN”, on standard input. Sign it, or join its devices, to act."""
    from eata_ledger.proof.qr import read_code
    from eata_ledger.seal.codes import CodeKind

    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    qr = read_code(secret("Carnet ID and PIN"), CodeKind.PIN)
    shown = run(network, None, lambda transport: Wallet(home, transport).download(qr))
    summary = _summary(shown)
    say(summary, as_json, *_lines(summary))


@wallet_app.command()
def show(
    carnet: CarnetId, home: WalletHome, network: Network,
    as_of: Annotated[str, typer.Option(help="ISO date for the reconciliation.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """A carnet: vouchers, transactions, balances, reconciliation."""
    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    summary = _summary(run(network, None, lambda transport: Wallet(home, transport).show(carnet, as_of)))
    say(summary, as_json, *_lines(summary), f"  {summary['status']}")


@wallet_app.command()
def resend(home: WalletHome, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Send again what is not final yet; the same bytes, so nothing happens twice."""
    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    count = run(network, None, lambda transport: Wallet(home, transport).resend())
    say({"settled": count}, as_json, f"{count} entries are settled now.")


@wallet_app.command()
def qr(
    carnet: CarnetId, slot: Annotated[int, typer.Argument(help="Voucher slot.")], home: WalletHome,
    png: Annotated[Path | None, typer.Option(help="Also write the QR picture here.")] = None,
    cancellation: Annotated[bool, typer.Option("--cancellation", help="The code that cancels what was committed.")] = False,
    accept: Accept = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Show a voucher's QR text (works offline); it is the code: show it to Customs only."""
    from eata_ledger.seal.codes import CodeKind

    from eata_clients.holder.keystore import Keystore

    if not 1 <= slot <= 1024:
        raise Fault("SLOT", "A slot is a number from 1 to 1024.", "See `eata wallet show`.")
    wallet, kind = Keystore(home), CodeKind.CANCELLATION if cancellation else CodeKind.TRANSACTION
    wallet.kept(carnet)
    require_terms(wallet, carnet, accept, as_json)
    known = wallet.voucher(carnet, slot)
    wanted = VoucherState.COMMITTED if cancellation else VoucherState.PREPARED
    if known.state is not wanted:
        said = f"Slot {slot} is {known.kind.name} {known.territory}: {known.state.name}, as last seen."
        raise Fault("CODE_CONSUMED", said, "`eata wallet show` looks again and lists the open ones.")
    text = wallet.code(carnet, slot, kind).text
    if png is not None:
        from eata_host.files import write_picture

        write_picture(png, text)  # it is the code
    about = {"slot": slot, "kind": known.kind.name, "territory": known.territory, "items": str(known.items)}
    typer.echo(f"{about['kind']} {about['territory']} {about['items']}", err=True)
    say({"text": text, **about}, as_json, text)
