"""The holder's devices: signing, enrolling, admitting, taking back, starting anew (domain §2.1; APP-06, APP-13)."""

from dataclasses import replace

from eata_ledger.carnet.vocabulary import Label, VoucherState
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.log.bodies.devices import MOST_DEVICES, asks
from eata_ledger.log.keys import Algorithm, acceptable, key_id
from eata_ledger.outcomes import Outcome, Refused, Skipped
from eata_ledger.rules.act import Act
from eata_ledger.rules.budgets import EDITS, HOLDER
from eata_ledger.rules.issuer import own_carnet
from eata_ledger.seal import stanza
from eata_ledger.state import Carnet, CarnetState, Device, PinWrapped, Said, Spent, Voucher
from eata_ledger.state.holder import MOST_EVER, MOST_ROOTS, MOST_ROOTS_EVER, MOST_UNASKED, NOBODY, Holder, Root


def holder_of(act: Act, carnet_id: int) -> Holder:
    return act.facts.get(Holder, carnet_id) or NOBODY


def sign(act: Act, body: bodies.Sign) -> Value:
    """The first signature wins. It makes the root; a signature after an amendment hands on the new content key only."""
    carnet, state = act.carnet(body.carnet_id), act.state(body.carnet_id)
    if body.content != carnet.content:
        raise Refused(Outcome.STALE_VERSION)
    if state.signed is not None:
        raise Refused(Outcome.ALREADY_SIGNED)
    holder = holder_of(act, body.carnet_id)
    if body.first is None:
        act.require_parts((Label.KEPT, holder.root, None))
        act.facts.put(replace(holder, kept=act.moment.index), body.carnet_id)
    else:
        _first(act, carnet, state, holder, body.first)
    act.facts.put(replace(state, signed=act.moment.index), body.carnet_id)
    return [int(body.TYPE), body.carnet_id, body.content, body.terms]


def _first(act: Act, carnet: Carnet, state: CarnetState, holder: Holder, first: bodies.First) -> None:
    """The PIN key vouches for the first device, once: from then on devices and the holder code do."""
    _require_vouched(act, carnet.pin_key, first.pin)
    if holder.root:
        raise Refused(Outcome.ALREADY_HELD)
    number = _next_root(holder)
    act.require_parts((Label.HOLDER_STANZA, number, None), (Label.KEPT, number, None))
    _require_code(holder, first.code_key)
    roots = (*holder.roots, Root(state.next_slot, act.moment.index))
    holder = replace(holder, code_key=first.code_key, roots=roots, kept=act.moment.index)
    _add(act, carnet.carnet_id, holder, (first.device_key, first.seal_key), None)


def enrol_device(act: Act, body: bodies.EnrolDevice) -> Value:
    """Whoever has the holder code is the holder."""
    act.require_parts()
    act.carnet(body.carnet_id)
    holder = holder_of(act, body.carnet_id)
    if holder.code_key is None:
        raise Refused(Outcome.NOT_SIGNED)
    _require_vouched(act, holder.code_key, body.code)
    _add(act, body.carnet_id, holder, (body.device_key, body.seal_key), None)
    return [int(body.TYPE), body.carnet_id, key_id(body.device_key)]


def _require_vouched(act: Act, public: bytes, named: bytes) -> None:
    """By the PIN or the holder code in force. One that was in force a moment ago is refused: the entry did no wrong.

    The entry names the key, so that with the signature taken off it never was.
    """
    if key_id(public) != named:
        raise Refused(Outcome.CODE_VOIDED, "it is signed under another PIN or holder code")
    act.require_signature(public)


def admit_device(act: Act, body: bodies.AdmitDevice) -> Value:
    """An enrolled device seals the root to another."""
    act.carnet(body.carnet_id)
    holder = holder_of(act, body.carnet_id)
    act.require_parts((Label.STANZA, holder.root, key_id(body.seal_key, Algorithm.XWING)))
    if not act.verify(body.device_key, body.proof, asks(act.entry.header.ledger, body)):
        raise Skipped(Outcome.SIGNATURE_INVALID, "the device did not ask for this")
    _add(act, body.carnet_id, holder, (body.device_key, body.seal_key), act.entry.header.author)
    return [int(body.TYPE), body.carnet_id, key_id(body.device_key)]


def _add(act: Act, carnet_id: int, holder: Holder, keys: tuple[bytes, bytes], admitted_by: bytes | None) -> None:
    device_key, seal_key = keys
    if not acceptable(device_key) or not stanza.acceptable(seal_key):
        raise Refused(Outcome.KEY_WEAK)
    kid = key_id(device_key)
    known = act.facts.get(Device, carnet_id, kid)
    if known is not None:
        raise Refused(Outcome.ALREADY_REGISTERED if known.revoked is None else Outcome.KEY_REVOKED)
    if len(holder.devices) >= MOST_DEVICES or holder.ever >= MOST_EVER:
        raise Refused(Outcome.BUDGET_SPENT, f"a carnet has {MOST_DEVICES} devices at most, and {MOST_EVER} in its life")
    act.facts.put(Device(device_key, seal_key, act.moment.index, admitted_by, None), carnet_id, kid)
    devices = tuple(sorted((*holder.devices, kid)))
    act.facts.put(replace(holder, devices=devices, ever=holder.ever + 1), carnet_id)


def revoke_device(act: Act, body: bodies.RevokeDevice) -> Value:
    """A stolen phone: it reads and signs nothing more, and no code that it can make is good."""
    act.carnet(body.carnet_id)
    holder, gone = holder_of(act, body.carnet_id), set(body.devices)
    if len(gone) < len(body.devices) or not gone <= set(holder.devices):
        raise Refused(Outcome.DEVICE_UNKNOWN)
    if body.first != act.state(body.carnet_id).next_slot:
        raise Refused(Outcome.SLOT_TAKEN)
    if act.entry.header.author in gone:
        raise Refused(Outcome.ROLE_FORBIDDEN, "a device is taken back by another")
    _require_code(holder, body.code_key)
    if not gone and len(holder.roots) >= MOST_UNASKED:
        raise Refused(Outcome.BUDGET_SPENT, f"{MOST_UNASKED} holder roots, but for devices that are taken back")
    number, left = _next_root(holder), tuple(kid for kid in holder.devices if kid not in gone)
    _require_new_root(act, body.carnet_id, number, left)
    _take_back(act, body.carnet_id, body.devices)
    roots = (*holder.roots, Root(body.first, act.moment.index))
    changed = replace(holder, code_key=body.code_key, roots=roots, kept=act.moment.index, devices=left)
    act.facts.put(changed, body.carnet_id)
    return [int(body.TYPE), body.carnet_id, list[Value](body.devices)]


def _require_new_root(act: Act, carnet_id: int, number: int, devices: tuple[bytes, ...]) -> None:
    """Sealed under the new holder code and to every device that stays; what was before opens with what comes after."""
    known = [act.facts.get(Device, carnet_id, kid) for kid in devices]
    recipients = [device.seal_id for device in known if device is not None]
    act.require_parts(
        (Label.HOLDER_STANZA, number, None), (Label.KEPT, number, None), (Label.LINK, number, None),
        *((Label.STANZA, number, recipient) for recipient in recipients),
    )  # fmt: skip


def _next_root(holder: Holder) -> int:
    if len(holder.roots) >= MOST_ROOTS:
        raise Refused(Outcome.BUDGET_SPENT, f"a carnet has {MOST_ROOTS} holder roots in its life")
    return holder.next_root


def _require_code(holder: Holder, code_key: bytes) -> None:
    if not acceptable(code_key):
        raise Refused(Outcome.KEY_WEAK)
    if code_key == holder.code_key:
        raise Refused(Outcome.ALREADY_REGISTERED, "a new root has a new holder code")


def _take_back(act: Act, carnet_id: int, devices: tuple[bytes, ...]) -> None:
    for kid in devices:
        device = act.facts.get(Device, carnet_id, kid)
        assert device is not None, "a holder's devices are known"
        act.facts.put(replace(device, revoked=act.moment.index), carnet_id, kid)


def recode(act: Act, body: bodies.Recode) -> Value:
    """What is committed can be cancelled with codes of the new root only."""
    act.require_parts()
    act.carnet(body.carnet_id)
    root = holder_of(act, body.carnet_id).root
    if not body.keys or len({key.slot for key in body.keys}) < len(body.keys):
        raise Refused(Outcome.SLOT_TAKEN, "each voucher is named once")
    for new in body.keys:
        voucher = act.facts.get(Voucher, body.carnet_id, new.slot)
        if voucher is None or voucher.state is not VoucherState.COMMITTED:
            raise Refused(Outcome.TRAVEL_UNKNOWN, "the voucher is not committed")
        if voucher.cancel_root == root:
            raise Refused(Outcome.SLOT_TAKEN, "its cancellation code is good")
        if not acceptable(new.cancel_key) or new.cancel_key == voucher.voucher_key:
            raise Refused(Outcome.KEY_WEAK)
        act.facts.put(replace(voucher, cancel_key=new.cancel_key, cancel_root=root), body.carnet_id, new.slot)
    return [int(body.TYPE), body.carnet_id, list[Value](sorted(new.slot for new in body.keys))]


def reset_holder(act: Act, body: bodies.ResetHolder) -> Value:
    """Everything the holder had is void, for all Customs to see; the new PIN signs the carnet anew."""
    carnet, state = own_carnet(act, body.carnet_id)
    holder = holder_of(act, body.carnet_id)
    if not holder.root:
        raise Refused(Outcome.NOT_SIGNED)
    if holder.root > MOST_ROOTS_EVER:
        raise Refused(Outcome.BUDGET_SPENT, f"a carnet has {MOST_ROOTS_EVER} holder roots, all holders counted")
    if not acceptable(body.pin_key):
        raise Refused(Outcome.KEY_WEAK)
    if body.pin_key == carnet.pin_key:
        raise Refused(Outcome.ALREADY_REGISTERED, "a new PIN has a new key")
    act.require_parts((Label.PIN_STANZA, carnet.content, None))
    _take_back(act, body.carnet_id, holder.devices)
    for whose in (EDITS, HOLDER):
        act.facts.put(Spent(0, 0), body.carnet_id, whose)
    act.facts.put(Said(0), body.carnet_id)
    act.facts.put(Holder(None, holder.root, (), 0, (), 0), body.carnet_id)
    act.facts.put(replace(state, signed=None), body.carnet_id)
    act.facts.put(replace(carnet, pin_key=body.pin_key), body.carnet_id)
    act.facts.put(PinWrapped(act.moment.index), body.carnet_id)
    act.record(body.carnet_id, carnet.home)
    return [int(body.TYPE), carnet.number, body.carnet_id]
