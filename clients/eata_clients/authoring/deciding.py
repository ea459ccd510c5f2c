"""The officer's other decisions: reject, hold, release, cancel, answer a pre-notification (ACC-30, ACC-40 to ACC-44)."""

import os

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.log.bodies import Answer, Cancel, Hold, Reject, Release
from eata_ledger.log.entry import Entry, Part
from eata_ledger.seal.aead import Context, seal
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.stanza import keys, wrap

from eata_clients.authoring.clearing import Desk, Presented, Recipient
from eata_clients.authoring.content import Remarks, Stamp, remarks, sealable
from eata_clients.authoring.entries import make


def _for_own_territory(
    ledger: bytes, desk: Desk, carnet_id: int, slot: int, said: Remarks, own: Recipient | None
) -> tuple[Part, ...]:
    """Remarks under a key of their own, that key for the desk's own territory."""
    extra = os.urandom(32)
    sealed = seal(extra, Context(ledger, carnet_id, Label.REMARKS, slot), sealable(said))
    parts = (Part(Label.REMARKS, slot, sealed),)
    if own is None:
        return parts
    recipient, public = own
    stanza = wrap(public, Context(ledger, carnet_id, Label.STANZA, slot), recipient, desk.key.id, keys(extra=extra))
    return (*parts, Part(Label.STANZA, slot, stanza, recipient))


def reject(ledger: bytes, desk: Desk, presented: Presented, reason: str, own: Recipient | None, stamp: Stamp) -> Entry:
    """Before commit; the voucher's code stays good (N-04)."""
    body = Reject(
        presented.carnet_id, presented.slot, presented.voucher.sign.public, presented.declaration,
        desk.certificate, desk.office,
    )  # fmt: skip
    said = remarks(reason=reason)
    parts = _for_own_territory(ledger, desk, presented.carnet_id, presented.slot, said, own)
    return make(ledger, body, stamp, (desk.key, presented.voucher.sign), parts)


def hold(ledger: bytes, desk: Desk, carnet_id: int, reason: str, own: Recipient | None, stamp: Stamp) -> Entry:
    parts = _for_own_territory(ledger, desk, carnet_id, 0, remarks(reason=reason), own)
    return make(ledger, Hold(carnet_id, desk.certificate, desk.office), stamp, (desk.key,), parts)


def release(ledger: bytes, desk: Desk, carnet_id: int, note: str, own: Recipient | None, stamp: Stamp) -> Entry:
    parts = _for_own_territory(ledger, desk, carnet_id, 0, remarks(remarks=note), own)
    return make(ledger, Release(carnet_id, desk.certificate, desk.office), stamp, (desk.key,), parts)


def cancel(
    ledger: bytes, desk: Desk, carnet_id: int, index: int, slot: int, code: CodeKeys, reason: str,
    own: Recipient | None, stamp: Stamp,
) -> Entry:  # fmt: skip
    """Undoes the transaction at a ledger index, with the holder's cancellation code (ACC-30)."""
    body = Cancel(carnet_id, index, code.sign.public, desk.certificate, desk.office)
    parts = _for_own_territory(ledger, desk, carnet_id, slot, remarks(reason=reason), own)
    return make(ledger, body, stamp, (desk.key, code.sign), parts)


def answer(
    ledger: bytes, desk: Desk, carnet_id: int, slot: int, notice_id: bytes, acknowledged: bool, text: str,
    notice_key: bytes, stamp: Stamp,
) -> Entry:  # fmt: skip
    """What it says is for the holder and the territory: both have the notice's key."""
    sealed = seal(notice_key, Context(ledger, carnet_id, Label.ANSWER, slot), sealable(remarks(remarks=text)))
    body = Answer(carnet_id, notice_id, acknowledged, desk.certificate, desk.office)
    return make(ledger, body, stamp, (desk.key,), (Part(Label.ANSWER, slot, sealed),))
