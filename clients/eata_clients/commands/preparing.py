"""`eata checklist`: how far a territory is on its way to its digital date (GTP-10, GTP-11)."""

from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_ledger.carnet.dates import day_of, iso
from eata_ledger.carnet.journeys import preparation
from eata_ledger.carnet.journeys.preparation import OfficeStatus, Step
from eata_ledger.encoding import Malformed

from eata_clients.commands.offline import read_json
from eata_clients.today import own_day


def register(app: typer.Typer) -> None:
    app.command()(checklist)


def checklist(
    file: Annotated[Path, typer.Argument(help="digital_from, done steps, regions with their offices (JSON).")],
    on: Annotated[str, typer.Option(help="As of this day (ISO); today if left out.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Six steps with their due days, the workload left, and which region and office is ready."""
    digital, declared, offices = _read(read_json(file))
    today = day_of(on) if on else own_day()
    found, left = preparation.steps(digital, offices, declared, today), preparation.workload(offices)
    regions: dict[str, list[OfficeStatus]] = defaultdict(list)
    for office in offices:
        regions[office.region].append(office)
    data = {
        "digital_from": iso(digital),
        "steps": [{"step": s.step.value, "due": iso(s.due), "done": s.done, "late": s.late} for s in found],
        "workload": {"equip_hours": left.equip_hours, "account_hours": left.account_hours,
                     "training_hours": left.training_hours, "groups": left.groups, "total_hours": left.total},
        "regions": [
            {"region": name, "ready": all(o.ready for o in held),
             "offices": [{"office": o.name, "ready": o.ready, "missing": list(o.missing())} for o in held]}
            for name, held in regions.items()
        ],
    }  # fmt: skip
    marks = {(True, False): "✓", (False, False): "·", (False, True): "✗"}
    lines = [f"{marks[s.done, s.late]} {s.step.value:<18} by {iso(s.due)}" for s in found]
    lines += [f"{left.total:g} hours left, {left.groups} training groups"]
    lines += [f"  {o.region}/{o.name}: {', '.join(o.missing())}" for o in offices if not o.ready]
    say(data, as_json, *lines)


def _read(source: Any) -> tuple[int, frozenset[Step], tuple[OfficeStatus, ...]]:
    _only(source, {"digital_from", "done", "regions", "territory"})
    for region in source.get("regions", ()) if isinstance(source, dict) else ():
        _only(region, {"name", "offices"})
        for office in region.get("offices", ()):
            _only(office, {"name", "officers", "trained", "accounts", "internet", "device", "scanner"})
    unknown = set(source.get("done", ())) - set(Step)
    if unknown:
        raise Malformed(f"steps are {', '.join(Step)}")
    try:
        declared = frozenset(Step(name) for name in source.get("done", ()))
        offices = tuple(
            _office(str(region["name"]), office)
            for region in source["regions"] for office in region["offices"]
        )  # fmt: skip
        return day_of(str(source["digital_from"])), declared, offices
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Malformed(f"not a checklist: {error}") from None


def _only(source: Any, keys: set[str]) -> None:
    """Raises `Malformed` for what is no object, or has a field that would be passed over in silence."""
    if not isinstance(source, dict):
        raise Malformed("a checklist is an object with regions and their offices (docs/journey.md)")
    unknown = sorted(set(source) - keys)
    if unknown:
        raise Malformed(f"unknown field “{str(unknown[0])[:30]}”; fields are {', '.join(sorted(keys))}")


def _office(region: str, source: dict[str, Any]) -> OfficeStatus:
    officers, trained, accounts = (_number(source, name) for name in ("officers", "trained", "accounts"))
    internet, device, scanner = (bool(source.get(name, False)) for name in ("internet", "device", "scanner"))
    return OfficeStatus(region, str(source["name"]), officers, trained, accounts, internet, device, scanner)


def _number(office: dict[str, Any], name: str) -> int:
    value = office.get(name, 0)
    if type(value) is not int or value < 0:
        raise Malformed(f"{name} of {office.get('name')} is not a number")
    return value
