"""What an issuer does after issue: amend, add sets, block, cancel, discharge (domain §2.1, CORE-05, NICS-05)."""

from dataclasses import replace

from eata_ledger.carnet.dates import DAY, last_valid_day
from eata_ledger.carnet.goods.sets import add
from eata_ledger.carnet.vocabulary import Label, SetKind, Status, VoucherState
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.rules.carnet import issuer_of, require_sets, require_territories
from eata_ledger.state import Attached, Carnet, CarnetState, Voucher

AMEND_DAYS, MOST_SETS = 30, 65_535


def own_carnet(act: Act, carnet_id: int) -> tuple[Carnet, CarnetState]:
    """The issuer's own carnet, not cancelled and not discharged."""
    issuer, carnet = issuer_of(act), act.carnet(carnet_id)
    if carnet.issuer != issuer.code:
        raise Refused(Outcome.ROLE_FORBIDDEN, "only its issuer may do this")
    state = act.state(carnet_id)
    if state.status is Status.CANCELLED:
        raise Refused(Outcome.CARNET_CANCELLED)
    if state.status is Status.TERMINATED:
        raise Refused(Outcome.CARNET_TERMINATED)
    return carnet, state


def amend(act: Act, body: bodies.Amend) -> Value:
    """A new content version within 30 days and before any transaction; the holder signs again (N-02)."""
    carnet, state = own_carnet(act, body.carnet_id)
    today = act.moment.log_time // DAY
    if state.status is not Status.ISSUED or today > carnet.issued + AMEND_DAYS:
        raise Refused(Outcome.AMEND_CLOSED)
    if body.content != carnet.content + 1:
        raise Refused(Outcome.STALE_VERSION)
    require_territories(act, body.box_p)
    if not today <= body.valid_until <= last_valid_day(carnet.issued):
        raise Refused(Outcome.VALIDITY_WRONG)
    act.require_parts(
        (Label.CARNET, body.content, None), (Label.STANZA, body.content, issuer_of(act).seal_id),
        (Label.PIN_STANZA, body.content, None),
    )  # fmt: skip
    amended = replace(
        carnet, box_p=body.box_p, valid_until=body.valid_until, items=body.items, content=body.content,
        entry=act.moment.index,
    )  # fmt: skip
    act.facts.put(amended, body.carnet_id)
    act.facts.put(replace(state, signed=None), body.carnet_id)
    if act.facts.get(Attached, body.carnet_id) is not None:  # sealed under the old content key: attached again
        act.facts.put(Attached((), 0), body.carnet_id)
    return [int(body.TYPE), carnet.number, body.carnet_id, body.content, body.valid_until, body.items]


def add_sets(act: Act, body: bodies.AddSets) -> Value:
    """More sets for a carnet that is not expired, blocked or over."""
    act.require_parts()
    carnet, state = own_carnet(act, body.carnet_id)
    if state.blocked:
        raise Refused(Outcome.CARNET_BLOCKED)
    if act.moment.log_time // DAY > carnet.valid_until:
        raise Refused(Outcome.CARNET_EXPIRED)
    require_sets(act, carnet.type, carnet.home, body.sets)
    sets = add(state.sets, body.sets)
    if any(counters.issued > MOST_SETS for counters in sets.values()):
        raise Refused(Outcome.TOO_MANY)
    act.facts.put(replace(state, sets=sets), body.carnet_id)
    return [int(body.TYPE), carnet.number, body.carnet_id, [[int(kind), n] for kind, n in sorted(body.sets.items())]]


def block(act: Act, body: bodies.Block) -> Value:
    return _blocked(act, body, True)


def unblock(act: Act, body: bodies.Unblock) -> Value:
    return _blocked(act, body, False)


def _blocked(act: Act, body: bodies.Block | bodies.Unblock, blocked: bool) -> Value:
    act.require_parts()
    carnet, state = own_carnet(act, body.carnet_id)
    if state.blocked is blocked:
        raise Refused(Outcome.NOT_BLOCKED)
    act.facts.put(replace(state, blocked=blocked), body.carnet_id)
    return [int(body.TYPE), carnet.number, body.carnet_id]


def cancel_carnet(act: Act, body: bodies.CancelCarnet) -> Value:
    """Only a carnet no Customs has touched."""
    act.require_parts()
    carnet, state = own_carnet(act, body.carnet_id)
    if state.status is not Status.ISSUED:
        raise Refused(Outcome.CARNET_IN_USE)
    act.facts.put(replace(state, status=Status.CANCELLED), body.carnet_id)
    return [int(body.TYPE), carnet.number, body.carnet_id]


def discharge(act: Act, body: bodies.Discharge) -> Value:
    """Counts what was never used; anything unused blocks the carnet too (NICS-05)."""
    act.require_parts()
    carnet, state = own_carnet(act, body.carnet_id)
    vouchers = (act.facts.get(Voucher, body.carnet_id, slot) for slot in range(1, state.next_slot))
    prepared = sum(voucher is not None and voucher.state is VoucherState.PREPARED for voucher in vouchers)
    unused = {kind: state.sets[kind].free + state.sets[kind].reserved for kind in SetKind}
    blocked = state.blocked or prepared > 0 or any(unused.values())
    act.facts.put(replace(state, status=Status.TERMINATED, blocked=blocked), body.carnet_id)
    counts: list[Value] = [[int(kind), n] for kind, n in sorted(unused.items())]
    return [int(body.TYPE), carnet.number, body.carnet_id, counts, prepared, blocked]
