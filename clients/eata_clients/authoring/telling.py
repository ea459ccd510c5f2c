"""What a holder tells others: pre-notifications, disagreement, requests to the issuer (APP-20, APP-27, U12)."""

import os

from eata_ledger.carnet.vocabulary import AskKind, Label, NoticeKind, SetKind
from eata_ledger.log.bodies import Ask, Disagree, Notify, Withdraw
from eata_ledger.log.entry import Entry, Part
from eata_ledger.seal.aead import Context, seal
from eata_ledger.seal.kdf import derive
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import keys, wrap

from eata_clients.authoring.clearing import Recipient
from eata_clients.authoring.content import NoticeDetails, Stamp, remarks, sealable
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding


def notice_key(holding: Holding, notice_id: bytes, slot: int) -> bytes:
    """The key of one pre-notification, its details and its answer: every device of the holder derives it."""
    return derive(holding.root_of(slot), ["eata/v1/notice", holding.ledger, holding.carnet_id, notice_id])


def notify(
    holding: Holding, slot: int, office: str, kind: NoticeKind, details: NoticeDetails, to: Recipient | None,
    stamp: Stamp,
) -> Entry:  # fmt: skip
    """The office's territory may open the details, and the declaration and the carnet too unless NO_DETAILS."""
    notice_id = os.urandom(16)
    key = notice_key(holding, notice_id, slot)
    parts = [Part(Label.NOTICE, slot, seal(key, holding.place(Label.NOTICE, slot), sealable(details)))]
    if to is not None:
        recipient, public = to
        shown = kind is not NoticeKind.NOTICE_NO_DETAILS
        leaf = leaf_key(holding.journal(slot))
        secret = keys(content=holding.content_key, leaf=leaf, extra=key) if shown else keys(extra=key)
        sealed = wrap(public, holding.place(Label.STANZA, slot), recipient, holding.device.id, secret)
        parts.append(Part(Label.STANZA, slot, sealed, recipient))
    body = Notify(holding.carnet_id, notice_id, slot, office, kind)
    return make(holding.ledger, body, stamp, (holding.device,), tuple(parts))


def withdraw(holding: Holding, notice_id: bytes, office: str, stamp: Stamp) -> Entry:
    return make(holding.ledger, Withdraw(holding.carnet_id, notice_id, office), stamp, (holding.device,))


def disagree(holding: Holding, index: int, slot: int, note: str, stamp: Stamp) -> Entry:
    """Whoever may read the transaction's counterfoil may read the note."""
    context = Context(holding.ledger, holding.carnet_id, Label.NOTE, slot)
    sealed = seal(leaf_key(holding.journal(slot)), context, sealable(remarks(remarks=note)))
    body = Disagree(holding.carnet_id, index)
    return make(holding.ledger, body, stamp, (holding.device,), (Part(Label.NOTE, slot, sealed),))


def ask(holding: Holding, kind: AskKind, sets: dict[SetKind, int], stamp: Stamp) -> Entry:
    return make(holding.ledger, Ask(holding.carnet_id, kind, sets), stamp, (holding.device,))
