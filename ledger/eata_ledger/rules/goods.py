"""The goods ledger: one stay a territory, so that a commit costs the same in the first territory and in the seventieth."""

from collections.abc import Iterator
from dataclasses import replace

from eata_ledger.carnet.goods.balances import NOTHING, Balances
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.goods.openings import Opening, closed, opened
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.facts import Facts
from eata_ledger.state import CarnetState, Stay, Transaction

_HOME = frozenset({Kind.EXPORTATION, Kind.REIMPORTATION})
_IDLE = frozenset({Kind.VALIDATION, Kind.PRE_EXPORTATION})


def stay_in(facts: Facts, carnet_id: int, territory: str) -> Stay:
    """The carnet's stay there; a blank one where it has not been."""
    return facts.get(Stay, carnet_id, territory) or Stay.blank(territory)


def moved(facts: Facts, carnet_id: int, state: CarnetState, row: Transaction) -> CarnetState:
    """After one transaction: writes its territory's stay, returns the carnet's state."""
    if row.kind in _IDLE:
        return state
    if row.kind in _HOME:
        return replace(state, home_out=out_of_home(state.home_out, row))
    before = stay_in(facts, carnet_id, row.territory)
    return put_stay(facts, carnet_id, state, before, stayed(before, row))


def out_of_home(home_out: Items, row: Transaction) -> Items:
    return Balances(home_out, {}, {}).after(row.kind, row.territory, row.items, row.not_returned).home_out


def stayed(stay: Stay, row: Transaction) -> Stay:
    """A stay after one transaction in its territory: balances, and what must leave or close by when."""
    code, cleared = stay.territory, row.items | row.not_returned
    before = Balances(NOTHING, {code: stay.admitted}, {code: stay.transit})
    after = before.after(row.kind, code, row.items, row.not_returned)
    arrivals, transits = stay.arrivals, stay.transits
    if row.final_day is not None and row.kind is Kind.IMPORTATION:
        arrivals = opened(arrivals, Opening(row.items, row.final_day))
    elif row.final_day is not None and row.kind is Kind.TRANSIT_OPEN:
        transits = opened(transits, Opening(row.items, row.final_day))
    elif row.kind is Kind.REEXPORTATION:
        arrivals = closed(arrivals, cleared)
    elif row.kind is Kind.TRANSIT_CLOSE:
        transits = closed(transits, cleared)
    held = (after.admitted.get(code, NOTHING), after.transit.get(code, NOTHING))
    return Stay(code, *held, arrivals, transits, stay.met_before)


def put_stay(facts: Facts, carnet_id: int, state: CarnetState, before: Stay, after: Stay) -> CarnetState:
    """Writes a stay; the carnet's state with what is admitted anywhere now."""
    if facts.get(Stay, carnet_id, after.territory) is None:
        after = replace(after, met_before=state.last_met)
        state = replace(state, last_met=after.territory)
    facts.put(after, carnet_id, after.territory)
    gained, lost = after.admitted - before.admitted, before.admitted - after.admitted
    abroad, twice = state.abroad | gained, state.twice | (gained & state.abroad)
    unsure = lost & twice  # admitted twice against the rules of the road: counted again, once in a blue moon
    once = more = NOTHING
    if unsure:
        for stay in _stays(facts, carnet_id, state):
            more |= once & stay.admitted
            once |= stay.admitted
    abroad = abroad - lost | (unsure & once)
    return replace(state, abroad=abroad, twice=twice - unsure | (unsure & more))


def _stays(facts: Facts, carnet_id: int, state: CarnetState) -> Iterator[Stay]:
    """Every territory the carnet has met, the newest first."""
    code = state.last_met
    while code is not None:
        stay = facts.get(Stay, carnet_id, code)
        assert stay is not None, "stays are linked as they are made"
        yield stay
        code = stay.met_before
