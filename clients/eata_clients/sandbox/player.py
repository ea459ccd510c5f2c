"""Every vector file, played: journeys, visibility and sets on the live sandbox, plans and codes by this client alone.

A journey is moved to today and its days to one: what it says of the last valid day and of the day after is asked
of the log. A vector that needs another day (a late return, an act after expiry) is left to the offline suite.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from eata_ledger.carnet.dates import day_of, iso
from eata_ledger.carnet.goods.transit import Transit
from eata_ledger.carnet.journeys import planner
from eata_ledger.carnet.journeys.journey import Journey, JourneyStep
from eata_ledger.carnet.territories import territory_of
from eata_ledger.carnet.vocabulary import Kind, SetKind
from eata_ledger.encoding import Malformed
from eata_ledger.log import bodies
from eata_ledger.seal.codes import Code, CodeKind, WrongCode, code_keys

from eata_clients.net.errors import EataError
from eata_clients.sandbox.stage import Played, Stage, unplayable

ALL_SETS = dict.fromkeys(SetKind, 9)


class Unplayable(Exception):
    """This vector has no place on a live sandbox; the text says why."""


class Differs(Exception):
    """What came is not what the vector says."""


@dataclass(frozen=True)
class VectorResult:
    """One vector's end: `good` None where it was not playable."""

    file: str
    id: str
    good: bool | None
    why: str


def expect(found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise Differs(f"{what}: {found!r}, expected {wanted!r}")


# -- on the live sandbox


async def act_out(stage: Stage, source: dict[str, Any]) -> tuple[Played, Journey, list[int]]:
    """Issues a carnet and makes every transaction of a journey today; the ledger index of each."""
    journey = Journey.from_json(source)
    first = min((t.day for t in journey.transactions), default=journey.valid_until)
    why = unplayable({journey.home, *(t.territory for t in journey.transactions)}, stage)
    if why or any(t.day > journey.valid_until for t in journey.transactions):
        raise Unplayable(why or "it goes on after the last valid day")
    days = max(1, min(360, journey.valid_until - first))
    played = await stage.carnet(journey.home, len(journey.items), days, ALL_SETS)
    slots: list[int] = []
    indexes: list[int] = []
    for n, transaction in enumerate(journey.transactions):
        pre = _pre_exported(journey.transactions, n)
        slots.append(slots[pre] if pre is not None else await _voucher(played, transaction))
        kind = Kind.PRE_EXPORTATION if transaction.kind is Kind.PRE_EXPORTATION else None
        final = stage.today if transaction.final_day is not None else None
        indexes.append(await played.commit(slots[-1], transaction.territory, kind, final))
    for n in reversed(range(len(indexes))):
        if journey.transactions[n].cancelled:
            await played.cancel(slots[n], journey.transactions[n].territory, indexes[n])
    return played, journey, indexes


def _pre_exported(transactions: tuple[JourneyStep, ...], n: int) -> int | None:
    """An exit takes the voucher of the pre-exportation before it."""
    before = transactions[n - 1] if n else None
    shares = before is not None and before.kind is Kind.PRE_EXPORTATION
    return n - 1 if shares and transactions[n].kind is Kind.EXPORTATION else None


async def _voucher(played: Played, transaction: JourneyStep) -> int:
    kind = Kind.EXPORTATION if transaction.kind is Kind.PRE_EXPORTATION else transaction.kind
    wish = (kind, transaction.territory, str(transaction.declared), str(transaction.not_returned))
    return (await played.prepare(wish))[0]


async def journey(stage: Stage, case: dict[str, Any]) -> None:
    """The log's reconciliation on the last valid day and the day after."""
    played, source, _ = await act_out(stage, case["journey"])
    valid_until = (await played.show()).carnet.valid_until
    for expected in case["expected"]:
        later = day_of(expected["as_of"]) - source.valid_until
        found = (await played.show(iso(valid_until + later))).reply.reconciliation
        expect(found.status, expected["status"], f"status on day {later:+d}")
        reasons = [{"kind": r.kind, "territory": r.territory, "items": r.items} for r in found.reasons]
        expect(reasons, expected["reasons"], f"reasons on day {later:+d}")


async def visibility(stage: Stage, case: dict[str, Any]) -> None:
    """What each territory's officer is served."""
    played, source, indexes = await act_out(stage, case["journey"])
    met = {source.home, *(t.territory for t in source.transactions)}
    for viewer, numbers in case["expected"].items():
        territory = territory_of(viewer)
        wanted = [indexes[n - 1] for n in numbers] if territory in met else []
        expect(await played.seen_by(territory), wanted, f"what {viewer} sees")


async def transit(stage: Stage, case: dict[str, Any]) -> None:
    """Only an opening: a closing on another day cannot be made today."""
    if len(case["rows"]) > 1 or case["rows"][0].get("final_date") is None:
        raise Unplayable("it closes on another day, or has no final date")
    final = day_of(case["rows"][0]["final_date"])
    late = day_of(case["as_of"]) - final
    home = {**case["rows"][0], "kind": "VALIDATION", "territory": case["carnet"]["home"], "final_date": None}
    source = {"carnet": case["carnet"], "transactions": [home, *case["rows"]]}
    played, _, _ = await act_out(stage, source)
    opening = (await played.show()).goods.transits[case["rows"][0]["territory"]][0]
    found = Transit("", opening.items, stage.today, opening.final_day, opening.items)
    expect(found.state(opening.final_day + late).value, case["state"], "state")


async def sets(stage: Stage, case: dict[str, Any]) -> None:
    """Counters after every step."""
    played = await stage.carnet("CH", 20, 30, {SetKind[name]: n for name, n in case["issued"].items()})
    travels: list[list[tuple[int, str]]] = []
    committed: dict[int, int] = {}
    for step in case["steps"]:
        try:
            await _step(played, step, travels, committed)
            expect(None, step.get("expect"), f"{step['do']}")
        except EataError as error:
            expect(error.code, step.get("expect"), f"{step['do']}")
    counters = (await played.show()).state.sets
    for name, wanted in case["counters"].items():
        c = counters[SetKind[name]]
        expect([c.issued, c.reserved, c.used], wanted, name)


async def _step(
    played: Played, step: dict[str, Any], travels: list[list[tuple[int, str]]], committed: dict[int, int]
) -> None:
    if step["do"] == "prepare":
        named = [text.split(":") for text in step["vouchers"]]
        slots = await played.prepare(*((Kind[kind], place, "1-20", "") for kind, place in named))
        travels.append(list(zip(slots, (place for _, place in named), strict=True)))
        return
    if step["do"] == "add":
        await played.stage.change(
            played.home, bodies.AddSets(played.carnet_id, {SetKind[name]: n for name, n in step["sets"].items()})
        )
        return
    travel = travels[step["travel"] - 1]
    if step["do"] == "delete":
        vouchers = (await played.show()).vouchers
        await played.wallet.delete(played.carnet_id, next(v.travel_id for v in vouchers if v.slot == travel[0][0]))
        return
    slot, place = travel[step["voucher"] - 1]
    match step["do"]:
        case "commit":
            committed[slot] = await played.commit(slot, place)
        case "reject":
            await played.reject(slot, place)
        case "cancel":
            await played.cancel(slot, place, committed[slot])
        case "renew":
            travel[step["voucher"] - 1] = (await played.wallet.renew(played.carnet_id, slot), place)
        case other:
            raise Malformed(f"unknown step {other}")


# -- by this client alone


def trip_of(case: dict[str, Any]) -> planner.Trip:
    stops = [planner.stop(c, transit=True) for c in case["transit"]] + [planner.stop(c) for c in case["itinerary"]]
    begun = {planner.stop(country).territory: day_of(day) for country, day in case.get("begun", {}).items()}
    return planner.Trip(planner.stop(case["home"]), tuple(stops), day_of(case["date"]), begun)


async def plan(stage: Stage, case: dict[str, Any]) -> None:
    found = planner.as_json(planner.plan(trip_of(case), planner.listed_readiness()))
    expect(found, case["expected"], "plan")


async def code(stage: Stage, case: dict[str, Any]) -> None:
    kind = CodeKind(case["kind"])
    read = Code.read(kind, case["text"])
    expect(read.symbols, case["symbols"], "symbols")
    if "ledger" in case:  # the others are about the check symbol alone
        keys = code_keys(read, bytes.fromhex(case["ledger"]), case["carnet_id"])
        expect(keys.sign.public.hex(), case["sign_public"], "public key")


_PLAYERS: dict[str, Callable[[Stage, dict[str, Any]], Awaitable[None]]] = {
    "journeys": journey, "visibility": visibility, "transits": transit, "sets": sets, "planner": plan, "codes": code,
}  # fmt: skip
FILES = tuple(_PLAYERS)


def cases(name: str, source: dict[str, Any]) -> list[dict[str, Any]]:
    """A file's valid vectors, each with an id and what they share."""
    shared = {key: source[key] for key in ("carnet",) if key in source}
    return [{"id": str(n), **shared, **case} for n, case in enumerate(source["valid"], 1)]


async def play(stage: Stage, name: str, case: dict[str, Any]) -> VectorResult:
    """One vector."""
    try:
        await _PLAYERS[name](stage, case)
    except Unplayable as why:
        return VectorResult(name, case["id"], None, str(why))
    except (Differs, EataError, Malformed, WrongCode) as error:
        return VectorResult(name, case["id"], False, str(error))
    return VectorResult(name, case["id"], True, "")
