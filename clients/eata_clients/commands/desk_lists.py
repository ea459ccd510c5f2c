"""`eata customs`: transactions, holds, arrivals, transits, carnets, statistics, follow (ACC-21, ACC-41 to ACC-56)."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_ledger.carnet.dates import iso
from eata_ledger.carnet.goods.transit import TransitState
from eata_ledger.carnet.journeys.reconciliation import Reconciliation
from eata_ledger.carnet.vocabulary import Flag, NoticeState
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import DeskHome, Network, Opener, customs_app, opener_keys, signed_in
from eata_clients.zones import local_time

if TYPE_CHECKING:
    from pathlib import Path

    from eata_ledger.log.bodies import RegisterOffice

    from eata_clients.opened.arrivals import Arrival
    from eata_clients.opened.lists import Lists

_Office = Annotated[str, typer.Option(help="Only this office.")]


def register(app: typer.Typer) -> None:
    """The commands hang on the customs group."""


def _lists(home: "Path", opener: Any, transport: Any) -> "Lists":
    from eata_clients.opened.lists import Lists

    return Lists(transport, signed_in(home), opener_keys(opener))


def _known(text: str, names: Iterable[str]) -> None:
    """Raises `Malformed` for a filter that nothing could match."""
    if text and text.upper() not in names:
        raise Malformed(f"“{text[:20]}” is none of {', '.join(names)}")


@customs_app.command()
def transactions(
    home: DeskHome, network: Network, opener: Opener = None, office: _Office = "",
    kind: Annotated[str, typer.Option(help="Only this kind.")] = "",
    carnet: Annotated[int, typer.Option(help="Only this carnet ID.")] = 0,
    since: Annotated[str, typer.Option(help="From this day on (ISO).")] = "",
    until: Annotated[str, typer.Option(help="Up to this day (ISO).")] = "",
    size: Annotated[int, typer.Option(min=1, max=100, help="Rows a page.")] = 10,
    before: Annotated[int, typer.Option(help="`next` of the page before.")] = 0,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Last transactions: your office's; for a controller the territory's, and of others what it may see (ACC-57)."""
    from eata_proto.v1 import lists_pb2

    from eata_clients.commands.session import run

    query = lists_pb2.ListQuery(
        page_size=size, before=before, office=office, kind=kind.upper(), carnet_id=carnet, from_day=since, to_day=until
    )
    found, following = run(network, home, lambda transport: _lists(home, opener, transport).transactions(query))
    rows = [
        {
            "index": t.row.index, "carnet_id": t.carnet_id, "number": t.number, "type": t.type, "kind": t.row.kind.name,
            "time": local_time(t.row.event_time, t.row.offset), "territory": t.row.territory, "office": t.row.office, "items": str(t.row.items),
            "not_returned": str(t.row.not_returned), "cleared": str(t.row.items | t.row.not_returned),
            "final_date": None if t.row.final_day is None else iso(t.row.final_day), "test": bool(t.row.flags & Flag.TEST),
            "cancelled": t.row.cancelled is not None, "reference": None if t.remarks is None else t.remarks.reference,
        }
        for t in found
    ]  # fmt: skip
    lines = [
        f"{r['index']:>6} {r['time']} {r['number']:<14} {r['kind']:<15} {r['cleared']:<12} {r['territory']:<4} {r['office']}"
        + (" (cancelled)" if r["cancelled"] else "")
        for r in rows
    ]
    more = [f"More: --before {following}"] if following else []
    say({"transactions": rows, "next": following}, as_json, *(lines or ["None."]), *more)


@customs_app.command()
def holds(
    home: DeskHome, network: Network, opener: Opener = None, office: _Office = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """On hold in your territory."""
    from eata_clients.commands.session import run

    found = run(network, home, lambda transport: _lists(home, opener, transport).holds(office))
    rows = [
        {"carnet_id": h.hold.carnet_id, "number": h.number, "office": h.hold.office, "officer": h.hold.officer.hex(),
         "since": local_time(h.hold.since, h.hold.offset), "reason": h.reason}
        for h in found
    ]  # fmt: skip
    lines = [f"{r['number']:<14} {r['office']} since {r['since']}: {r['reason'] or '(sealed)'}" for r in rows]
    say(rows, as_json, *(lines or ["Nothing is on hold."]))


@customs_app.command()
def arrivals(
    home: DeskHome, network: Network, opener: Opener = None, office: _Office = "",
    state: Annotated[str, typer.Option(help="SENT, ACKNOWLEDGED, REJECTED, COMMITTED, WITHDRAWN.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Pre-notifications and pre-declarations to your territory's offices."""
    from eata_clients.commands.session import run
    from eata_clients.trust.registry_pages import KeptRegistry

    _known(state, NoticeState.__members__)

    async def work(transport: Any) -> tuple[list["Arrival"], Mapping[str, "RegisterOffice"]]:
        found = await _lists(home, opener, transport).arrivals(office, state.upper())
        return found, (await KeptRegistry(transport, home).get()).offices if found else {}

    found, offices = run(network, home, work)
    rows = [
        {
            "notice": a.notice.notice_id.hex(), "carnet_id": a.notice.carnet_id, "number": a.number,
            "kind": a.notice.kind.name, "state": a.notice.state.name, "transaction": a.kind,
            "office": a.notice.office, "eta": a.eta(offices.get(a.notice.office)) or None,
            "hand_carry": None if a.details is None else a.details.hand_carry,
            "mode": None if a.details is None else a.details.mode,
            "identification": None if a.details is None else a.details.identification,
            "holder": None if a.content is None else a.content.holder,
        }
        for a in found
    ]  # fmt: skip
    lines = [
        f"{r['notice']} {r['number']:<14} {r['transaction']:<14} {r['office']} {r['eta'] or '(sealed)'} {r['state']}"
        for r in rows
    ]
    say(rows, as_json, *(lines or ["Nobody is announced."]))


@customs_app.command()
def transits(
    home: DeskHome, network: Network,
    state: Annotated[str, typer.Option(help="IN_PROGRESS, CLOSED_IN_DUE_TIME, EXPIRED.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Transits through your territory: in progress, closed in due time, expired."""
    from eata_clients.commands.session import run
    from eata_clients.opened.lines import transit_mark

    _known(state, TransitState.__members__)
    found = run(network, home, lambda transport: _lists(home, None, transport).transits(state.upper()))
    rows = [
        {
            "carnet_id": t.carnet_id, "number": t.number, "type": t.type, "state": t.state, "closed_late": t.closed_late,
            "items": t.items, "open_day": t.open_day, "open_office": t.open_office, "final_day": t.final_day,
            "close_day": t.close_day or None, "close_office": t.close_office or None, "left": t.left,
        }
        for t in found.transits
    ]  # fmt: skip
    lines = [f"{transit_mark(str(r['state']))} {r['number']:<14} {r['items']:<10} by {r['final_day']}" for r in rows]
    say({"as_of": found.as_of, "transits": rows}, as_json, *(lines or ["No transit."]))


@customs_app.command()
def carnets(
    home: DeskHome, network: Network,
    status: Annotated[str, typer.Option(help="N/A, Terminated, To check.")] = "",
    kind: Annotated[str, typer.Option("--type", help="Carnet type.")] = "",
    size: Annotated[int, typer.Option(min=1, max=100, help="Rows a page.")] = 10,
    before: Annotated[int, typer.Option(help="`next` of the page before.")] = 0,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Carnets your territory has met, with their reconciliation (controllers)."""
    from eata_proto.v1 import lists_pb2

    from eata_clients.commands.session import run

    if status and status not in set(Reconciliation):
        raise Malformed(f"statuses are {', '.join(Reconciliation)}")
    query = lists_pb2.ListQuery(status=status, type=kind.upper(), page_size=size, before=before)
    found = run(network, home, lambda transport: _lists(home, None, transport).carnets(query))
    rows = [
        {
            "carnet_id": c.carnet_id, "number": c.number, "type": c.type, "order_type": c.order_type, "home": c.home,
            "issued": c.issued, "valid_until": c.valid_until, "status": c.status,
            "reasons": [{"kind": r.kind, "territory": r.territory, "items": r.items} for r in c.reasons],
        }
        for c in found.carnets
    ]  # fmt: skip
    lines = [f"{r['number']:<14} {r['home']:<4} until {r['valid_until']} {r['status']}" for r in rows]
    more = [f"More: --before {found.next}"] if found.next else []
    say({"carnets": rows, "next": found.next}, as_json, *(lines or ["None."]), *more)


@customs_app.command()
def statistics(home: DeskHome, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Your territory's numbers: months, issuing territories, potential claims, offices (controllers)."""
    from eata_clients.commands.session import run
    from eata_clients.opened.lines import bars

    found = run(network, home, lambda transport: _lists(home, None, transport).statistics())
    data = {
        name: {count.name: count.count for count in getattr(found, name)}
        for name in ("months", "homes", "claims", "offices")
    }
    say(data, as_json, *(line for name, counts in data.items() for line in (name, *bars(counts))))


@customs_app.command()
def follow(
    home: DeskHome, network: Network,
    since: Annotated[int, typer.Option("--from", min=0, help="First ledger index wanted: one past the last you kept.")] = 0,
    count: Annotated[int, typer.Option(min=0, help="Stop after so many events; 0: never.")] = 0,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """What happens in your territory, one line an event, from an index on."""
    from eata_clients.commands.session import run
    from eata_clients.opened.lines import event_line
    from eata_clients.opened.lists import follow as events

    desk = signed_in(home)

    async def work(transport: Any) -> None:
        seen = 0
        async for event in events(transport, "Territory", desk.key, since, certificate=desk.certificate):
            typer.echo(event_line(event, as_json))
            seen += 1
            if seen == count:
                return

    run(network, home, work)
