"""The public vectors of plans, visibility and sets, each played on the rules themselves."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from eata_clients.authoring import holding
from eata_clients.sandbox.player import FILES, cases, trip_of
from eata_clients.today import day_in
from eata_ledger.carnet.dates import day_of, iso
from eata_ledger.carnet.journeys import planner
from eata_ledger.carnet.journeys.journey import Journey
from eata_ledger.carnet.territories import territory_of
from eata_ledger.carnet.visibility import Seen, visible
from eata_ledger.carnet.vocabulary import Kind, SetKind
from eata_ledger.encoding import Malformed
from eata_ledger.log import bodies
from eata_ledger.outcomes import Outcome
from eata_ledger.seal.codes import CodeKeys

from tests import acts
from tests.world import Ticket, World

VECTORS = Path(__file__).parents[1] / "vectors"
PLANNER, VISIBILITY, SETS = (
    json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8")) for name in ("planner", "visibility", "sets")
)
OFFICE = {"CH": "CHZRH", "EU": "DEBER", "US": "USJFK"}


@pytest.mark.rule("GTP-04")
@pytest.mark.rule("GTP-08")
@pytest.mark.rule("GTP-09")
@pytest.mark.rule("GTP-15")
@pytest.mark.rule("U6")
@pytest.mark.rule("C-07")
@pytest.mark.rule("N-09")
@pytest.mark.rule("NICS-04")
@pytest.mark.parametrize("case", PLANNER["valid"], ids=lambda case: case["id"])
def test_the_plan_is_the_one_of_the_source(case: dict[str, Any]) -> None:
    """Use case, what to issue, format and actions of each leg."""
    assert planner.as_json(planner.plan(trip_of(case), planner.listed_readiness())) == case["expected"]


@pytest.mark.parametrize("case", PLANNER["invalid"], ids=lambda case: case["id"])
def test_a_journey_that_makes_no_sense_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        planner.plan(trip_of(case), planner.listed_readiness())


@pytest.mark.rule("GTP-05")
@pytest.mark.rule("GTP-07")
def test_what_began_on_paper_ends_on_paper() -> None:
    """Imported on paper on 20 December, digital from 1 January: the re-export in January is on paper."""
    case = {"home": "JP", "itinerary": ["TR"], "transit": [], "date": "2027-01-15", "begun": {"TR": "2026-12-20"}}
    readiness = planner.listed_readiness() | {"TR": day_of("2027-01-01")}
    abroad = planner.plan(trip_of(case), readiness).legs[1]
    assert (abroad.format, abroad.actions[0]) == (planner.Format.PAPER, planner.Action.REEXPORTATION)
    fresh = planner.plan(trip_of({**case, "begun": {}}), readiness).legs[1]
    assert fresh.format is planner.Format.DIGITAL


@pytest.mark.rule("GTP-05")
def test_what_left_on_paper_before_homes_date_goes_on_on_paper() -> None:
    """Begun before home was digital: one paper carnet for the whole journey."""
    case = {"home": "CH", "itinerary": ["DE", "GB"], "transit": [], "date": "2026-06-20", "begun": {"DE": "2026-05-20"}}
    found = planner.plan(trip_of(case), planner.listed_readiness())
    assert (found.use_case, {leg.format for leg in found.legs}) == (1, {planner.Format.PAPER})


@pytest.mark.rule("GTP-01")
def test_a_contracting_party_turns_digital_as_a_whole_and_everybody_at_the_transitions_end() -> None:
    readiness = planner.listed_readiness()
    today, after = day_of("2026-11-30"), day_of("2028-01-01")
    assert planner.is_digital("RE", today, readiness)  # with France
    assert not planner.is_digital("JP", after - 1, readiness)
    assert planner.is_digital("JP", after, readiness)
    assert not planner.is_digital("JP", after, readiness | {"JP": after + 90})  # the registry says otherwise


@pytest.mark.parametrize(
    ("country", "moment", "day"),
    [
        ("CH", "2026-11-30T23:30+00:00", "2026-12-01"),
        ("JP", "2026-11-30T15:30+00:00", "2026-12-01"),
        ("US", "2026-12-01T09:30+00:00", "2026-11-30"),  # not over in Honolulu
        ("DE", "2026-11-30T23:30+00:00", "2026-12-01"),
        ("XB", "2026-11-30T23:30+00:00", "2026-11-30"),
    ],
)
def test_a_carnets_last_day_ends_at_home(country: str, moment: str, day: str) -> None:
    """C9: reconciliation goes by the home territory's calendar, wherever the reader sits."""
    assert iso(day_in(country, datetime.fromisoformat(moment))) == day


@pytest.mark.rule("ACC-57")
@pytest.mark.rule("C-17")
@pytest.mark.parametrize("case", VISIBILITY["valid"], ids=lambda case: case["id"])
def test_a_territory_sees_what_the_rule_says(case: dict[str, Any]) -> None:
    """Its own, what precedes its latest uncancelled arrival, and the final re-importation."""
    journey = Journey.from_json(case["journey"])
    rows = [Seen(t.kind, t.territory, t.cancelled, t.declared | t.not_returned) for t in journey.transactions]
    for viewer, numbers in case["expected"].items():
        assert [n + 1 for n in visible(rows, territory_of(viewer), journey.home)] == numbers, viewer


@pytest.mark.parametrize("case", VISIBILITY["invalid"], ids=lambda case: case["id"])
def test_a_malformed_journey_shows_nothing(case: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        Journey.from_json(case["journey"])


@pytest.mark.rule("APP-14")
@pytest.mark.rule("C-24")
@pytest.mark.parametrize("case", SETS["valid"], ids=lambda case: case["id"])
def test_sets_are_counted_as_the_source_says(world: World, pin_keys: CodeKeys, case: dict[str, Any]) -> None:
    issued = {SetKind[name]: n for name, n in case["issued"].items()}
    held = world.hold(world.issue(sets=issued, box_p=("EU", "US", "XP")), pin_keys)
    travels: list[tuple[bytes, list[Ticket]]] = []
    for step in case["steps"]:
        assert _step(world, held, step, travels) is Outcome[step.get("expect", "ACCEPTED")], step
    for name, counters in case["counters"].items():
        found = world.state(held.carnet_id).sets[SetKind[name]]
        assert [found.issued, found.reserved, found.used] == counters, name


def _step(
    world: World, held: holding.Holding, step: dict[str, Any], travels: list[tuple[bytes, list[Ticket]]]
) -> Outcome:
    match step:
        case {"do": "prepare", "vouchers": vouchers}:
            named = [text.replace("RS", "XP").split(":") for text in vouchers]
            entry, tickets = world.prepare(held, *((Kind[kind], place, "1-20") for kind, place in named))
            outcome = world.outcome(entry)
            if outcome is Outcome.ACCEPTED:
                assert isinstance(entry.header.body, bodies.Travel)
                travels.append((entry.header.body.travel_id, tickets))
            return outcome
        case {"do": "add", "sets": more}:
            return acts.by_issuer(world, bodies.AddSets(held.carnet_id, {SetKind[k]: n for k, n in more.items()}))
        case {"do": "delete", "travel": n}:
            return world.outcome(holding.delete(held, travels[n - 1][0], world.stamp))
    tickets = travels[step["travel"] - 1][1]
    ticket = tickets[step["voucher"] - 1]
    office = OFFICE[ticket.wish.territory]
    match step["do"]:
        case "commit":
            return world.commit(ticket, office)
        case "reject":
            return world.outcome(acts.reject(world, ticket, office))
        case "cancel":
            return world.outcome(acts.cancel(world, ticket, office))
    entry, tickets[step["voucher"] - 1] = acts.renew(world, ticket)
    return world.outcome(entry)


def test_every_vector_file_that_can_be_played_live_is() -> None:
    for name in FILES:
        assert cases(name, json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("country", "territory"),
    [("MC", "EU"), ("im", "GB"), ("JE", "GB"), ("GG", "GB"), ("LI", "CH"), ("FR", "EU"), ("GI", "GI"), ("RE", "RE")],
)
def test_a_country_belongs_to_its_customs_territory(country: str, territory: str) -> None:
    """C8: what is imported in France and leaves from Monaco has left."""
    assert territory_of(country) == territory
