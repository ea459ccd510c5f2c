"""What an accepted commit writes: voucher, rows, balances, sets; and the public facts of its receipt."""

from dataclasses import dataclass, replace

from eata_ledger.carnet.goods.sets import use
from eata_ledger.carnet.vocabulary import Flag, Kind, NoticeKind, NoticeState, Status, Validated, VoucherState, Warning
from eata_ledger.encoding import Value
from eata_ledger.log.bodies import Commit
from eata_ledger.rules.act import Act
from eata_ledger.rules.desk import ActingDesk
from eata_ledger.rules.goods import moved
from eata_ledger.state import (
    Carnet,
    CarnetState,
    Notice,
    NoticeOfVoucher,
    Stay,
    Transaction,
    Voucher,
    of_territory,
)


@dataclass(frozen=True)
class Scene:
    """Everything a commit is judged by."""

    body: Commit
    carnet: Carnet
    state: CarnetState
    voucher: Voucher
    desk: ActingDesk
    stay: Stay
    countersigned: bool
    root: int  # of the holder, in force

    @property
    def territory(self) -> str:
        return self.desk.territory

    @property
    def day(self) -> int:
        return self.desk.day


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
    state = replace(
        moved(act.facts, carnet.carnet_id, scene.state, row), status=Status.ACTIVATED, validated=validated, rows=scene.state.rows + len(rows),
        sets=use(scene.state.sets, body.kind),
    )  # fmt: skip
    act.facts.put(state, carnet.carnet_id)
    if body.kind is not Kind.PRE_EXPORTATION:
        _settle_notice(act, scene)
    return [
        int(body.TYPE), carnet.number, carnet.carnet_id, int(body.kind), scene.territory, body.office,
        str(body.items), str(body.not_returned), header.event_time, header.offset, final_day, int(flags),
    ]  # fmt: skip


def _settle_notice(act: Act, scene: Scene) -> None:
    """A pre-declaration ends with its transaction; a mere notice stays as it was answered (domain §2.11)."""
    place = act.facts.get(NoticeOfVoucher, scene.carnet.carnet_id, scene.body.slot)
    if place is None or place.territory != scene.territory:
        return
    key = (of_territory(place.territory), scene.carnet.carnet_id, place.notice_id)
    notice = act.facts.get(Notice, *key)
    assert notice is not None, "a voucher's notice exists"
    if notice.kind is NoticeKind.PREDECLARATION and notice.state in (NoticeState.SENT, NoticeState.ACKNOWLEDGED):
        act.facts.put(replace(notice, state=NoticeState.COMMITTED), *key)
