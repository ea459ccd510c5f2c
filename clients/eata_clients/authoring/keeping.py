"""What keeps a carnet usable: PINs anew, stanzas again, documents, one voucher lent, erasure."""

import os
from dataclasses import dataclass
from typing import Protocol

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import sha256
from eata_ledger.log.bodies import AddStanza, Attach, Delegate, ResetHolder, RotatePin, Shred, StorageReceipt
from eata_ledger.log.entry import Entry, Part
from eata_ledger.log.keys import SigningKey
from eata_ledger.record import KEY, Record, f, integer
from eata_ledger.seal.aead import Context, seal
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import Keys, keys, wrap

from eata_clients.authoring.clearing import Recipient
from eata_clients.authoring.content import LINE, Stamp, sealable
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding
from eata_clients.authoring.registering import Party

MEDIA = {b"%PDF-": "application/pdf", b"\xff\xd8\xff": "image/jpeg"}


class NewPin(Protocol):
    """What makes an entry with a new PIN."""

    __name__: str

    def __call__(
        self, ledger: bytes, issuer: Party, carnet_id: int, version: int, content_key: bytes, pin: CodeKeys,
        stamp: Stamp, request_id: bytes | None = None,
    ) -> Entry: ...  # fmt: skip


@dataclass(frozen=True)
class AttachmentContent(Record):
    """A document as its readers see it; `key` opens the blob, `size` is in bytes before sealing."""

    name: str = f(LINE)
    media: str = f(LINE)
    size: int = f(integer(1, 5 * 2**20))
    key: bytes = f(KEY)

    def __repr__(self) -> str:
        return f"AttachmentContent(size={self.size}, …)"


@dataclass(frozen=True)
class GrantContent(Record):
    """Who may present the voucher, and on what authority."""

    name: str = f(LINE)
    identification: str = f(LINE)
    authority: str = f(LINE)


def rotate_pin(
    ledger: bytes, issuer: Party, carnet_id: int, version: int, content_key: bytes, pin: CodeKeys, stamp: Stamp,
    request_id: bytes | None = None,
) -> Entry:  # fmt: skip
    """By the issuer, who has C_v."""
    part = pin_stanza(ledger, carnet_id, version, content_key, pin.wrap)
    return make(ledger, RotatePin(carnet_id, pin.sign.public), stamp, (issuer.sign,), (part,), request_id)


def reset_holder(
    ledger: bytes, issuer: Party, carnet_id: int, version: int, content_key: bytes, pin: CodeKeys, stamp: Stamp,
    request_id: bytes | None = None,
) -> Entry:  # fmt: skip
    """By the issuer, for a holder who has lost all devices and the holder code."""
    part = pin_stanza(ledger, carnet_id, version, content_key, pin.wrap)
    return make(ledger, ResetHolder(carnet_id, pin.sign.public), stamp, (issuer.sign,), (part,), request_id)


def pin_stanza(ledger: bytes, carnet_id: int, version: int, content_key: bytes, wrap: bytes) -> Part:
    """The content key for whoever has the PIN, and nothing else: the issuer made that."""
    place = Context(ledger, carnet_id, Label.PIN_STANZA, version)
    return Part(Label.PIN_STANZA, version, seal(wrap, place, keys(content=content_key).to_bytes()))


def repair(
    ledger: bytes, carnet_id: int, index: int, slot: int, secret: Keys, to: Recipient, signer: SigningKey,
    certificate: bytes | None, stamp: Stamp,
) -> Entry:  # fmt: skip
    """The keys of the entry at `index` for a reader whose own stanza does not open (trust §3)."""
    recipient, public = to
    sealed = wrap(public, Context(ledger, carnet_id, Label.STANZA, slot), recipient, signer.id, secret)
    body = AddStanza(carnet_id, index, certificate)
    return make(ledger, body, stamp, (signer,), (Part(Label.STANZA, slot, sealed, recipient),))


def blob_context(ledger: bytes, carnet_id: int, version: int) -> Context:
    """What a document's sealed bytes are bound to."""
    return Context(ledger, carnet_id, Label.ATTACHMENT, version, "blob")


def media_of(data: bytes) -> str | None:
    """PDF or JPEG by its first bytes; None for anything else."""
    return next((media for magic, media in MEDIA.items() if data.startswith(magic)), None)


def seal_document(
    ledger: bytes, carnet_id: int, version: int, name: str, data: bytes
) -> tuple[AttachmentContent, bytes]:
    """A document and the blob that nodes keep of it."""
    key = os.urandom(32)
    content = AttachmentContent(name, media_of(data) or "", len(data), key)
    return content, seal(key, blob_context(ledger, carnet_id, version), data)


def attach(
    ledger: bytes, signer: SigningKey, carnet_id: int, version: int, content_key: bytes, content: AttachmentContent,
    blob: bytes, receipts: tuple[StorageReceipt, ...], stamp: Stamp, request_id: bytes | None = None,
) -> Entry:  # fmt: skip
    """Once three nodes hold the blob; its name and key are for whoever has C_v."""
    sealed = seal(content_key, Context(ledger, carnet_id, Label.ATTACHMENT, version), sealable(content))
    body = Attach(carnet_id, version, sha256(blob), len(blob), receipts)
    return make(ledger, body, stamp, (signer,), (Part(Label.ATTACHMENT, version, sealed),), request_id)


def shred(ledger: bytes, issuer: Party, carnet_id: int, stamp: Stamp, request_id: bytes | None = None) -> Entry:
    return make(ledger, Shred(carnet_id), stamp, (issuer.sign,), (), request_id)


def delegate(
    holding: Holding, slot: int, content: GrantContent, window: tuple[int, int], authority: bytes | None, stamp: Stamp
) -> Entry:
    """One voucher lent (U11); `authority` is the SHA-256 of the attached power of attorney's blob."""
    sealed = seal(leaf_key(holding.journal(slot)), holding.place(Label.GRANT, slot), sealable(content))
    body = Delegate(holding.carnet_id, slot, os.urandom(16), *window, authority)
    return make(holding.ledger, body, stamp, (holding.device,), (Part(Label.GRANT, slot, sealed),))
