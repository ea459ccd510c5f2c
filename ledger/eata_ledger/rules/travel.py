"""Travels: vouchers prepared, edited, deleted; sets reserved and released (APP-10 to APP-15, domain §2.4)."""

from dataclasses import replace

from eata_ledger.carnet.goods.sets import Sets, release, reserve
from eata_ledger.carnet.vocabulary import HOME_KINDS, RETURNS, Kind, Label, Status, Validated, VoucherState
from eata_ledger.encoding import Malformed, Value
from eata_ledger.log import bodies
from eata_ledger.log.declared import MOST_VOUCHERS, Declaration, Declared, declaration_digest
from eata_ledger.log.keys import acceptable
from eata_ledger.outcomes import Outcome, Refused, Skipped
from eata_ledger.proof.travelled import Prepared, TravelFacts
from eata_ledger.rules.act import Act
from eata_ledger.rules.devices import holder_of
from eata_ledger.seal.schedule import SLOTS
from eata_ledger.state import Carnet, CarnetState, Territory, TravelFact, Voucher, VoucherKey

_LABELS = (Label.DECLARED, Label.DECLARATION, Label.PACKET)


def require_open(act: Act, carnet_id: int) -> tuple[Carnet, CarnetState]:
    """A carnet and its state; nothing is prepared on one that is cancelled or discharged."""
    carnet, state = act.carnet(carnet_id), act.state(carnet_id)
    if state.status is Status.CANCELLED:
        raise Refused(Outcome.CARNET_CANCELLED)
    if state.status is Status.TERMINATED:
        raise Refused(Outcome.CARNET_TERMINATED)
    return carnet, state


def travel(act: Act, body: bodies.Travel) -> Value:
    """Takes the carnet's next slots, exactly and in order; a concurrent loser rebuilds."""
    carnet, state = require_open(act, body.carnet_id)
    if state.signed is None:
        raise Refused(Outcome.NOT_SIGNED)
    declarations = _declared(act, body.carnet_id)
    count = len(declarations)
    wanted = list(range(state.next_slot, state.next_slot + count))
    if not 1 <= count <= MOST_VOUCHERS or [d.slot for d in declarations] != wanted or wanted[-1] > SLOTS:
        raise Refused(Outcome.SLOT_TAKEN)
    if act.facts.get(TravelFact, body.carnet_id, body.travel_id) is not None:
        raise Refused(Outcome.SLOT_TAKEN, "the travel exists")
    sets = reserve(state.sets, (d.kind for d in declarations))
    if sets is None:
        raise Refused(Outcome.NO_SETS_LEFT)
    prepared = [_write(act, carnet, body.travel_id, d) for d in declarations]
    for declaration in declarations:
        _take_key(act, body.carnet_id, declaration)
    act.facts.put(TravelFact(body.travel_id, tuple(wanted), False), body.carnet_id, body.travel_id)
    act.facts.put(replace(state, next_slot=state.next_slot + count, sets=sets), body.carnet_id)
    return _facts(body, carnet, state, prepared)


def edit_travel(act: Act, body: bodies.EditTravel) -> Value:
    """The same slots and codes with other contents, while none is transacted (C-28)."""
    carnet, state = require_open(act, body.carnet_id)
    if state.signed is None:
        raise Refused(Outcome.NOT_SIGNED)
    vouchers = _untransacted(act, body.carnet_id, body.travel_id)
    declarations = _declared(act, body.carnet_id)
    for voucher, declaration in zip(vouchers, declarations, strict=False):
        keys = (declaration.voucher_key, declaration.cancel_key, declaration.verify_key)
        if voucher.root != declaration.root:
            raise Refused(Outcome.CODE_VOIDED)
        if keys != (voucher.voucher_key, voucher.cancel_key, voucher.verify_key):
            raise Refused(Outcome.SLOT_TAKEN, "codes stay the same on edit")
    if [v.slot for v in vouchers] != [d.slot for d in declarations]:
        raise Refused(Outcome.SLOT_TAKEN, "an edit names the travel's own slots")
    freed = release(state.sets, (v.kind for v in vouchers))
    sets = reserve(freed, (d.kind for d in declarations))
    if sets is None:
        raise Refused(Outcome.NO_SETS_LEFT)
    prepared = [_write(act, carnet, body.travel_id, d) for d in declarations]
    act.facts.put(replace(state, sets=sets), body.carnet_id)
    return _facts(body, carnet, state, prepared)


def delete_travel(act: Act, body: bodies.DeleteTravel) -> Value:
    """Only an untransacted travel gives its sets back (APP-12, APP-14); its slots are burnt."""
    act.require_parts()
    act.carnet(body.carnet_id)
    state: CarnetState = act.state(body.carnet_id)
    vouchers = _untransacted(act, body.carnet_id, body.travel_id)
    for voucher in vouchers:
        act.facts.put(replace(voucher, state=VoucherState.DELETED), body.carnet_id, voucher.slot)
    slots = tuple(voucher.slot for voucher in vouchers)
    act.facts.put(TravelFact(body.travel_id, slots, True), body.carnet_id, body.travel_id)
    act.facts.put(replace(state, sets=release(state.sets, (v.kind for v in vouchers))), body.carnet_id)
    return [int(body.TYPE), body.carnet_id, body.travel_id]


def renew(act: Act, body: bodies.Renew) -> Value:
    """New slots and new codes for vouchers: after a cancellation, or so that shared codes open nothing (C-28)."""
    carnet, state = require_open(act, body.carnet_id)
    if state.signed is None:
        raise Refused(Outcome.NOT_SIGNED)
    declarations = _declared(act, body.carnet_id)
    wanted = list(range(state.next_slot, state.next_slot + len(body.slots)))
    distinct = len(set(body.slots)) == len(body.slots)
    if not wanted or not distinct or [d.slot for d in declarations] != wanted or wanted[-1] > SLOTS:
        raise Refused(Outcome.SLOT_TAKEN)
    sets, prepared = state.sets, []
    for slot, declaration in zip(body.slots, declarations, strict=True):
        made, sets = _renewed(act, carnet, sets, slot, declaration)
        prepared.append(made)
    act.facts.put(replace(state, next_slot=wanted[-1] + 1, sets=sets), body.carnet_id)
    return _facts(body, carnet, state, prepared)


def _renewed(act: Act, carnet: Carnet, sets: Sets, slot: int, new: Declaration) -> tuple[Prepared, Sets]:
    """One voucher in the place of another. An exit that is made again keeps its pre-exportation: that stands for ever."""
    old = act.facts.get(Voucher, carnet.carnet_id, slot)
    fact = None if old is None else act.facts.get(TravelFact, carnet.carnet_id, old.travel_id)
    if old is None or fact is None or fact.deleted or slot not in fact.slots:
        raise Refused(Outcome.TRAVEL_UNKNOWN)
    unused = old.state is VoucherState.PREPARED
    voided = old.pre_exported is not None and old.root != new.root
    if not (unused and (old.pre_exported is None or voided)) and old.state is not VoucherState.CANCELLED:
        raise Refused(Outcome.TRAVEL_TRANSACTED)
    if (new.kind, new.territory) != (old.kind, old.territory):
        raise Refused(Outcome.SLOT_TAKEN, "a renewed voucher is for the same act in the same territory")
    if unused and voided and new.items != old.items:
        raise Refused(Outcome.TRAVEL_TRANSACTED, "its goods have left already")
    reserved = reserve(release(sets, [old.kind]) if unused else sets, [new.kind])
    if reserved is None:
        raise Refused(Outcome.NO_SETS_LEFT)
    made = _write(act, carnet, old.travel_id, new, old.pre_exported)
    _take_key(act, carnet.carnet_id, new)
    if unused:
        act.facts.put(replace(old, state=VoucherState.DELETED), carnet.carnet_id, old.slot)
    slots = tuple(sorted({*fact.slots, new.slot} - {old.slot}))
    act.facts.put(replace(fact, slots=slots), carnet.carnet_id, old.travel_id)
    return replace(made, replaces=slot), reserved


def _facts(body: bodies.Body, carnet: Carnet, state: CarnetState, prepared: list[Prepared]) -> Value:
    """What a declaration's own receipt proves to a booth with no network (U2)."""
    return TravelFacts(
        int(body.TYPE), carnet.carnet_id, tuple(prepared), carnet.number, carnet.issuer, carnet.home, carnet.valid_until,
        state.validated is not Validated.NO, carnet.test,
    ).to_value()  # fmt: skip


def _take_key(act: Act, carnet_id: int, declaration: Declaration) -> None:
    if act.facts.get(VoucherKey, carnet_id, declaration.voucher_key) is not None:
        raise Refused(Outcome.SLOT_TAKEN, "the voucher key is in use")
    act.facts.put(VoucherKey(declaration.slot), carnet_id, declaration.voucher_key)


def _untransacted(act: Act, carnet_id: int, travel_id: bytes) -> list[Voucher]:
    fact = act.facts.get(TravelFact, carnet_id, travel_id)
    if fact is None or fact.deleted:
        raise Refused(Outcome.TRAVEL_UNKNOWN)
    vouchers = []
    for slot in fact.slots:
        voucher = act.facts.get(Voucher, carnet_id, slot)
        assert voucher is not None, "a travel's slots have vouchers"
        if voucher.state is not VoucherState.PREPARED or voucher.pre_exported is not None:
            raise Refused(Outcome.TRAVEL_TRANSACTED)
        vouchers.append(voucher)
    return vouchers


def _declared(act: Act, carnet_id: int) -> list[Declaration]:
    """Each slot's declaration, which its own key has signed; beside it the sealed details and packet, and nothing else.

    Raises `Skipped` where a part is no declaration, or not its maker's: such an entry never was.
    """
    infos, ledger, found = act.entry.header.parts, act.entry.header.ledger, []
    slots = [info.slot for info in infos[::3]]
    act.require_parts(*((label, slot, None) for slot in slots for label in _LABELS))
    for n, slot in enumerate(slots):
        try:
            declared = Declared.from_part(act.entry.parts[3 * n])
        except Malformed as error:
            raise Skipped(Outcome.ENTRY_MALFORMED, str(error)) from None
        if declared.declaration.slot != slot:
            raise Skipped(Outcome.ENTRY_MALFORMED, "a declaration is of another slot than its part")
        sealed = (infos[3 * n + 1].digest, infos[3 * n + 2].digest)
        if not declared.genuine(ledger, carnet_id, sealed, act.verify):
            raise Skipped(Outcome.SIGNATURE_INVALID, "a voucher is not declared by its own key")
        found.append(declared.declaration)
    return found


def _write(
    act: Act, carnet: Carnet, travel_id: bytes, declaration: Declaration, pre_exported: int | None = None
) -> Prepared:  # fmt: skip
    """Judges and writes a voucher."""
    _judge(act, carnet, declaration)
    header, slot = act.entry.header, declaration.slot
    digests = tuple(info.digest for info in header.parts if info.slot == slot)
    digest = declaration_digest(header.ledger, carnet.carnet_id, slot, digests)
    act.facts.put(
        Voucher(
            slot, travel_id, VoucherState.PREPARED, declaration.content, declaration.kind, declaration.territory,
            declaration.items, declaration.not_returned, digest, declaration.voucher_key, declaration.cancel_key,
            declaration.verify_key, declaration.root, declaration.root, act.moment.index,
            act.moment.log_time, pre_exported, None,
        ),
        carnet.carnet_id, slot,
    )  # fmt: skip
    return Prepared(slot, digest, declaration.territory in (carnet.home, *carnet.box_p), 0)


def _judge(act: Act, carnet: Carnet, declaration: Declaration) -> None:
    if declaration.content != carnet.content or declaration.root != holder_of(act, carnet.carnet_id).root:
        raise Refused(Outcome.STALE_VERSION)
    listed = declaration.items | declaration.not_returned
    if not listed or not listed <= carnet.all_items:
        raise Refused(Outcome.ITEM_OUT_OF_RANGE)
    if declaration.items & declaration.not_returned or (declaration.not_returned and declaration.kind not in RETURNS):
        raise Refused(Outcome.LISTS_OVERLAP)
    if declaration.kind is Kind.PRE_EXPORTATION:
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE, "a pre-exportation uses the exportation's voucher")
    if act.facts.get(Territory, declaration.territory) is None:
        raise Refused(Outcome.TERRITORY_UNKNOWN, f"territory {declaration.territory} is not registered")
    if (declaration.territory == carnet.home) != (declaration.kind in HOME_KINDS):
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE)
    keys = (declaration.voucher_key, declaration.cancel_key)
    if keys[0] == keys[1] or not all(acceptable(key) for key in keys):
        raise Refused(Outcome.KEY_WEAK)
