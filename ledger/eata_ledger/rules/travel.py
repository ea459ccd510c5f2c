"""Travels: vouchers prepared, edited, deleted; sets reserved and released (APP-10 to APP-15, domain §2.4)."""

from collections.abc import Sequence
from dataclasses import replace

from eata_ledger.carnet.sets import release, reserve
from eata_ledger.carnet.vocabulary import HOME_KINDS, RETURNS, Kind, Label, Role, Status, VoucherState
from eata_ledger.encoding import Value
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.proof import bodies
from eata_ledger.proof.bodies import Declaration
from eata_ledger.proof.entry import PartInfo, declaration_digest
from eata_ledger.proof.keys import acceptable
from eata_ledger.proof.travelled import Prepared, TravelFacts
from eata_ledger.rules.act import Act
from eata_ledger.seal.schedule import SLOTS
from eata_ledger.state import Carnet, CarnetState, Device, Territory, TravelFact, Validated, Voucher, VoucherKey


def require_open(act: Act, carnet_id: int) -> tuple[Carnet, CarnetState]:
    """A carnet and its state; nothing is prepared on one that is cancelled or discharged."""
    carnet, state = act.carnet(carnet_id), act.state(carnet_id)
    if state.status is Status.CANCELLED:
        raise Refused(Outcome.CARNET_CANCELLED)
    if state.status is Status.TERMINATED:
        raise Refused(Outcome.CARNET_TERMINATED)
    return carnet, state


def require_holder(act: Act, carnet_id: int) -> None:
    """Only the holder's own device may do this."""
    device = act.facts.get(Device, carnet_id, act.entry.header.author)
    if device is None or device.role is not Role.HOLDER:
        raise Refused(Outcome.ROLE_FORBIDDEN, "only the holder may do this")


def require_scope(act: Act, carnet_id: int, slots: Sequence[int]) -> None:
    """A representative enrolled for some vouchers acts on those alone."""
    device = act.facts.get(Device, carnet_id, act.entry.header.author)
    if device is None or device.role is Role.HOLDER or not device.scope:
        return
    if not set(slots) <= set(device.scope):
        raise Refused(Outcome.ROLE_FORBIDDEN, "this device is enrolled for other vouchers")


def travel(act: Act, body: bodies.Travel) -> Value:
    """Takes the carnet's next slots, exactly and in order; a concurrent loser rebuilds."""
    carnet, state = require_open(act, body.carnet_id)
    if state.signed is None:
        raise Refused(Outcome.NOT_SIGNED)
    count = len(body.declarations)
    wanted = list(range(state.next_slot, state.next_slot + count))
    require_scope(act, body.carnet_id, wanted)
    if not count or [d.slot for d in body.declarations] != wanted or wanted[-1] > SLOTS:
        raise Refused(Outcome.SLOT_TAKEN)
    if act.facts.get(TravelFact, body.carnet_id, body.travel_id) is not None:
        raise Refused(Outcome.SLOT_TAKEN, "the travel exists")
    sets = reserve(state.sets, (d.kind for d in body.declarations))
    if sets is None:
        raise Refused(Outcome.NO_SETS_LEFT)
    digests = _write(act, carnet, body.travel_id, body.declarations)
    for declaration in body.declarations:
        _take_key(act, body.carnet_id, declaration)
    act.facts.put(TravelFact(body.travel_id, tuple(wanted), False), body.carnet_id, body.travel_id)
    act.facts.put(replace(state, next_slot=state.next_slot + count, sets=sets), body.carnet_id)
    return _facts(body, carnet, state, body.travel_id, body.declarations, digests)


def edit_travel(act: Act, body: bodies.EditTravel) -> Value:
    """The same slots and codes with other contents, while none is transacted (C-28)."""
    carnet, state = require_open(act, body.carnet_id)
    if state.signed is None:
        raise Refused(Outcome.NOT_SIGNED)
    vouchers = _untransacted(act, body.carnet_id, body.travel_id)
    require_scope(act, body.carnet_id, [v.slot for v in vouchers])
    for voucher, declaration in zip(vouchers, body.declarations, strict=False):
        keys = (declaration.voucher_key, declaration.cancel_key, declaration.verify_key)
        if keys != (voucher.voucher_key, voucher.cancel_key, voucher.verify_key):
            raise Refused(Outcome.SLOT_TAKEN, "codes stay the same on edit")
    if [v.slot for v in vouchers] != [d.slot for d in body.declarations]:
        raise Refused(Outcome.SLOT_TAKEN, "an edit names the travel's own slots")
    freed = release(state.sets, (v.kind for v in vouchers))
    sets = reserve(freed, (d.kind for d in body.declarations))
    if sets is None:
        raise Refused(Outcome.NO_SETS_LEFT)
    digests = _write(act, carnet, body.travel_id, body.declarations)
    act.facts.put(replace(state, sets=sets), body.carnet_id)
    return _facts(body, carnet, state, body.travel_id, body.declarations, digests)


def delete_travel(act: Act, body: bodies.DeleteTravel) -> Value:
    """Only an untransacted travel gives its sets back (APP-12, APP-14); its slots are burnt."""
    act.require_parts()
    act.carnet(body.carnet_id)
    state: CarnetState = act.state(body.carnet_id)
    vouchers = _untransacted(act, body.carnet_id, body.travel_id)
    require_scope(act, body.carnet_id, [v.slot for v in vouchers])
    for voucher in vouchers:
        act.facts.put(replace(voucher, state=VoucherState.DELETED), body.carnet_id, voucher.slot)
    slots = tuple(voucher.slot for voucher in vouchers)
    act.facts.put(TravelFact(body.travel_id, slots, True), body.carnet_id, body.travel_id)
    act.facts.put(replace(state, sets=release(state.sets, (v.kind for v in vouchers))), body.carnet_id)
    return [int(body.TYPE), body.carnet_id, body.travel_id]


def renew(act: Act, body: bodies.Renew) -> Value:
    """A new slot and new codes for one voucher: after a cancellation, or so that a shared code opens nothing (C-28).

    An exit that is made again keeps the pre-exportation of the first: that cannot be cancelled.
    """
    carnet, state = require_open(act, body.carnet_id)
    old, new = act.facts.get(Voucher, body.carnet_id, body.slot), body.declaration
    if state.signed is None:
        raise Refused(Outcome.NOT_SIGNED)
    fact = None if old is None else act.facts.get(TravelFact, body.carnet_id, old.travel_id)
    if old is None or fact is None or fact.deleted or body.slot not in fact.slots:
        raise Refused(Outcome.TRAVEL_UNKNOWN)
    require_scope(act, body.carnet_id, [body.slot])
    unused = old.state is VoucherState.PREPARED and old.pre_exported is None
    if not unused and old.state is not VoucherState.CANCELLED:
        raise Refused(Outcome.TRAVEL_TRANSACTED)
    if new.slot != state.next_slot or (new.kind, new.territory) != (old.kind, old.territory):
        raise Refused(Outcome.SLOT_TAKEN)
    sets = reserve(release(state.sets, [old.kind]) if unused else state.sets, [new.kind])
    if sets is None:
        raise Refused(Outcome.NO_SETS_LEFT)
    digests = _write(act, carnet, old.travel_id, (new,), old.pre_exported)
    _take_key(act, body.carnet_id, new)
    if unused:
        act.facts.put(replace(old, state=VoucherState.DELETED), body.carnet_id, old.slot)
    slots = tuple(sorted({*fact.slots, new.slot} - {old.slot}))
    act.facts.put(replace(fact, slots=slots), body.carnet_id, old.travel_id)
    act.facts.put(replace(state, next_slot=new.slot + 1, sets=sets), body.carnet_id)
    return _facts(body, carnet, state, old.travel_id, (new,), digests, old.slot)


def _facts(
    body: bodies.Body, carnet: Carnet, state: CarnetState, travel_id: bytes, declarations: tuple[Declaration, ...],
    digests: list[bytes], replaces: int = 0,
) -> Value:  # fmt: skip
    """What a declaration's own receipt proves to a booth with no network (U2)."""
    own = (carnet.home, *carnet.box_p)
    vouchers = tuple(
        Prepared(d.slot, d.kind, d.territory, d.items, d.not_returned, digest, d.voucher_key, d.territory in own)
        for d, digest in zip(declarations, digests, strict=True)
    )
    return TravelFacts(
        int(body.TYPE), carnet.carnet_id, travel_id, vouchers, carnet.number, carnet.issuer, carnet.home,
        carnet.valid_until, state.validated is not Validated.NO, carnet.test, replaces,
    ).to_value()  # fmt: skip


def _take_key(act: Act, carnet_id: int, declaration: Declaration) -> None:
    if act.facts.get(VoucherKey, declaration.voucher_key) is not None:
        raise Refused(Outcome.SLOT_TAKEN, "the voucher key is in use")
    act.facts.put(VoucherKey(carnet_id, declaration.slot), declaration.voucher_key)


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


def _write(
    act: Act, carnet: Carnet, travel_id: bytes, declarations: tuple[Declaration, ...], pre_exported: int | None = None
) -> list[bytes]:
    """Judges and writes the vouchers; returns their declarations' digests."""
    header, digests = act.entry.header, []
    parts = _parts_by_slot(act, declarations)
    for declaration in declarations:
        _judge(act, carnet, declaration)
        digest = declaration_digest(
            header.ledger, carnet.carnet_id, declaration.to_value(), parts[declaration.slot]
        )  # fmt: skip
        digests.append(digest)
        act.facts.put(
            Voucher(
                declaration.slot, travel_id, VoucherState.PREPARED, declaration.content, declaration.kind,
                declaration.territory, declaration.items, declaration.not_returned, digest,
                declaration.voucher_key, declaration.cancel_key, declaration.verify_key, act.moment.index,
                pre_exported, None,
            ),
            carnet.carnet_id, declaration.slot,
        )  # fmt: skip
    return digests


def _parts_by_slot(act: Act, declarations: tuple[Declaration, ...]) -> dict[int, tuple[PartInfo, ...]]:
    """Each slot has its private declaration and its packet, in this order, and nothing else."""
    labels = (Label.DECLARATION, Label.PACKET)
    act.require_parts(*((label, d.slot, None) for d in declarations for label in labels))
    infos = act.entry.header.parts
    return {d.slot: infos[2 * n : 2 * n + 2] for n, d in enumerate(declarations)}


def _judge(act: Act, carnet: Carnet, declaration: Declaration) -> None:
    if declaration.content != carnet.content:
        raise Refused(Outcome.STALE_VERSION)
    listed = declaration.items | declaration.not_returned
    if not listed or not listed <= carnet.all_items:
        raise Refused(Outcome.ITEM_OUT_OF_RANGE)
    if declaration.items & declaration.not_returned or (declaration.not_returned and declaration.kind not in RETURNS):
        raise Refused(Outcome.LISTS_OVERLAP)
    if declaration.kind is Kind.PRE_EXPORTATION:
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE, "a pre-exportation uses the exportation's voucher")
    if act.facts.get(Territory, declaration.territory) is None:
        raise Refused(Outcome.PARENT_UNKNOWN, f"territory {declaration.territory} is not registered")
    if (declaration.territory == carnet.home) != (declaration.kind in HOME_KINDS):
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE)
    keys = (declaration.voucher_key, declaration.cancel_key)
    if keys[0] == keys[1] or not all(acceptable(key) for key in keys):
        raise Refused(Outcome.KEY_WEAK)
