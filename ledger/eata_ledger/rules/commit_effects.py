"""What an accepted commit writes: voucher, rows, balances, sets; and the public facts of its receipt."""

from dataclasses import dataclass, replace

from eata_ledger.carnet.openings import Opening, closed, opened
from eata_ledger.carnet.sets import use
from eata_ledger.carnet.vocabulary import Flag, Kind, Status, VoucherState, Warning
from eata_ledger.encoding import Value
from eata_ledger.proof.bodies import Commit
from eata_ledger.proof.certificate import DeskCertificate
from eata_ledger.rules.act import Act
from eata_ledger.state import Carnet, CarnetState, Office, Transaction, Validated, Voucher


@dataclass(frozen=True)
class Scene:
    """Everything a commit is judged by."""

    body: Commit
    carnet: Carnet
    state: CarnetState
    voucher: Voucher
    office: Office | None
    certificate: DeskCertificate
    administration: str
    countersigned: bool
    event_time: int
    day: int

    @property
    def territory(self) -> str:
        return "" if self.office is None else self.office.territory


def write(
    act: Act, scene: Scene, validated: Validated, final_day: int | None, found: tuple[Warning, ...], flags: Flag
) -> Value:
    """Writes everything; an EU exit without a pre-exportation writes both rows (ACC-27)."""
    body, carnet, index, header = scene.body, scene.carnet, act.moment.index, act.entry.header
    row = Transaction(
        index, body.kind, body.slot, scene.territory, body.office, body.items, body.not_returned,
        body.processed, header.event_time, header.offset, act.moment.log_time, final_day, found, flags, None,
    )  # fmt: skip
    rows = [row]
    if Flag.PRE_EXPORTATION_WRITTEN in flags:
        rows.insert(0, replace(row, kind=Kind.PRE_EXPORTATION, final_day=None))
    for n, written in enumerate(rows, scene.state.rows):
        act.facts.put(written, carnet.carnet_id, n)
    if body.kind is Kind.PRE_EXPORTATION:
        voucher = replace(scene.voucher, pre_exported=index)
    else:
        voucher = replace(scene.voucher, state=VoucherState.COMMITTED, committed=index)
    act.facts.put(voucher, carnet.carnet_id, body.slot)
    act.facts.put(_moved(scene, validated, final_day, len(rows)), carnet.carnet_id)
    return [
        int(body.TYPE), carnet.number, carnet.carnet_id, int(body.kind), scene.territory, body.office,
        str(body.items), str(body.not_returned), header.event_time, header.offset, final_day, int(flags),
    ]  # fmt: skip


def _moved(scene: Scene, validated: Validated, final_day: int | None, rows: int) -> CarnetState:
    body, state, territory = scene.body, scene.state, scene.territory
    cleared = body.items | body.not_returned
    balances = state.balances.after(body.kind, territory, body.items, body.not_returned)
    arrivals, transits = state.arrivals, state.transits
    if final_day is not None and body.kind is Kind.IMPORTATION:
        arrivals = opened(arrivals, territory, Opening(body.items, final_day))
    elif final_day is not None and body.kind is Kind.TRANSIT_OPEN:
        transits = opened(transits, territory, Opening(body.items, final_day))
    elif body.kind is Kind.REEXPORTATION:
        arrivals = closed(arrivals, territory, cleared)
    elif body.kind is Kind.TRANSIT_CLOSE:
        transits = closed(transits, territory, cleared)
    return replace(
        state, status=Status.ACTIVATED, validated=validated, rows=state.rows + rows, sets=use(state.sets, body.kind),
        home_out=balances.home_out, admitted=balances.admitted, transit=balances.transit, arrivals=arrivals,
        transits=transits,
    )  # fmt: skip
