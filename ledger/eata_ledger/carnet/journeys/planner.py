"""The transition plan: what to issue and which format each leg takes (GTP-01 to GTP-09, domain §2.12).

    (home, itinerary with transits, date, readiness) → use case 1 to 6, what to issue, format and actions per leg

A territory is digital from its digital date on. A leg that is open already ends in the format it began in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from eata_ledger.carnet.territories import all_digital_from, by_country, parties
from eata_ledger.encoding import Malformed

Readiness = Mapping[str, int | None]  # territory → digital date (day number), None for paper
_NO_DATES: Mapping[str, int] = {}


class Format(StrEnum):
    """How a leg is declared."""

    PAPER = "paper"
    DIGITAL = "digital"
    BOTH = "both"


class Action(StrEnum):
    """What happens on a leg, in the order a traveller meets it."""

    VALIDATION = "VALIDATION"
    AUTO_VALIDATION = "AUTO_VALIDATION"
    PRE_EXPORTATION = "PRE_EXPORTATION"
    EXPORTATION = "EXPORTATION"
    STAMP_GREEN_COVER = "STAMP_GREEN_COVER"
    STAMP_EXPORT_COUNTERFOIL = "STAMP_EXPORT_COUNTERFOIL"
    IMPORTATION = "IMPORTATION"
    REEXPORTATION = "REEXPORTATION"
    TRANSIT_OPEN = "TRANSIT_OPEN"
    TRANSIT_CLOSE = "TRANSIT_CLOSE"
    REIMPORTATION = "REIMPORTATION"
    STAMP_REIMPORT_OPTIONAL = "STAMP_REIMPORT_OPTIONAL"
    CARRY_PAPER_COPY = "CARRY_PAPER_COPY"
    END_AS_BEGUN = "END_AS_BEGUN"


@dataclass(frozen=True)
class Stop:
    """One country of the journey, with its territory."""

    country: str
    territory: str
    transit: bool = False


@dataclass(frozen=True)
class Leg:
    """One country as planned; no actions where no customs border is crossed."""

    country: str
    territory: str
    format: Format
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Plan:
    """The decision: `linked` means the paper carnet is issued as a clone or twin (NICS-08)."""

    use_case: int
    paper: bool
    digital: bool
    linked: bool
    deliver_id_pin: bool
    legs: tuple[Leg, ...]


@dataclass(frozen=True)
class Trip:
    """What is asked: `opened` is the day a leg was begun (by territory), where one is open already."""

    home: Stop
    abroad: tuple[Stop, ...]
    day: int
    opened: Mapping[str, int] = field(default_factory=lambda: _NO_DATES)


def stop(country: str, transit: bool = False) -> Stop:
    """A country of the system. Raises `Malformed` for one that is no contracting party."""
    code = country.strip().upper()
    party = by_country().get(code)
    if party is None:
        raise Malformed(f"“{code[:10]}” is not a country of the ATA system (ISO 3166-1 alpha-2)")
    return Stop(code, party.territory, transit)


def listed_readiness() -> dict[str, int | None]:
    """Territory → digital date, as the offline reference lists it."""
    return {party.territory: party.digital_from for party in by_country().values()}


@cache
def _turns_with() -> dict[str, str]:
    return {party.territory: party.turns_with for party in parties()}


def is_digital(territory: str, day: int, readiness: Readiness) -> bool:
    """From its date on; where none is known, from the end of the transition on."""
    since = readiness.get(territory)
    if since is None:  # a contracting party turns digital as a whole
        since = readiness.get(_turns_with().get(territory, ""))
    return day >= (all_digital_from() if since is None else since)


# (home is digital, some stop is digital, some stop is paper) → use case (GTP-04)
_USE_CASE = {
    (False, False, True): 1, (False, True, False): 2, (False, True, True): 5,
    (True, True, False): 3, (True, False, True): 4, (True, True, True): 6,
}  # fmt: skip


def plan(trip: Trip, readiness: Readiness) -> Plan:
    """Decides. Raises `Malformed` where the journey crosses no customs border."""
    home_day = min((trip.day, *trip.opened.values()))
    home_digital = is_digital(trip.home.territory, home_day, readiness)
    formats = {s.territory: _format(s.territory, trip, readiness) for s in trip.abroad}
    if trip.opened and not home_digital and not any(formats[code] is Format.DIGITAL for code in trip.opened):
        formats = dict.fromkeys(formats, Format.PAPER)  # it left on paper alone: so it goes on (GTP-05, GTP-07)
    foreign = [formats[s.territory] for s in trip.abroad if s.territory != trip.home.territory]
    if not foreign:
        raise Malformed("the journey leaves no customs territory, so it needs no carnet")
    case = _USE_CASE[home_digital, Format.DIGITAL in foreign, Format.PAPER in foreign]
    legs = (_departure(trip, case), *_abroad(trip, formats, case), *_return(trip, case))
    return Plan(case, case != 3, case != 1, case in (5, 6), case != 1, legs)


def _format(territory: str, trip: Trip, readiness: Readiness) -> Format:
    """An open leg keeps the format of the day it was begun (GTP-05, GTP-07)."""
    day = trip.opened.get(territory, trip.day)
    return Format.DIGITAL if is_digital(territory, day, readiness) else Format.PAPER


def _departure(trip: Trip, case: int) -> Leg:
    exports: tuple[Action, ...] = (Action.EXPORTATION,)
    party = by_country().get(trip.home.country)
    if case in (3, 4, 6) and party is not None and party.two_step_export:
        exports = (Action.PRE_EXPORTATION, Action.EXPORTATION)
    stamps = (Action.STAMP_GREEN_COVER, Action.STAMP_EXPORT_COUNTERFOIL)
    auto = (Action.AUTO_VALIDATION,) if case in (2, 5) else ()
    actions = (Action.VALIDATION, *auto, *exports, *(stamps if case in (4, 6) else ()))
    form = Format.BOTH if case in (4, 6) else _home_format(case)
    return Leg(trip.home.country, trip.home.territory, form, actions)


def _return(trip: Trip, case: int) -> tuple[Leg, ...]:
    """None where the journey's last stop is in the home territory already."""
    if trip.abroad[-1].territory == trip.home.territory:
        return ()
    actions: tuple[Action, ...] = (Action.REIMPORTATION,)
    if case in (4, 6):
        actions += (Action.STAMP_REIMPORT_OPTIONAL,)
    return (Leg(trip.home.country, trip.home.territory, _home_format(case), actions),)


def _home_format(case: int) -> Format:
    return Format.PAPER if case in (1, 2, 5) else Format.DIGITAL


def _abroad(trip: Trip, formats: Mapping[str, Format], case: int) -> list[Leg]:
    legs = []
    for n, here in enumerate(trip.abroad):
        if here.territory == trip.home.territory:
            legs.append(Leg(here.country, here.territory, _home_format(case), _at_home(trip, n)))
            continue
        actions = _crossings(trip.abroad, n)
        if here.territory in trip.opened:
            begun = (Action.IMPORTATION, Action.TRANSIT_OPEN)
            actions = (*(a for a in actions if a not in begun), Action.END_AS_BEGUN)
        if actions and case in (5, 6) and formats[here.territory] is Format.DIGITAL:
            actions += (Action.CARRY_PAPER_COPY,)
        legs.append(Leg(here.country, here.territory, formats[here.territory], actions))
    return legs


def _crossings(stops: Sequence[Stop], n: int) -> tuple[Action, ...]:
    """In at the first stop of a territory, out at its last: nothing happens at its inner borders."""
    here = stops[n]

    def same(other: int) -> bool:
        neighbour = stops[other] if 0 <= other < len(stops) else None
        return neighbour is not None and (neighbour.territory, neighbour.transit) == (here.territory, here.transit)

    into, out = (
        (Action.TRANSIT_OPEN, Action.TRANSIT_CLOSE) if here.transit else (Action.IMPORTATION, Action.REEXPORTATION)
    )
    return (*(() if same(n - 1) else (into,)), *(() if same(n + 1) else (out,)))


def _at_home(trip: Trip, n: int) -> tuple[Action, ...]:
    """Back in the home territory on the way: re-imported on coming in, exported again on going on (N-09)."""
    home, stops = trip.home.territory, trip.abroad
    came = n > 0 and stops[n - 1].territory != home
    goes = n + 1 < len(stops) and stops[n + 1].territory != home
    left_before = any(s.territory != home for s in stops[:n])
    return (
        *((Action.REIMPORTATION,) if came else ()),
        *((Action.EXPORTATION,) if goes and left_before else ()),
    )


def as_json(plan: Plan) -> dict[str, object]:
    """What `eata plan --json` prints."""
    return {
        "use_case": plan.use_case,
        "issue": {
            "paper": plan.paper,
            "digital": plan.digital,
            "link": "clone_or_twin" if plan.linked else "none",
            "deliver_id_pin": plan.deliver_id_pin,
        },
        "legs": [
            {"country": leg.country, "territory": leg.territory, "format": leg.format.value,
             "actions": [action.value for action in leg.actions]}
            for leg in plan.legs
        ],
    }  # fmt: skip
