"""Commands that need no cluster: `eata reconcile`, `eata receipt verify`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault
from eata_host.files import read_bounded, read_text
from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.journeys.journey import Journey, report
from eata_ledger.carnet.journeys.lawful import require_lawful
from eata_ledger.encoding import Malformed
from eata_ledger.named import named

from eata_clients.today import day_in

_receipt = typer.Typer(help="Receipts: check them with no network.", no_args_is_help=True)
_MAX_FILE, _BEFORE = 4 << 20, 64  # bytes of a file, and of what may stand before a receipt's text
_BROKEN = str.maketrans("", "", "\r\n\t")  # where a mail has broken a line


def register(app: typer.Typer) -> None:
    app.command()(reconcile)
    app.add_typer(_receipt, name="receipt")


def read_json(path: Path) -> Any:
    """A JSON file of at most 4 MiB. Raises `Malformed`."""
    try:
        return json.loads(read_text(path, _MAX_FILE), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Malformed(f"{path.name} is not JSON") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that stands twice in an object means nothing for certain."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def read_journey(path: Path) -> Journey:
    """A journey file. Raises `Malformed`."""
    journey = Journey.from_json(read_json(path))
    require_lawful(journey)
    return journey


def reconcile(
    file: Annotated[Path, typer.Argument(help="A journey file (docs/journey.md).")],
    as_of: Annotated[str, typer.Option(help="ISO date; the file's own `as_of`, or today at home.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Reconcile a journey: N/A, Terminated or To check, with reasons and transits (domain §2.6)."""
    journey = read_journey(file)
    day = day_of(as_of) if as_of else journey.as_of
    if day is None:
        day = day_in(journey.country)
    found = report(journey, day)
    lines = [found["status"]]
    lines += [f"  {r['kind']} {r['territory']} items {r['items']}" for r in found["reasons"]]
    lines += [f"  transit {t['territory']} items {t['items']}: {t['state']}" for t in found["transits"]]
    say(found, as_json, *lines)


@_receipt.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="A receipt file, or a PNG of its QR code.")],
    trust: Annotated[Path, typer.Option(help="A trust file (`eata trust export`).")],
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Check a receipt against a trust file, offline. Exit 0 if it is good, 1 if not, with one line why."""
    from eata_ledger.proof.statement import Statement
    from eata_ledger.proof.trust import Trust, verify_receipt

    receipt = _receipt_bytes(file)
    try:
        Statement.from_bytes(receipt)
    except Malformed:
        raise unreadable() from None
    verdict = verify_receipt(receipt, Trust.from_bytes(read_bounded(trust, _MAX_FILE)))
    claim = verdict.claim
    data: dict[str, Any] = {"good": verdict.good, "why": verdict.why, "signers": list(verdict.signers)}
    if claim is not None:
        data |= {
            "index": claim.index, "facts": named(claim.facts), "log_time": claim.log_time,
            "standing": claim.standing.name, "at_index": claim.at_index,
        }  # fmt: skip
    say(data, as_json, f"{'good' if verdict.good else 'NOT GOOD'}: {verdict.why}")
    raise typer.Exit(0 if verdict.good else 1)


def _receipt_bytes(path: Path) -> bytes:
    from eata_ledger.proof.qr import RECEIPT, read_receipt
    from eata_ledger.proof.statement import Statement

    data = read_bounded(path, _MAX_FILE)
    if data.startswith(b"\x89PNG"):
        return read_receipt(read_qr(path, RECEIPT))
    start = data.find(RECEIPT.encode(), 0, _BEFORE)
    if start < 0:
        return data
    text = data[start:].decode("ascii", "replace").translate(_BROKEN).rstrip("\"'")
    for tried in (text, text.rstrip(" \"'")):  # a space may be its last symbol
        try:
            found = read_receipt(tried)
            Statement.from_bytes(found)
        except Malformed:
            continue
        return found
    raise unreadable()


def unreadable() -> Fault:
    return Fault("RECEIPT_UNREADABLE", "This could not be read as a receipt.", "Copy or scan it again; it may be good.")


def read_qr(path: Path, wanted: str) -> str:
    """The text of the QR code in a picture that begins as wanted; of any, if none does. Raises `Malformed`."""
    try:
        import zxingcpp
        from PIL import Image
    except ModuleNotFoundError:
        raise Fault("QR_READER", "Reading a picture needs the clients extra.", "pip install 'eata[clients]'") from None
    with Image.open(path) as picture:
        try:
            found = zxingcpp.read_barcodes(picture.convert("L"))
        except (OSError, SyntaxError, ValueError):
            raise Malformed("the picture is damaged") from None
    if not found:
        raise Malformed("no QR code was found in the picture")
    texts = [str(one.text) for one in found]
    return next((text for text in texts if text.startswith(wanted)), texts[0])
