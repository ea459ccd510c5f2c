"""PINs, stanzas, attachments, delegation, erasure: what keeps a carnet usable and private over the years."""

from dataclasses import replace

from eata_ledger.carnet.dates import DAY, months_after
from eata_ledger.carnet.vocabulary import Kind, Label, Purpose, Status, VoucherState
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.log.keys import acceptable, verify
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.proof.stored import to_sign
from eata_ledger.rules.act import Act
from eata_ledger.rules.budgets import spender
from eata_ledger.rules.carnet import issuer_of
from eata_ledger.rules.desk import at_desk, live_keys, require_office, require_time
from eata_ledger.rules.issuer import own_carnet
from eata_ledger.rules.travel import require_open
from eata_ledger.state import (
    Attached,
    Carnet,
    CarnetState,
    Device,
    Grant,
    Incident,
    Organisation,
    PinWrapped,
    Repaired,
    Shredded,
    Transaction,
    Voucher,
)

LIABILITY_MONTHS = 33  # 12 to lodge a claim, 12 and 9 to settle it (domain §3.3)
LARGEST_ATTACHMENT, LARGEST_TOTAL = 5 * 2**20, 20 * 2**20
SEALED_LARGEST, SEALED_TOTAL = LARGEST_ATTACHMENT * 9 // 8, LARGEST_TOTAL * 9 // 8  # Padmé adds up to 12 %
MOST_ATTACHED, MOST_REPAIRS = 64, 16
RECEIPT_LIFE = DAY  # nodes keep what nobody has attached twice as long


def rotate_pin(act: Act, body: bodies.RotatePin) -> Value:
    """A new PIN key and stanza; the old PIN opens and signs nothing any more. Devices stay."""
    carnet, _ = own_carnet(act, body.carnet_id)
    if not acceptable(body.pin_key):
        raise Refused(Outcome.KEY_WEAK)
    if body.pin_key == carnet.pin_key:
        raise Refused(Outcome.ALREADY_REGISTERED, "a new PIN has a new key")
    act.require_parts((Label.PIN_STANZA, carnet.content, None))
    act.facts.put(replace(carnet, pin_key=body.pin_key), body.carnet_id)
    act.facts.put(PinWrapped(act.moment.index), body.carnet_id)
    return [int(body.TYPE), carnet.number, body.carnet_id]


def add_stanza(act: Act, body: bodies.AddStanza) -> Value:
    """Whoever holds the keys wraps them again for who may have them: nobody else becomes a reader by it."""
    carnet = act.carnet(body.carnet_id)
    readers, slot = _readers(act, carnet, body.index)
    _require_repairer(act, carnet, body, readers)
    infos = act.entry.header.parts
    allowed = {key for reader in readers for key in _keys_of(act, carnet, reader)}
    if not 1 <= len(infos) <= 4 or not {info.recipient for info in infos} <= allowed:
        raise Refused(Outcome.STANZAS_WRONG, "a stanza is for who may read that entry")
    act.require_parts(*((Label.STANZA, slot, info.recipient) for info in infos))
    key = (body.carnet_id, body.index, spender(act, body.carnet_id))
    earlier = act.facts.get(Repaired, *key) or Repaired(())
    if len(earlier.entries) >= MOST_REPAIRS:
        raise Refused(Outcome.BUDGET_SPENT, f"{MOST_REPAIRS} repairs of one entry by one party")
    act.facts.put(Repaired((*earlier.entries, act.moment.index)), *key)
    return [int(body.TYPE), body.carnet_id, body.index]


def _readers(act: Act, carnet: Carnet, index: int) -> tuple[tuple[str, ...], int]:
    """Who the entry at `index` is sealed for (territory codes, “issuer”), and the slot of its seals."""
    if index == carnet.entry:
        return ("issuer",), carnet.content
    incident = act.facts.get(Incident, carnet.carnet_id, index)
    if incident is not None:
        return (incident.territory,), incident.slot
    for row in range(act.state(carnet.carnet_id).rows):
        found = act.facts.get(Transaction, carnet.carnet_id, row)
        if found is not None and found.index == index:
            own = (found.territory, carnet.home)
            return (*own, "issuer") if found.kind is Kind.VALIDATION else own, found.slot
    raise Refused(Outcome.TRANSACTION_UNKNOWN)


def _keys_of(act: Act, carnet: Carnet, reader: str) -> frozenset[bytes]:
    if reader != "issuer":
        return live_keys(act, reader, act.moment.log_time)
    issuer = act.facts.get(Organisation, carnet.issuer)
    return frozenset() if issuer is None else frozenset({issuer.seal_id})


def _require_repairer(act: Act, carnet: Carnet, body: bodies.AddStanza, readers: tuple[str, ...]) -> None:
    if body.certificate is not None:
        presented = at_desk(act, body.certificate, "")
        desk = at_desk(act, body.certificate, presented.certificate.office)
        require_office(desk)
        require_time(act, desk)
        if desk.territory not in (*readers, carnet.home):
            raise Refused(Outcome.ROLE_FORBIDDEN, "only home or the territory itself repairs this")
    elif not _by_holder(act, carnet.carnet_id) and issuer_of(act).code != carnet.issuer:
        raise Refused(Outcome.ROLE_FORBIDDEN, "only its issuer may do this")


def attach(act: Act, body: bodies.Attach) -> Value:
    """A document of the issuer before any transaction, or of the holder while the carnet is open (N-01, APP-22)."""
    carnet, state = require_open(act, body.carnet_id)
    _require_attacher(act, carnet, state)
    if body.content != carnet.content:
        raise Refused(Outcome.STALE_VERSION)
    act.require_parts((Label.ATTACHMENT, body.content, None))
    earlier = act.facts.get(Attached, body.carnet_id) or Attached((), 0)
    total = earlier.total + body.length
    if body.length > SEALED_LARGEST or total > SEALED_TOTAL or len(earlier.entries) >= MOST_ATTACHED:
        raise Refused(Outcome.ATTACHMENT_TOO_LARGE)
    _require_stored(act, body)
    act.facts.put(Attached((*earlier.entries, act.moment.index), total), body.carnet_id)
    return [int(body.TYPE), carnet.number, body.carnet_id, body.blob, body.length]


def _require_attacher(act: Act, carnet: Carnet, state: CarnetState) -> None:
    if _by_holder(act, carnet.carnet_id):
        return
    if issuer_of(act).code != carnet.issuer:
        raise Refused(Outcome.ROLE_FORBIDDEN, "only its issuer may do this")
    if state.status is not Status.ISSUED:
        raise Refused(Outcome.CARNET_IN_USE)


def _by_holder(act: Act, carnet_id: int) -> bool:
    return act.facts.get(Device, carnet_id, act.entry.header.author) is not None


def _require_stored(act: Act, body: bodies.Attach) -> None:
    """So many nodes have the blob on disk that an honest one is among them."""
    charter = act.charter
    keys, ledger, now = charter.by_kid, act.moment.genesis.ledger, act.moment.log_time
    good = {
        receipt.kid for receipt in body.receipts
        if receipt.kid in keys and abs(now - receipt.time) <= RECEIPT_LIFE and verify(
            keys[receipt.kid].key(Purpose.STATEMENT), receipt.signature,
            to_sign(ledger, body.blob, body.length, receipt.time),
        )
    }  # fmt: skip
    if len(good) < charter.one_honest:
        raise Refused(Outcome.RECEIPTS_MISSING, f"{len(good)} nodes hold it, {charter.one_honest} must")


def shred(act: Act, body: bodies.Shred) -> Value:
    """By its issuer, once nobody can be liable for the carnet any more; a cancelled one at once."""
    act.require_parts()
    issuer, carnet = issuer_of(act), act.carnet(body.carnet_id)
    if carnet.issuer != issuer.code:
        raise Refused(Outcome.ROLE_FORBIDDEN, "only its issuer may do this")
    free = months_after(carnet.valid_until, LIABILITY_MONTHS)
    cancelled = act.state(body.carnet_id).status is Status.CANCELLED
    if not cancelled and act.moment.log_time // DAY <= free:
        raise Refused(Outcome.NOT_ERASABLE)
    act.facts.put(Shredded(act.moment.index), body.carnet_id)
    return [int(body.TYPE), carnet.number, body.carnet_id]


def delegate(act: Act, body: bodies.Delegate) -> Value:
    """One open voucher in another's hands (U11); a later grant of the same voucher replaces it, Renew ends it."""
    _, state = require_open(act, body.carnet_id)
    if state.signed is None:
        raise Refused(Outcome.NOT_SIGNED)
    voucher = act.facts.get(Voucher, body.carnet_id, body.slot)
    if voucher is None or voucher.state is not VoucherState.PREPARED:
        raise Refused(Outcome.TRAVEL_UNKNOWN, "the voucher is not open")
    if body.valid_from >= body.valid_to:
        raise Refused(Outcome.EVENT_TIME_WRONG, "the window ends after it begins")
    act.require_parts((Label.GRANT, body.slot, None))
    act.facts.put(
        Grant(body.grant_id, act.moment.index, body.valid_from, body.valid_to), body.carnet_id, body.slot
    )  # fmt: skip
    return [int(body.TYPE), body.carnet_id, body.slot, voucher.territory, body.valid_from, body.valid_to]


def require_granted(act: Act, carnet_id: int, slot: int) -> None:
    """A delegated voucher is good within its window only."""
    grant = act.facts.get(Grant, carnet_id, slot)
    if grant is not None and not grant.valid_from <= act.entry.header.event_time <= grant.valid_to:
        raise Refused(Outcome.DELEGATION_OVER)
