"""`eata customs scan` and `document`: what a desk may read of a voucher and its carnet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say, secret
from eata_host.faults import Fault
from eata_ledger.carnet.dates import iso
from eata_ledger.carnet.vocabulary import Flag

from eata_clients.commands.options import DeskHome, Network, Opener, customs_app, opener_keys, signed_in

if TYPE_CHECKING:
    from eata_ledger.proof.qr import CodeQr

    from eata_clients.authoring.content import Goods, Remarks
    from eata_clients.customs.scanned import Scanned
    from eata_clients.opened.documents import Document


def register(app: typer.Typer) -> None:
    """The commands hang on the customs group."""


def listed(found: "Document") -> dict[str, Any]:
    """A document as commands show it."""
    content = found.content
    return {"name": content.name, "media": content.media, "size": content.size, "document": found.blob.hex()}


def _code() -> "CodeQr":
    from eata_ledger.proof.qr import read_code
    from eata_ledger.seal.codes import CodeKind

    return read_code(secret("Carnet and transaction code"), CodeKind.TRANSACTION)


@customs_app.command()
def scan(home: DeskHome, network: Network, opener: Opener = None, as_json: Annotated[bool, JSON] = False) -> None:
    """Scan a voucher: its QR text, or “ID code”, on standard input. Everything that the territory may read of the carnet.

    Example: eata customs scan --opener territory-CH.key --json
    """
    from eata_clients.commands.session import run
    from eata_clients.customs.client import CustomsDesk

    desk, qr, keys = signed_in(home), _code(), opener_keys(opener)
    data = _shown(run(network, home, lambda transport: CustomsDesk(home, transport, desk, keys).scan(qr)))
    say(data, as_json, *_scan_lines(data))


@customs_app.command()
def document(
    name: Annotated[str, typer.Argument(help="Its name, or the first digits of its hash.")],
    out: Annotated[Path, typer.Option(help="Where to write it.")], home: DeskHome, network: Network,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Fetch a document of the carnet whose voucher is shown (its QR text, or “ID code”, on standard input).

    Example: eata customs document cover.pdf --out cover.pdf
    """
    from eata_host.files import write_secret

    from eata_clients.commands.session import run
    from eata_clients.commands.wallet_care import chosen
    from eata_clients.customs.client import CustomsDesk

    desk, qr = signed_in(home), _code()
    if out.exists():
        raise Fault("EXISTS", f"{out.name} is there already.", "Give another name.")

    async def work(transport: Any) -> "Document":
        client = CustomsDesk(home, transport, desk)
        scanned = await client.scan(qr)
        found = chosen(scanned.documents, name)
        write_secret(out, await client.document(scanned, found))
        return found

    data = listed(run(network, home, work))
    say(data, as_json, f"{data['name']}, {data['size']:,} bytes, saved as {out}.")


def _shown(scanned: "Scanned") -> dict[str, Any]:
    presented, carnet, content = scanned.presented, scanned.carnet, scanned.content
    return {
        "carnet_id": carnet.carnet_id, "number": carnet.number, "type": carnet.type.name,
        "order_type": carnet.order.name, "test": carnet.test,
        "paper": scanned.paper,
        "kind": presented.kind.name, "territory": presented.territory, "voucher": scanned.voucher.state.name,
        "items": str(presented.items), "not_returned": str(presented.not_returned), "issuer": carnet.issuer,
        "holder": content.holder, "representatives": list(content.representatives),
        "intended_use": content.intended_use, "valid_until": iso(carnet.valid_until), "total": content.worth,
        "signed": scanned.state.signed, "declared": scanned.declared_in[0],
        "details": {
            name: getattr(scanned.details, name)
            for name in ("departure", "destination", "transport", "packaging", "remarks", "nickname")
        },
        "goods": [
            _line(scanned, line) for line in content.goods if line.item in presented.items | presented.not_returned
        ],
        "general_list": [_line(scanned, line) for line in content.goods],
        "box_p": list(carnet.box_p),
        "last": None if scanned.last is None else {"kind": scanned.last.kind.name, "items": str(scanned.last.items)},
        "held_by": None if scanned.hold is None else scanned.hold.office,
        "links": [{"relation": relation, "number": number} for relation, number in scanned.links],
        "shown_before": [{"office": office, "time": time} for office, time in scanned.elsewhere],
        "told_by": scanned.agreed.by, "nodes": scanned.agreed.nodes, "sure": scanned.agreed.sure,
        "differing": list(scanned.agreed.differing),
        "documents": [listed(found) for found in scanned.documents],
        "lent": None
        if scanned.lent is None
        else {
            "to": scanned.lent.content.name, "identification": scanned.lent.content.identification,
            "from": scanned.lent.valid_from, "to_time": scanned.lent.valid_to,
            "authority": scanned.lent.content.authority,
        },
        "history": [
            {
                "index": row.index, "kind": row.kind.name, "territory": row.territory, "office": row.office,
                "items": str(row.items), "not_returned": str(row.not_returned), "processed": str(row.processed),
                "time": row.event_time, "offset": row.offset,
                "final_date": None if row.final_day is None else iso(row.final_day),
                "cancelled": row.cancelled is not None, "test": bool(row.flags & Flag.TEST),
                "paper": bool(row.flags & Flag.PAPER_PRESENTED), "late": bool(row.flags & Flag.LATE),
                "opened": foil is not None, "said": _said(scanned.said.get(row.index)),
                "disagreements": scanned.notes.get(row.index, []),
            }
            for row, foil in scanned.history
        ],
        "incidents": [
            {
                "index": one.index, "type": one.type.name, "territory": one.territory, "office": one.office,
                "about": one.about, "time": one.event_time, "said": _said(scanned.said.get(one.index)),
            }
            for one in scanned.incidents
        ],
    }  # fmt: skip


def _line(scanned: "Scanned", line: "Goods") -> dict[str, Any]:
    return {
        "item": line.item, "pieces": line.pieces, "description": line.description, "origin": line.origin,
        "value": scanned.content.amount(line.value), "weight": line.weight,
        "marks": scanned.mark(line.item),
    }  # fmt: skip


def _said(found: "Remarks | None") -> dict[str, str]:
    from eata_clients.customs.desk_views import said_of

    return {} if found is None else said_of(found)


def _scan_lines(data: dict[str, Any]) -> list[str]:
    """For a person: what is presented, then everything to look at, then the history."""
    head = f"{data['kind']} of {data['items']}, {data['number']} issued by {data['issuer']}, {data['holder']}, {data['total']}"
    lines = [
        head + (", TEST" if data["test"] else "") + (", PAPER" if data["paper"] else ""),
        f"  told alike by {data['told_by']} of {data['nodes']} nodes" + ("" if data["sure"] else ": UNCONFIRMED"),
    ]
    lines += [f"  {name} tells otherwise: kept as evidence" for name in data["differing"]]
    lines += [f"  representatives: {'; '.join(data['representatives'])}"] if data["representatives"] else []
    lines += [f"  {name}: {text}" for name, text in data["details"].items() if text and name != "nickname"]
    if data["voucher"] != "PREPARED":
        lines.append("  USED: this voucher has been committed")
    if data["held_by"]:
        lines.append(f"  ON HOLD by {data['held_by']}")
    if data["lent"]:
        lines.append(f"  lent to {data['lent']['to']} {data['lent']['identification']}")
    lines += [f"  shown before at {before['office']}" for before in data["shown_before"]]
    lines += [f"  document {found['name']}" for found in data["documents"]]
    for row in data["history"]:
        said = [f"{name}: {text}" for name, text in row["said"].items()]
        said += [f"the holder disagrees: {note}" for note in row["disagreements"]]
        lines.append(f"  {row['kind']} {row['territory']} {row['items']}" + (f" ({'; '.join(said)})" if said else ""))
    for one in data["incidents"]:
        reasons = "; ".join(one["said"].values())
        lines.append(f"  {one['type']} {one['territory']}" + (f": {reasons}" if reasons else ""))
    return lines
