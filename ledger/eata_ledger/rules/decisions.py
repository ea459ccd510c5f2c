"""What an officer decides besides a commit: reject, hold, release, cancel (ACC-30, ACC-40 to ACC-42, N-04 to N-06)."""

from dataclasses import replace

from eata_ledger.carnet.goods.balances import NOTHING
from eata_ledger.carnet.goods.sets import unuse
from eata_ledger.carnet.vocabulary import Flag, Kind, Label, Status, Validated, VoucherState
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.rules.desk import ActingDesk, at_desk, require_office, require_own_parts, require_time, shown
from eata_ledger.rules.devices import holder_of
from eata_ledger.rules.goods import out_of_home, put_stay, stay_in, stayed
from eata_ledger.state import (
    Carnet,
    CarnetState,
    HoldFact,
    Stay,
    Transaction,
    Voucher,
    of_territory,
)

_HOME_CHAIN = frozenset({Kind.EXPORTATION, Kind.REIMPORTATION})
_TRANSITS = frozenset({Kind.TRANSIT_OPEN, Kind.TRANSIT_CLOSE})
_ABROAD = _TRANSITS | {Kind.IMPORTATION, Kind.REEXPORTATION}


def _judged(act: Act, carnet: Carnet, certificate: bytes, office: str) -> ActingDesk:
    """An active desk of a territory where the carnet is valid."""
    desk = at_desk(act, certificate, office)
    if desk.territory and desk.territory not in (carnet.home, *carnet.box_p):
        raise Refused(Outcome.TERRITORY_NOT_IN_BOX_P)
    require_office(desk)
    require_time(act, desk, desk.countersigns(act.moment.log_time))
    return desk


def _record(act: Act, carnet_id: int, desk: ActingDesk, slot: int = 0, about: int | None = None) -> None:
    act.record(carnet_id, desk.territory, (desk.code, desk.certificate.officer), slot, about)


def reject(act: Act, body: bodies.Reject) -> Value:
    """The voucher stays good, the reason stays in the territory (N-04)."""
    carnet = act.carnet(body.carnet_id)
    voucher = shown(act, body.carnet_id, body.slot, body.voucher_key)
    desk = _judged(act, carnet, body.certificate, body.office)
    if voucher.territory != desk.territory:
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE)
    if body.declaration != voucher.declaration:
        raise Refused(Outcome.STALE_VERSION)
    require_own_parts(act, desk.territory, body.slot, Label.REMARKS, act.entry.header.event_time)
    _record(act, body.carnet_id, desk, body.slot)
    return [int(body.TYPE), carnet.number, body.carnet_id, body.slot, desk.territory, body.office]


def hold(act: Act, body: bodies.Hold) -> Value:
    """Stops every commit in this territory and no other (domain §2.8)."""
    carnet = act.carnet(body.carnet_id)
    desk = _judged(act, carnet, body.certificate, body.office)
    key = (of_territory(desk.territory), body.carnet_id)
    held = act.facts.get(HoldFact, *key)
    if held is not None and held.released is None:
        raise Refused(Outcome.HELD_IN_TERRITORY, f"office {held.office} holds it")
    require_own_parts(act, desk.territory, 0, Label.REMARKS, act.entry.header.event_time)
    header, index = act.entry.header, act.moment.index
    fact = HoldFact(
        body.carnet_id, body.office, desk.certificate.officer, header.event_time, header.offset, index, None
    )  # fmt: skip
    act.facts.put(fact, *key)
    _record(act, body.carnet_id, desk)
    return [int(body.TYPE), carnet.number, body.carnet_id, desk.territory, body.office]


def release(act: Act, body: bodies.Release) -> Value:
    """By the office that holds it, or a controller of the territory."""
    carnet = act.carnet(body.carnet_id)
    desk = _judged(act, carnet, body.certificate, body.office)
    key = (of_territory(desk.territory), body.carnet_id)
    held = act.facts.get(HoldFact, *key)
    if held is None or held.released is not None:
        raise Refused(Outcome.NOT_HELD)
    act.require_not_before(held.since, "it was not on hold at that time")
    if held.office != body.office and not desk.controls:
        raise Refused(Outcome.ROLE_FORBIDDEN, f"office {held.office} or a controller releases it")
    require_own_parts(act, desk.territory, 0, Label.REMARKS, act.entry.header.event_time)
    act.facts.put(replace(held, released=act.moment.index), *key)
    _record(act, body.carnet_id, desk, about=held.held)
    return [int(body.TYPE), carnet.number, body.carnet_id, desk.territory, body.office]


def cancel(act: Act, body: bodies.Cancel) -> Value:
    """A compensating entry: the row stays, marked; balances and sets are as if it had not been (C-22)."""
    carnet, state = act.carnet(body.carnet_id), act.state(body.carnet_id)
    rows = transactions(act, body.carnet_id, state)
    place = _cancellable(rows, body.index)
    row = rows[place]
    voucher = act.facts.get(Voucher, body.carnet_id, row.slot)
    assert voucher is not None, "a transaction has its voucher"
    if body.cancel_key != voucher.cancel_key:
        raise Refused(Outcome.CANCEL_CODE_INVALID)
    if voucher.cancel_root != holder_of(act, body.carnet_id).root:
        raise Refused(Outcome.CODE_VOIDED)
    act.require_signature(body.cancel_key)
    if state.status is not Status.ACTIVATED:
        raise Refused(Outcome.NOT_CANCELLABLE, "the carnet is over")
    desk = _judged(act, carnet, body.certificate, body.office)
    if desk.territory != row.territory:
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE)
    if desk.code != row.office and not desk.controls:
        raise Refused(Outcome.ROLE_FORBIDDEN, f"office {row.office} or a controller cancels it")
    if any(_depends(later, row) for later in rows[place + 1 :]):
        raise Refused(Outcome.LATER_TRANSACTION_EXISTS)
    require_own_parts(act, desk.territory, row.slot, Label.REMARKS, act.entry.header.event_time)
    _undo(act, carnet, state, rows, place, voucher)
    _record(act, body.carnet_id, desk, row.slot, about=row.index)
    return [int(body.TYPE), carnet.number, body.carnet_id, body.index, int(row.kind), row.territory, body.office]


def transactions(act: Act, carnet_id: int, state: CarnetState) -> list[Transaction]:
    """The carnet's rows in log order."""
    rows = [act.facts.get(Transaction, carnet_id, n) for n in range(state.rows)]
    return [row for row in rows if row is not None]


def _cancellable(rows: list[Transaction], index: int) -> int:
    """The place of the live row that ledger index wrote; a pre-exportation stays for ever (N-06)."""
    here = [n for n, row in enumerate(rows) if row.index == index and row.cancelled is None]
    if not here:
        raise Refused(Outcome.TRANSACTION_UNKNOWN)
    if rows[here[-1]].kind is Kind.PRE_EXPORTATION:
        raise Refused(Outcome.NOT_CANCELLABLE, "a pre-exportation cannot be cancelled")
    return here[-1]


def _chain(row: Transaction) -> str | None:
    """Which balance a row moves: home's, or a territory's admissions or transits."""
    if row.kind in _HOME_CHAIN:
        return "home"
    if row.kind is Kind.PRE_EXPORTATION:
        return None
    return ("transit " if row.kind in _TRANSITS else "admitted ") + row.territory


def _depends(later: Transaction, row: Transaction) -> bool:
    """Everything rests on a validation; other rows on those that moved the same items of the same balance."""
    if later.cancelled is not None:
        return False
    if row.kind is Kind.VALIDATION:
        return True
    touched = (later.items | later.not_returned) & (row.items | row.not_returned)
    return _chain(later) == _chain(row) and bool(touched)


def _undo(act: Act, carnet: Carnet, state: CarnetState, rows: list[Transaction], place: int, voucher: Voucher) -> None:
    """Marks row and voucher, gives the set back, and plays the rows of the same balance again without this one."""
    row, index = rows[place], act.moment.index
    act.facts.put(replace(row, cancelled=index), carnet.carnet_id, place)
    written = row.index if Flag.PRE_EXPORTATION_WRITTEN in row.flags else voucher.pre_exported
    undone = replace(voucher, state=VoucherState.CANCELLED, pre_exported=written)
    act.facts.put(undone, carnet.carnet_id, row.slot)
    live = [other for n, other in enumerate(rows) if n != place and other.cancelled is None]
    fresh = replace(state, sets=unuse(state.sets, row.kind), validated=_validated(live))
    if row.kind in _HOME_CHAIN:
        home_out = NOTHING
        for other in live:
            home_out = out_of_home(home_out, other) if other.kind in _HOME_CHAIN else home_out
        fresh = replace(fresh, home_out=home_out)
    elif row.kind is not Kind.VALIDATION:
        before = stay_in(act.facts, carnet.carnet_id, row.territory)
        after = Stay.blank(row.territory, before.met_before)
        for other in live:
            after = stayed(after, other) if other.territory == row.territory and other.kind in _ABROAD else after
        fresh = put_stay(act.facts, carnet.carnet_id, fresh, before, after)
    act.facts.put(fresh, carnet.carnet_id)


def _validated(live: list[Transaction]) -> Validated:
    if any(row.kind is Kind.VALIDATION for row in live):
        return Validated.YES
    return Validated.AUTO if any(Flag.AUTO_VALIDATION in row.flags for row in live) else Validated.NO
