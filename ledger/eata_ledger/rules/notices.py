"""Pre-notifications (APP-20, ACC-43, ACC-44, domain §2.11), and what a holder says of and to others (U12, APP-27)."""

from dataclasses import replace

from eata_ledger.carnet.dates import local_day
from eata_ledger.carnet.vocabulary import Label, NoticeState, VoucherState
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.rules.decisions import transactions
from eata_ledger.rules.desk import at_desk, require_office, require_own_parts, require_time
from eata_ledger.rules.travel import require_open
from eata_ledger.state import Notice, NoticeOfVoucher, Office, Said, Voucher, of_territory

MOST_SAID = 200


def notify(act: Act, body: bodies.Notify) -> Value:
    """One live request a voucher, to an active office of the voucher's territory."""
    carnet, _ = require_open(act, body.carnet_id)
    voucher = act.facts.get(Voucher, body.carnet_id, body.slot)
    if voucher is None or voucher.state is not VoucherState.PREPARED:
        raise Refused(Outcome.TRAVEL_UNKNOWN, "the voucher is not open")
    now = act.moment.log_time  # not the holder's clock
    day = local_day(now, act.entry.header.offset)
    office = act.facts.at(Office, body.office, day)
    if office is None or not office.open_on(day) or office.territory != voucher.territory:
        raise Refused(Outcome.OFFICE_INACTIVE)
    live = _of_voucher(act, body.carnet_id, body.slot)
    if live is not None and live.state is NoticeState.SENT:
        raise Refused(Outcome.NOTICE_LIVE)
    key = (of_territory(office.territory), body.carnet_id, body.notice_id)
    if act.facts.get(Notice, *key) is not None:
        raise Refused(Outcome.NOTICE_LIVE, "the notice id is in use")
    require_own_parts(act, office.territory, body.slot, Label.NOTICE, now)
    _count(act, body.carnet_id)
    sent = Notice(
        body.notice_id, body.carnet_id, body.slot, body.office, body.kind, NoticeState.SENT, act.entry.header.event_time,
        act.moment.index, None,
    )  # fmt: skip
    act.facts.put(sent, *key)
    act.facts.put(NoticeOfVoucher(office.territory, body.notice_id), body.carnet_id, body.slot)
    return [int(body.TYPE), carnet.number, body.carnet_id, body.slot, office.territory, body.office, int(body.kind)]


def _of_voucher(act: Act, carnet_id: int, slot: int) -> Notice | None:
    place = act.facts.get(NoticeOfVoucher, carnet_id, slot)
    return None if place is None else act.facts.get(Notice, of_territory(place.territory), carnet_id, place.notice_id)


def _undecided(act: Act, territory: str, carnet_id: int, notice_id: bytes) -> Notice:
    notice = act.facts.get(Notice, of_territory(territory), carnet_id, notice_id)
    if notice is None:
        raise Refused(Outcome.NOTICE_UNKNOWN)
    if notice.state is not NoticeState.SENT:
        raise Refused(Outcome.NOTICE_DECIDED)
    return notice


def withdraw(act: Act, body: bodies.Withdraw) -> Value:
    """By the holder, until the office has decided."""
    act.require_parts()
    carnet = act.carnet(body.carnet_id)
    office = act.facts.get(Office, body.office)
    if office is None:
        raise Refused(Outcome.NOTICE_UNKNOWN)
    notice = _undecided(act, office.territory, body.carnet_id, body.notice_id)
    key = (of_territory(office.territory), body.carnet_id, body.notice_id)
    act.facts.put(replace(notice, state=NoticeState.WITHDRAWN), *key)
    return [int(body.TYPE), carnet.number, body.carnet_id, notice.slot, office.territory, notice.office]


def answer(act: Act, body: bodies.Answer) -> Value:
    """Acknowledged or rejected by an office of the territory; what it says is sealed under the notice's own key."""
    carnet = act.carnet(body.carnet_id)
    desk = at_desk(act, body.certificate, body.office)
    require_office(desk)
    require_time(act, desk, desk.countersigns(act.moment.log_time))
    notice = _undecided(act, desk.territory, body.carnet_id, body.notice_id)
    if notice.office != body.office and not desk.controls:
        raise Refused(Outcome.ROLE_FORBIDDEN, f"office {notice.office} or a controller answers it")
    act.require_parts((Label.ANSWER, notice.slot, None))
    state = NoticeState.ACKNOWLEDGED if body.acknowledged else NoticeState.REJECTED
    key = (of_territory(desk.territory), body.carnet_id, body.notice_id)
    act.facts.put(replace(notice, state=state, answer=act.moment.index), *key)
    return [
        int(body.TYPE), carnet.number, body.carnet_id, notice.slot, desk.territory, body.office, body.acknowledged
    ]  # fmt: skip


def _count(act: Act, carnet_id: int) -> None:
    """What a holder says of one carnet is bounded: every reader of the carnet gets it."""
    said = act.facts.get(Said, carnet_id)
    count = 1 if said is None else said.count + 1
    if count > MOST_SAID:
        raise Refused(Outcome.TOO_MANY)
    act.facts.put(Said(count), carnet_id)


def disagree(act: Act, body: bodies.Disagree) -> Value:
    """A note bound to a committed transaction, cancelled or not (U12)."""
    carnet, state = act.carnet(body.carnet_id), act.state(body.carnet_id)
    row = next((r for r in transactions(act, body.carnet_id, state) if r.index == body.index), None)
    if row is None:
        raise Refused(Outcome.TRANSACTION_UNKNOWN)
    act.require_parts((Label.NOTE, row.slot, None))
    _count(act, body.carnet_id)
    act.record(body.carnet_id, row.territory, slot=row.slot, about=row.index)
    return [int(body.TYPE), carnet.number, body.carnet_id, body.index, row.territory, row.office]


def ask(act: Act, body: bodies.Ask) -> Value:
    """To the issuer, who sees it in its stream: discharge, or more sets."""
    act.require_parts()
    carnet, _ = require_open(act, body.carnet_id)
    _count(act, body.carnet_id)
    act.record(body.carnet_id, carnet.home)
    wanted: list[Value] = [[int(kind), n] for kind, n in sorted(body.sets.items())]
    return [int(body.TYPE), carnet.number, body.carnet_id, int(body.kind), wanted]
