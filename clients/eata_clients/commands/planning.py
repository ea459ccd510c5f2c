"""Commands for before the journey and after it: `eata plan`, `eata visible`, `eata evidence`."""

from pathlib import Path
from typing import Annotated

import typer
from eata_host.console import JSON, say
from eata_ledger.carnet.dates import day_of, iso
from eata_ledger.carnet.journeys import claims, planner
from eata_ledger.carnet.journeys.journey import Breach
from eata_ledger.carnet.journeys.reconciliation import reconcile
from eata_ledger.carnet.territories import known, territory_of
from eata_ledger.carnet.visibility import Seen, visible
from eata_ledger.encoding import Malformed
from eata_ledger.outcomes import Outcome

from eata_clients.commands.offline import read_journey, read_json
from eata_clients.today import own_day

_SENTENCES = {
    planner.Action.VALIDATION: "have the carnet validated (activated)",
    planner.Action.AUTO_VALIDATION: "the system validates the digital carnet by itself",
    planner.Action.PRE_EXPORTATION: "declare the export at the office of export",
    planner.Action.EXPORTATION: "export",
    planner.Action.STAMP_GREEN_COVER: "have the paper carnet's green cover stamped",
    planner.Action.STAMP_EXPORT_COUNTERFOIL: "have the yellow export counterfoil stamped",
    planner.Action.IMPORTATION: "import",
    planner.Action.REEXPORTATION: "re-export",
    planner.Action.TRANSIT_OPEN: "open the transit",
    planner.Action.TRANSIT_CLOSE: "close the transit",
    planner.Action.REIMPORTATION: "re-import",
    planner.Action.STAMP_REIMPORT_OPTIONAL: "a stamp on the paper re-import counterfoil is optional",
    planner.Action.CARRY_PAPER_COPY: "carry the paper copy as well",
    planner.Action.END_AS_BEGUN: "end in the format the leg was begun in",
}


_SOURCES = {
    "file": "Digital dates: from the file.",
    "registry": "Digital dates: from the registry, a moment ago.",
    "unreachable": "The registry could not be reached: digital dates are those that come with the project.",
    "listed": "No network file: digital dates are those that come with the project.",
}


def register(app: typer.Typer) -> None:
    app.command(name="plan")(plan)
    app.command(name="visible")(see)
    app.command()(evidence)


def _countries(text: str) -> list[str]:
    return [code for code in (piece.strip() for piece in text.split(",")) if code]


def _opened(begun: list[str], stops: set[str], today: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in begun:
        country, colon, day = text.partition(":")
        if not colon:
            raise Malformed("a leg that has begun is CC:DATE, such as DE:2026-05-20")
        territory = planner.stop(country).territory
        if territory in found or territory not in stops:
            raise Malformed(f"{country[:10]} is not on this journey, or is named twice")
        if day_of(day) > today:
            raise Malformed("a leg has begun on the day of the plan or before")
        found[territory] = day_of(day)
    return found


def plan(
    home: Annotated[str, typer.Option(help="ISO country code where the carnet is issued.")],
    itinerary: Annotated[str, typer.Option(help="ISO country codes in order, with commas.")],
    transit: Annotated[str, typer.Option(help="Countries crossed on the way, with commas.")] = "",
    date: Annotated[str, typer.Option(help="ISO date of the journey; today if left out.")] = "",
    begun: Annotated[list[str] | None, typer.Option(help="CC:DATE of a leg that is open already.")] = None,
    readiness: Annotated[Path | None, typer.Option(help="Readiness as `eata registry readiness --json` prints it.")] = None,
    network: Annotated[Path | None, typer.Option(envvar="EATA_NETWORK", help="The network file; the registry is asked where there is one.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Which carnet to issue, paper or digital, and what to do on each leg (domain §2.12)."""
    stops = [
        *(planner.stop(code, transit=True) for code in _countries(transit)),
        *(planner.stop(code) for code in _countries(itinerary)),
    ]
    if not _countries(itinerary):
        raise Malformed("an itinerary names at least one country")
    day = day_of(date) if date else own_day()
    trip = planner.Trip(planner.stop(home), tuple(stops), day, _opened(begun or [], {s.territory for s in stops}, day))
    told, source = _readiness(readiness, network)
    found = planner.plan(trip, planner.listed_readiness() | told)
    papers = [name for name, issued in (("paper", found.paper), ("digital", found.digital)) if issued]
    head = f"Use case {found.use_case}: issue {' and '.join(papers)}" + (" as clone or twin" if found.linked else "")
    delivery = "deliver ID and PIN" if found.deliver_id_pin else "keep ID and PIN, do not hand them over"
    lines = [
        f"  {leg.country} ({leg.format.value}): " + ("; ".join(_SENTENCES[a] for a in leg.actions) or "nothing to do")
        for leg in found.legs
    ]
    if as_json and source == "unreachable":
        typer.echo(_SOURCES[source], err=True)
    say(planner.as_json(found), as_json, f"{head}; {delivery}.", *lines, _SOURCES[source])


def _readiness(file: Path | None, network: Path | None) -> tuple[dict[str, int | None], str]:
    """Digital dates as a file or the live registry has them, and where they are from."""
    from eata_host.places import default_network

    from eata_clients.net.errors import EataError

    if file is not None:
        return _read_readiness(file), "file"
    network = network or default_network()
    if not network.exists():
        return {}, "listed"
    from eata_clients.commands.session import run
    from eata_clients.trust.registry_pages import fetch

    try:
        registry = run(network, None, fetch)
    except EataError as error:
        if error.retryable:
            return {}, "unreachable"
        raise
    return {code: territory.digital_from for code, territory in registry.territories.items()}, "registry"


def _read_readiness(path: Path) -> dict[str, int | None]:
    source = read_json(path)
    rows = source.get("territories") if isinstance(source, dict) else None
    if not rows:
        raise Malformed("readiness is {“territories”: [{“territory”, “digital_from”}, …]}")
    try:
        return {r["territory"]: day_of(r["digital_from"]) if r["digital_from"] else None for r in rows}
    except (KeyError, TypeError):
        raise Malformed("readiness is {“territories”: [{“territory”, “digital_from”}, …]}") from None


def see(
    file: Annotated[Path, typer.Argument(help="A journey file (docs/journey.md).")],
    viewer: Annotated[str, typer.Option(help="Customs territory, or a country of one.")],
    arriving: Annotated[bool, typer.Option("--arriving", help="It is processing an arrival right now.")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Which transactions of a journey a customs territory may see, as 1-based numbers (domain §2.10)."""
    if not viewer.strip():
        raise Malformed("a viewer is a customs territory")
    journey, place = read_journey(file), territory_of(viewer)
    if not known(place):
        raise Breach("--viewer", Outcome.TERRITORY_UNKNOWN)
    rows = [Seen(t.kind, t.territory, t.cancelled, t.declared | t.not_returned) for t in journey.transactions]
    numbers = [n + 1 for n in visible(rows, place, journey.home, arriving)]
    lines = [f"{n:>3} {journey.transactions[n - 1].kind.name} {journey.transactions[n - 1].territory}" for n in numbers]
    say(numbers, as_json, *(lines or ["Nothing."]))


def evidence(
    file: Annotated[Path, typer.Argument(help="A journey file (docs/journey.md).")],
    as_of: Annotated[str, typer.Option(help="ISO date; the day after the carnet's last, if left out.")] = "",
    claimed: Annotated[str, typer.Option(help="The day a claim was lodged (ISO).")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """What the transactions themselves answer to a claim, best first, what nothing covers, and the claim's clock."""
    journey = read_journey(file)
    day = day_of(as_of) if as_of else journey.valid_until + 1
    _, reasons = reconcile(journey.balances(day), journey.home, journey.valid_until, day)
    moves = [
        claims.Movement(n, t.kind, t.territory, t.declared | t.not_returned, t.day)
        for n, t in enumerate(journey.transactions, 1)
        if not t.cancelled and t.day <= day
    ]
    clock = claims.claim_clock(journey.valid_until, day_of(claimed) if claimed else None)
    answers = []
    for reason in reasons:
        found, missing = claims.evidence(reason, moves, journey.valid_until)
        answers.append({
            "kind": reason.kind.value, "territory": reason.territory, "items": str(reason.items),
            "evidence": [{"rank": e.rank.name, "transaction": e.index, "items": str(e.items)} for e in found],
            "missing": str(missing),
        })  # fmt: skip
    data = {"claims": answers, "lodge_by": iso(clock.lodge_by), "prove_by": iso(clock.prove_by),
            "final_on": iso(clock.final_on)}  # fmt: skip
    lines = [
        f"{a['kind']} {a['territory']} {a['items']}: nothing answers for {a['missing']}" if a["missing"]
        else f"{a['kind']} {a['territory']} {a['items']}: answered"
        for a in answers
    ]  # fmt: skip
    last = f"Lodge by {iso(clock.lodge_by)}, prove by {iso(clock.prove_by)}, final on {iso(clock.final_on)}."
    say(data, as_json, *(lines or ["Nothing is open."]), last)
