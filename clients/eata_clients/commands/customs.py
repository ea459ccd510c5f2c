"""`eata customs`: an officer's desk. Codes are read from standard input, never from arguments."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say, secret
from eata_host.faults import Fault
from eata_host.vault import read_key
from eata_ledger.carnet.dates import day_of, local_day
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Flag, Kind, Role, VoucherState, Warning
from eata_ledger.encoding import Malformed
from eata_ledger.named import named
from eata_ledger.outcomes import Outcome, advice, sentence

from eata_clients.commands.options import DeskHome, Network, customs_app, sealed, signed_in
from eata_clients.commands.standing import PROVISIONAL, standing
from eata_clients.zones import event_time, shown_offset

if TYPE_CHECKING:
    from eata_ledger.log.bodies import RegisterOffice
    from eata_ledger.log.entry import Entry

    from eata_clients.authoring.clearing import Decision
    from eata_clients.customs.scanned import Scanned
    from eata_clients.net.receipts import Committed


def register(app: typer.Typer) -> None:
    app.add_typer(customs_app, name="customs")


@customs_app.command("sign-in")
def sign_in(
    home: DeskHome, network: Network,
    office: Annotated[str, typer.Option(help="Office code.")],
    authority: Annotated[Path, typer.Option(help="The desk authority's key file.")],
    role: Annotated[str, typer.Option(help="OFFICER, CONTROLLER, REGIONAL_MANAGER or ADMIN.")] = "OFFICER",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Make a desk key and have it certified for at most 12 hours."""
    from eata_ledger.log.keys import SigningKey

    from eata_clients.authoring import clearing
    from eata_clients.customs.desk_file import write_desk
    from eata_clients.net.network import Network
    from eata_clients.net.transport import now

    if role.upper() not in Role.__members__:
        raise Malformed(f"a desk role is {', '.join(Role.__members__)}")
    key = SigningKey(read_key(authority))
    _check_office(network, office, key.id)
    desk = clearing.sign_in(Network.read(network).ledger, key, office, Role[role.upper()], now())
    write_desk(home / "desk.cbor", desk)
    say({"office": office, "role": role.upper()}, as_json, f"Signed in at {office}.")


def _check_office(network: Path, office: str, authority: bytes) -> None:
    """The office is open and its administration's desk authority certifies; unchecked while no node answers."""
    from eata_clients.commands.session import run
    from eata_clients.net.errors import EataError
    from eata_clients.trust.registry_pages import fetch

    try:
        registry = run(network, None, fetch)
    except EataError as error:
        if error.retryable:
            return
        raise
    found = registry.offices.get(office)
    if found is None or not found.active:
        raise Fault("OFFICE_INACTIVE", f"Office {office} is unknown or closed.", "See `eata registry offices`.")
    administration, _ = registry.desk_authority(authority)
    if administration != found.administration:
        raise Fault(
            "ROLE_FORBIDDEN", f"This is not a desk authority of {found.administration}.", "Use that office's own."
        )


@customs_app.command()
def commit(
    home: DeskHome, network: Network,
    items: Annotated[str, typer.Option(help="Item ranges; the declared ones if left out.")] = "",
    not_returned: Annotated[str, typer.Option(help="Items not returned (home use).")] = "",
    final: Annotated[str, typer.Option(help="Final date (ISO); the carnet's last day if left out.")] = "",
    reference: Annotated[str, typer.Option(help="Customs reference number.")] = "",
    remarks: Annotated[str, sealed("Remarks")] = "",
    reason: Annotated[str, sealed("Why a warning was acknowledged")] = "",
    acknowledge: Annotated[list[str] | None, typer.Option(help="A warning code you have read; give it again for more.")] = None,
    processed: Annotated[str, typer.Option(help="Re-imported items that were processed abroad.")] = "",
    seals: Annotated[str, sealed("Customs seals applied, at a transit's opening")] = "",
    not_reexported: Annotated[str, sealed("Action on goods produced but not re-exported")] = "",
    not_produced: Annotated[str, sealed("Action on goods not produced")] = "",
    examined: Annotated[bool | None, typer.Option("--examined/--not-examined", help="Goods examined (validation; sealed).")] = None,
    paper: Annotated[bool, typer.Option("--paper", help="The holder presented the paper carnet (its twin or clone).")] = False,
    pre_export: Annotated[bool, typer.Option("--pre-export", help="EU office of export: the first of the two clicks.")] = False,
    at: Annotated[str, typer.Option(help="When it happened (ISO with offset), for late entry after an outage.")] = "",
    controller: Annotated[Path | None, typer.Option(help="A countersigning controller's desk folder.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Scan and commit a voucher: its QR text, or “ID code”, on standard input."""
    from eata_ledger.proof.qr import read_code
    from eata_ledger.seal.codes import CodeKind

    from eata_clients.authoring.content import remarks as sealed_remarks
    from eata_clients.commands.session import run
    from eata_clients.customs.booth import Booth
    from eata_clients.customs.client import CustomsDesk

    desk, qr = signed_in(home), read_code(secret("Carnet and transaction code"), CodeKind.TRANSACTION)
    lists = (items, not_returned, processed, final)
    notes = sealed_remarks(
        reference, remarks, reason, seals=seals, not_reexported=not_reexported, not_produced=not_produced,
        examined=examined,
    )  # fmt: skip
    typed, presented = event_time(at), Flag.PAPER_PRESENTED if paper else Flag.NONE
    second = None if controller is None else signed_in(controller)

    started, ordered = time.perf_counter(), dict[str, Any]()

    def told(done: "Committed") -> None:
        """Before it is final."""
        ordered["ms"] = (time.perf_counter() - started) * 1000
        if not as_json and not done.final:
            typer.echo(f"{done.standing}, {ordered['ms']:.0f} ms …")

    async def work(transport: Any) -> tuple["Scanned", "Committed", float, str, str]:
        nonlocal started
        client = CustomsDesk(home, transport, desk)
        scanned = await client.scan(qr)
        if Booth(home, transport.network.ledger, desk).queued(scanned.presented.voucher.sign.public):
            raise Fault("QUEUED", "This desk has this voucher in its own queue.", "Run `eata customs resend`.")
        when = await client.clock() if typed is None else _of_office(typed, await client.office())
        day = local_day(*when)
        decision = replace(_decide(scanned, lists, acknowledge or [], notes, day, pre_export), flags=presented)
        started = time.perf_counter()
        done = await client.commit(scanned, decision, when, second, told)
        ms, until = (time.perf_counter() - started) * 1000, "" if done.final else await client.until_final()
        return scanned, done, ms, transport.last_node, until

    scanned, done, ms, node, until = run(network, home, work)
    data = {
        "carnet_id": scanned.carnet.carnet_id, "kind": "PRE_EXPORTATION" if pre_export else scanned.presented.kind.name,
        **standing(done), "ordered_ms": round(ordered["ms"], 2), "ms": round(ms, 2), "node": node, "facts": named(done.facts),
        "verification": done.verification, "told_by": scanned.agreed.by, "differing": list(scanned.agreed.differing),
    }  # fmt: skip
    said = f"{data['kind']} of {scanned.carnet.number}: {done.standing}, {ms:.0f} ms, ledger index {done.index}."
    code = [f"Verification code for the holder: {done.verification}"] if done.verification else []
    say(
        data,
        as_json,
        said,
        *code,
        *([until] if until else []),
        f"Receipt: eata fetch-receipt {done.index} {done.entry_hash.hex()} --out receipt.cose",
    )
    raise typer.Exit(0 if done.final else PROVISIONAL)


@customs_app.command()
def resend(home: DeskHome, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Send again what is not final yet; the same bytes, so nothing happens twice."""
    from eata_clients.commands.session import run
    from eata_clients.customs.client import CustomsDesk
    from eata_clients.net.errors import EataError
    from eata_clients.net.receipts import Committed

    desk = signed_in(home)
    done = run(network, home, lambda transport: CustomsDesk(home, transport, desk).resend())
    made = [standing(it) for _, it in done if isinstance(it, Committed)]
    refused = [
        {**_what(entry), "code": it.code, "message": it.message} for entry, it in done if isinstance(it, EataError)
    ]
    lines = [f"REFUSED carnet {r['carnet_id']} slot {r['slot']}: {r['code']}: {r['message']}" for r in refused]
    left = sum(not it["final"] for it in made)
    said = f"{len(made) - left} commits are final" + (f", {left} ordered and provisional." if left else ".")
    say({"committed": made, "refused": refused}, as_json, said, *lines)
    raise typer.Exit(1 if refused else PROVISIONAL if left else 0)


def _what(entry: "Entry") -> dict[str, Any]:
    """Which act of the desk an entry was."""
    body = entry.header.body
    return {
        "entry": entry.hash.hex(),
        "carnet_id": getattr(body, "carnet_id", None),
        "slot": getattr(body, "slot", None),
    }


def _of_office(typed: tuple[int, int], office: "RegisterOffice") -> tuple[int, int]:
    """A time as it was typed, if the office's clocks can have shown it. Raises `Fault`."""
    if typed[1] not in office.offsets:
        shown = " or ".join(map(shown_offset, office.offsets))
        raise Fault(
            "OFFSET_WRONG",
            f"The clocks of {office.code} show {shown}, never what was typed.",
            "Type the office's own time.",
        )
    return typed


def instant(text: str) -> int | None:
    """ms UTC of an ISO time with offset, None for empty text."""
    found = event_time(text)
    return None if found is None else found[0]


def _decide(
    scanned: "Scanned", lists: tuple[str, str, str, str], acknowledged: list[str], notes: Any, day: int, pre_export: bool
) -> "Decision":  # fmt: skip
    """The officer's decision; stops before the log if a warning has not been acknowledged with a reason."""
    from eata_clients.authoring.clearing import Decision

    if scanned.voucher.state is not VoucherState.PREPARED:
        raise Fault("CODE_CONSUMED", sentence(Outcome.CODE_CONSUMED), advice(Outcome.CODE_CONSUMED))
    items, not_returned, processed, final = lists
    unknown = [code for code in acknowledged if code.upper() not in Warning.__members__]
    if unknown:
        raise Malformed(f"“{unknown[0][:30]}” is not a warning code")
    decision = Decision(
        Items.parse(items) if items else scanned.presented.items,
        Items.parse(not_returned) if not_returned else scanned.presented.not_returned,
        Items.parse(processed),
        day_of(final) if final else None,
        tuple(sorted({Warning[code.upper()] for code in acknowledged})),
        notes,
        Kind.PRE_EXPORTATION if pre_export else None,
    )
    found = scanned.warnings(decision, day)
    if set(found) - {code.upper() for code in acknowledged} or (found and not notes.reason):
        raise Fault(
            "REASON_REQUIRED",
            f"Warnings: {', '.join(found)}.",
            f"Check the goods, then --acknowledge {' --acknowledge '.join(found)} --reason FILE.",
        )
    return decision
