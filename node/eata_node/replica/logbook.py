"""What a territory's log of transactions shows of other territories' rows (ACC-51, ACC-57): where to look, newest first.

Rows become visible after they were made: what precedes an arrival with the arrival, every re-importation once nothing is
out of home. Whether one is visible now the rule itself says, row by row (`visible`).
"""

from collections.abc import Iterator

from eata_ledger.carnet.vocabulary import ARRIVALS, Kind
from eata_ledger.facts import Facts
from eata_ledger.log.bodies import Body, Cancel, Commit, EntryType
from eata_ledger.state import Carnet, CarnetState, Office, Stay, Transaction, of_territory

from eata_node.replica.views import Mention


def elsewhere_seen_by(territory: str) -> bytes:
    """The view of other territories' rows."""
    return b"o" + of_territory(territory)


def revealed(state: Facts, body: Body) -> Iterator[tuple[bytes, int, bytes]]:
    """(view, ledger index, value) of rows that an accepted entry lets a territory see."""
    if isinstance(body, Commit | Cancel):
        shown = Mention(body.carnet_id, EntryType.COMMIT).to_bytes()
        for territory, row in _rows(state, body):
            yield elsewhere_seen_by(territory), row, shown


def _rows(facts: Facts, body: Commit | Cancel) -> Iterator[tuple[str, int]]:
    carnet, state = facts.get(Carnet, body.carnet_id), facts.get(CarnetState, body.carnet_id)
    assert carnet is not None, "an accepted entry names a carnet that exists"
    assert state is not None, "a carnet has its state"
    if isinstance(body, Commit):
        office = facts.get(Office, body.office)
        assert office is not None, "a commit is an office's"
        if office.territory != carnet.home and body.kind in ARRIVALS:
            yield from _before_arrival(facts, state, body.carnet_id, office.territory)
    if not state.home_out and (isinstance(body, Cancel) or body.kind is Kind.REIMPORTATION):
        yield from _final_returns(facts, state, carnet)


def _before_arrival(facts: Facts, state: CarnetState, carnet_id: int, territory: str) -> Iterator[tuple[str, int]]:
    """Back to the arrival before it: what precedes that one was revealed then."""
    for row in _back(facts, state.rows - 1, carnet_id):
        if row.territory == territory and row.kind in ARRIVALS and row.cancelled is None:
            return
        if row.territory != territory:
            yield territory, row.index


def _final_returns(facts: Facts, state: CarnetState, carnet: Carnet) -> Iterator[tuple[str, int]]:
    returns = [row for row in _back(facts, state.rows, carnet.carnet_id) if row.kind is Kind.REIMPORTATION]
    code = state.last_met
    while returns and code is not None:
        yield from ((code, row.index) for row in returns)
        stay = facts.get(Stay, carnet.carnet_id, code)
        code = None if stay is None else stay.met_before


def _back(facts: Facts, rows: int, carnet_id: int) -> Iterator[Transaction]:
    """The first `rows` rows of a carnet, the newest first."""
    for n in range(rows - 1, -1, -1):
        row = facts.get(Transaction, carnet_id, n)
        assert row is not None, "rows are numbered from 0"
        yield row
