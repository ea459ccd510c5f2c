"""`eata issue`, `eata issued`, `eata issuer …`: an issuer's own system, talking to its gateway."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault

from eata_clients.commands.at_gateway import (
    Gateway,
    Home,
    as_data,
    as_format,
    as_standing,
    call,
    in_words,
    read_json,
    said,
    to_request,
)
from eata_clients.commands.issuing_many import issue_many

if TYPE_CHECKING:
    from eata_proto.v1 import gateway_pb2

_app = typer.Typer(help="An issuer's carnets, through its gateway.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command()(issue)
    app.command()(issued)
    _app.command("issue-many")(issue_many)
    app.add_typer(_app, name="issuer")


def _order(file: Path) -> "gateway_pb2.IssueRequest":
    return to_request(read_json(file))


def _issued(reply: "gateway_pb2.IssueReply", as_json: bool) -> None:
    say(as_data(reply), as_json, said(reply))


def issue(
    file: Annotated[Path, typer.Argument(help="An order as JSON: the fields of IssueRequest.")],
    gateway: Gateway, home: Home, as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Issue a carnet through the gateway. The answer holds the PIN: deliver it to the holder only."""
    request = _order(file)
    reply = call(gateway, home, "Issue", request)
    _issued(reply, as_json)


def issued(
    number: Annotated[str, typer.Argument(help="Carnet number or ID.")],
    gateway: Gateway, home: Home,
    as_of: Annotated[str, typer.Option(help="ISO date for the reconciliation.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """A carnet's reconciliation as the issuer sees it."""
    from eata_proto.v1 import gateway_pb2

    request = gateway_pb2.GatewayStatusRequest(number=number, as_of=as_of)
    reply: gateway_pb2.GatewayStatusReply = call(gateway, home, "Reconcile", request)
    reasons = [{"kind": r.kind, "territory": r.territory, "items": r.items} for r in reply.reasons]
    data = {
        "number": reply.number, "carnet_id": reply.carnet_id, "status": reply.status, "reasons": reasons,
        "transactions": reply.transactions,
    }  # fmt: skip
    say(data, as_json, reply.status, *(f"  {r['kind']} {r['territory']} {r['items']}" for r in reasons))


_RequestId = Annotated[str, typer.Option(help="Your own id of this change; the same again does it once.")]
_Number = Annotated[str, typer.Argument(help="Carnet number or ID.")]


@_app.command()
def validate(file: Annotated[Path, typer.Argument(help="An order as JSON.")], gateway: Gateway, home: Home,
             as_json: Annotated[bool, JSON] = False) -> None:  # fmt: skip
    """Check an order without writing anything: every problem at once, and which format to issue."""
    reply = call(gateway, home, "Validate", _order(file))
    found = [{"code": p.code, "sentence": p.sentence} for p in reply.problems]
    data = {"problems": found, "format": as_format(reply.format), "total": reply.total}
    kinds = [name for name in ("paper", "digital") if data["format"][name]]
    good = f"Good. Use case {reply.format.use_case}: issue {' and '.join(kinds)}." if kinds else "Good."
    say(data, as_json, *(f"{p['code']}: {p['sentence']}" for p in found), *([] if found else [good]))
    raise typer.Exit(1 if found else 0)


@_app.command()
def draft(file: Annotated[Path, typer.Argument(help="An order as JSON.")], draft_id: Annotated[str, typer.Option("--id")],
          gateway: Gateway, home: Home, as_json: Annotated[bool, JSON] = False) -> None:  # fmt: skip
    """Save an order at the gateway to go on with later."""
    from eata_proto.v1 import gateway_pb2

    call(gateway, home, "SaveDraft", gateway_pb2.Draft(draft_id=draft_id, order=_order(file)))
    say({"draft": draft_id}, as_json, "Saved.")


@_app.command()
def drafts(
    gateway: Gateway, home: Home,
    issue: Annotated[str, typer.Option(help="Issue this draft.")] = "",
    delete: Annotated[str, typer.Option(help="Delete this draft.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """List drafts; issue or delete one."""
    from eata_proto.v1 import gateway_pb2

    if issue and delete:
        raise Fault("ORDER_MALFORMED", "Issue a draft or delete one.", "Give one of --issue and --delete.")
    if issue:
        _issued(call(gateway, home, "IssueDraft", gateway_pb2.DraftId(draft_id=issue)), as_json)
        return
    if delete:
        call(gateway, home, "DeleteDraft", gateway_pb2.DraftId(draft_id=delete))
    found = call(gateway, home, "Drafts", gateway_pb2.DraftsRequest()).drafts
    rows = [{"draft": d.draft_id, "number": d.order.number, "holder": d.order.holder} for d in found]
    say(rows, as_json, *(f"{r['draft']}: {r['number']} {r['holder']}" for r in rows))


@_app.command()
def amend(file: Annotated[Path, typer.Argument(help="The whole order anew, as JSON.")], request_id: _RequestId,
          gateway: Gateway, home: Home, as_json: Annotated[bool, JSON] = False) -> None:  # fmt: skip
    """Change a carnet within 30 days of issue and before any transaction; the holder signs again. No sets in it."""
    from eata_proto.v1 import gateway_pb2

    request = gateway_pb2.AmendRequest(request_id=request_id, order=_order(file))
    _changed(call(gateway, home, "Amend", request), as_json, "Amended; the holder signs again.")


def _changed(reply: Any, as_json: bool, text: str) -> None:
    data = {"carnet_id": reply.carnet_id, "index": reply.index, **as_standing(reply.standing)}
    say(data, as_json, f"{text} ({in_words(reply.standing)})")


@_app.command()
def sets(number: _Number, add: Annotated[list[str], typer.Option(help="KIND=N; again for more.")], request_id: _RequestId,
         gateway: Gateway, home: Home, as_json: Annotated[bool, JSON] = False) -> None:  # fmt: skip
    """Add voucher sets."""
    from eata_proto.v1 import gateway_pb2

    wanted = {}
    for text in add:
        kind, _, count = text.upper().partition("=")
        if not count.isdecimal() or len(count) > 5 or int(count) > 65_535:
            raise Fault("ORDER_MALFORMED", "Sets are KIND=N, N up to 65,535.", "For example TRANSIT=2.")
        wanted[kind] = int(count)
    request = gateway_pb2.SetsRequest(request_id=request_id, number=number, sets=wanted)
    _changed(call(gateway, home, "AddSets", request), as_json, "Added.")


def _change(method: str, said: str, about: str) -> None:
    """One command for each act that names nothing but the carnet."""

    def act(number: _Number, request_id: _RequestId, gateway: Gateway, home: Home,
            as_json: Annotated[bool, JSON] = False) -> None:  # fmt: skip
        from eata_proto.v1 import gateway_pb2

        request = gateway_pb2.ChangeRequest(request_id=request_id, number=number)
        _changed(call(gateway, home, method, request), as_json, said)

    _app.command(name=method.lower(), help=about)(act)


_change("Block", "Blocked.", "No new transaction; returns only with a controller.")
_change("Unblock", "Unblocked.", "Take a block back.")
_change("Cancel", "Cancelled.", "Withdraw a carnet that was never used.")


_change("Erase", "Erased: what was sealed is gone.", "Drop what was sealed, 33 months after the carnet's end.")


def _new_pin(command: str, method: str, said: str, help: str) -> None:
    def act(number: _Number, request_id: _RequestId, gateway: Gateway, home: Home,
            as_json: Annotated[bool, JSON] = False) -> None:  # fmt: skip
        from eata_proto.v1 import gateway_pb2

        request = gateway_pb2.ChangeRequest(request_id=request_id, number=number)
        reply: gateway_pb2.PinReply = call(gateway, home, method, request)
        data = {"carnet_id": reply.carnet_id, "pin": reply.pin, "index": reply.index, **as_standing(reply.standing)}
        say(data, as_json, f"ID {reply.carnet_id}, PIN {reply.pin}. {said} ({in_words(reply.standing)})")

    _app.command(command, help=help)(act)


_new_pin(
    "rotate-pin", "RotatePin", "The old PIN opens and signs nothing any more.",
    "Make a new PIN for a lost one. The answer holds it: deliver it to the holder only.",
)  # fmt: skip
_new_pin(
    "reset-holder", "ResetHolder", "All devices and open vouchers of before are void; the holder signs anew.",
    "For a holder who has lost all devices and the holder code: void them, for all Customs to see. The answer holds a new PIN.",
)  # fmt: skip


@_app.command()
def attach(number: _Number, file: Annotated[Path, typer.Argument(help="A PDF or JPEG, at most 5 MB.")],
           request_id: _RequestId, gateway: Gateway, home: Home, as_json: Annotated[bool, JSON] = False) -> None:  # fmt: skip
    """Attach a document before Customs has touched the carnet."""
    from eata_proto.v1 import gateway_pb2

    from eata_clients.commands.wallet_care import read_document

    request = gateway_pb2.AttachRequest(
        request_id=request_id, number=number, name=file.name, content=read_document(file)
    )  # fmt: skip
    _changed(call(gateway, home, "Attach", request), as_json, f"{file.name} attached, on three nodes.")


@_app.command()
def discharge(number: _Number, request_id: _RequestId, gateway: Gateway, home: Home,
              anyway: Annotated[bool, typer.Option("--anyway", help="Also with goods that are still out.")] = False,
              as_json: Annotated[bool, JSON] = False) -> None:  # fmt: skip
    """End a carnet; tells what was never used, and blocks it if anything was. Goods that are still out stop it."""
    from eata_proto.v1 import gateway_pb2

    request = gateway_pb2.DischargeRequest(request_id=request_id, number=number, anyway=anyway)
    reply: gateway_pb2.DischargeReply = call(gateway, home, "Discharge", request)
    data = {"carnet_id": reply.carnet_id, "index": reply.index, "unused": dict(reply.unused),
            "prepared": reply.prepared, "blocked": reply.blocked,
            "open": [{"kind": r.kind, "territory": r.territory, "items": r.items} for r in reply.open], **as_standing(reply.standing)}  # fmt: skip
    unused = ", ".join(f"{kind} {n}" for kind, n in sorted(reply.unused.items()) if n) or "nothing"
    say(data, as_json, f"Discharged. Unused: {unused}; {reply.prepared} vouchers prepared. Blocked: {reply.blocked}.")


@_app.command()
def transactions(number: _Number, gateway: Gateway, home: Home, as_json: Annotated[bool, JSON] = False) -> None:
    """The digital transaction records: validations in full, the rest in summary."""
    from eata_proto.v1 import gateway_pb2

    reply = call(gateway, home, "Transactions", gateway_pb2.TransactionsRequest(number=number))
    rows = [
        {"index": t.index, "kind": t.kind, "territory": t.territory, "office": t.office, "items": t.items,
         "not_returned": t.not_returned, "time": t.time, "final_date": t.final_date or None, "cancelled": t.cancelled,
         "full": t.full}
        for t in reply.transactions
    ]  # fmt: skip
    asks = [{"kind": ask.kind, "sets": dict(ask.sets)} for ask in reply.asks]
    data = {"number": reply.number, "carnet_id": reply.carnet_id, "transactions": rows, "asks": asks}
    lines = [
        f"{r['index']:>6} {r['time']} {r['kind']:<15} {r['items']:<12} {r['office']}"
        + (" (cancelled)" if r["cancelled"] else "")
        for r in rows
    ]
    wanted = [(a["kind"].lower(), " ".join(f"{kind} {n}" for kind, n in sorted(a["sets"].items()))) for a in asks]
    say(data, as_json, *lines, *(f"the holder asks for {kind} {sets}".rstrip() for kind, sets in wanted))


@_app.command()
def follow(
    gateway: Gateway,
    home: Home,
    since: Annotated[
        int, typer.Option("--from", min=0, help="First ledger index wanted: one past the last you kept.")
    ] = 0,
    count: Annotated[int, typer.Option(min=0, help="Stop after so many events; 0: never.")] = 0,
) -> None:
    """What happens to your carnets, one JSON object a line, from an index on."""
    from eata_proto.v1 import gateway_pb2

    def show(event: gateway_pb2.GatewayEvent) -> None:
        facts = json.loads(event.json)
        typer.echo(json.dumps({"index": event.index, "time": event.time, "type": event.type,
                               "carnet_id": event.carnet_id, "number": event.number, "facts": facts}))  # fmt: skip

    call(gateway, home, "Follow", gateway_pb2.GatewayFollowRequest(from_index=since), show, count)
