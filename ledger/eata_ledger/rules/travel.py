"""Travels: vouchers prepared, edited, deleted; sets reserved and released (APP-10 to APP-15, domain §2.4)."""

from dataclasses import replace

from eata_ledger.carnet.sets import release, reserve
from eata_ledger.carnet.vocabulary import HOME_KINDS, RETURNS, Kind, Label, VoucherState
from eata_ledger.encoding import Value
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.proof import bodies
from eata_ledger.proof.bodies import Declaration
from eata_ledger.proof.entry import PartInfo, declaration_digest
from eata_ledger.proof.keys import acceptable
from eata_ledger.rules.act import Act
from eata_ledger.seal.schedule import SLOTS
from eata_ledger.state import Carnet, CarnetState, Territory, TravelFact, Voucher, VoucherKey


def travel(act: Act, body: bodies.Travel) -> Value:
    """Takes the carnet's next slots, exactly and in order; a concurrent loser rebuilds."""
    carnet, state = act.carnet(body.carnet_id), act.state(body.carnet_id)
    if state.signed is None:
        raise Refused(Outcome.NOT_SIGNED)
    count = len(body.declarations)
    wanted = list(range(state.next_slot, state.next_slot + count))
    if not count or [d.slot for d in body.declarations] != wanted or wanted[-1] > SLOTS:
        raise Refused(Outcome.SLOT_TAKEN)
    if act.facts.get(TravelFact, body.carnet_id, body.travel_id) is not None:
        raise Refused(Outcome.SLOT_TAKEN, "the travel exists")
    sets = reserve(state.sets, (d.kind for d in body.declarations))
    if sets is None:
        raise Refused(Outcome.NO_SETS_LEFT)
    _write(act, carnet, body.travel_id, body.declarations)
    for declaration in body.declarations:
        if act.facts.get(VoucherKey, declaration.voucher_key) is not None:
            raise Refused(Outcome.SLOT_TAKEN, "the voucher key is in use")
        act.facts.put(VoucherKey(body.carnet_id, declaration.slot), declaration.voucher_key)
    act.facts.put(TravelFact(body.travel_id, tuple(wanted), False), body.carnet_id, body.travel_id)
    act.facts.put(replace(state, next_slot=state.next_slot + count, sets=sets), body.carnet_id)
    return [int(body.TYPE), body.carnet_id, body.travel_id, [int(d.kind) for d in body.declarations]]


def edit_travel(act: Act, body: bodies.EditTravel) -> Value:
    """The same slots and codes with other contents, while none is transacted (C-28)."""
    carnet, state = act.carnet(body.carnet_id), act.state(body.carnet_id)
    vouchers = _untransacted(act, body.carnet_id, body.travel_id)
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
    _write(act, carnet, body.travel_id, body.declarations)
    act.facts.put(replace(state, sets=sets), body.carnet_id)
    return [int(body.TYPE), body.carnet_id, body.travel_id, [int(d.kind) for d in body.declarations]]


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


def _write(act: Act, carnet: Carnet, travel_id: bytes, declarations: tuple[Declaration, ...]) -> None:
    header = act.entry.header
    parts = _parts_by_slot(act, declarations)
    for declaration in declarations:
        _judge(act, carnet, declaration)
        digest = declaration_digest(
            header.ledger, carnet.carnet_id, declaration.to_value(), parts[declaration.slot]
        )  # fmt: skip
        act.facts.put(
            Voucher(
                declaration.slot, travel_id, VoucherState.PREPARED, declaration.content, declaration.kind,
                declaration.territory, declaration.items, declaration.not_returned, digest,
                declaration.voucher_key, declaration.cancel_key, declaration.verify_key, act.moment.index,
                None, None,
            ),
            carnet.carnet_id, declaration.slot,
        )  # fmt: skip


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
