"""The holder's side: enrol, sign, declare. The holder root H makes every code and key of every slot."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from eata_ledger.carnet.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label, Role
from eata_ledger.encoding import sha256
from eata_ledger.proof.bodies import (
    DeleteTravel,
    EditTravel,
    EnrolDevice,
    Renew,
    RevokeDevice,
    Sign,
    Travel,
)
from eata_ledger.proof.declared import Declaration
from eata_ledger.proof.declared import declare as proved
from eata_ledger.proof.entry import Entry, Part
from eata_ledger.proof.keys import SigningKey
from eata_ledger.seal.aead import Context, seal
from eata_ledger.seal.codes import Code, CodeKeys, CodeKind, code_keys, exchange_public
from eata_ledger.seal.schedule import journal_key, leaf_key, packet, verify_key_seed
from eata_ledger.seal.stanza import keys

from eata_clients.authoring.content import NO_DETAILS, DeclarationContent, Stamp, sealable
from eata_clients.authoring.entries import make

TERMS = "I accept the ATA Carnet terms and declare that the list and the declaration are true. (1)"


@dataclass(frozen=True)
class Holding:
    """What a wallet holds of one carnet."""

    ledger: bytes
    carnet_id: int
    content_version: int
    device: SigningKey
    content_key: bytes
    root: bytes

    def __repr__(self) -> str:
        return f"Holding(carnet_id={self.carnet_id}, …)"

    def code(self, kind: CodeKind, slot: int) -> Code:
        return Code.of_slot(kind, self.root, self.ledger, self.carnet_id, slot)

    def code_keys(self, kind: CodeKind, slot: int) -> CodeKeys:
        return code_keys(self.code(kind, slot), self.ledger, self.carnet_id)

    def journal(self, slot: int) -> bytes:
        return journal_key(self.root, self.ledger, self.carnet_id, slot)

    def place(self, label: Label, slot: int) -> Context:
        return Context(self.ledger, self.carnet_id, label, slot)


@dataclass(frozen=True)
class Wish:
    """One declaration to prepare."""

    kind: Kind
    territory: str
    items: Items
    not_returned: Items = Items()
    details: DeclarationContent = NO_DETAILS


def enrol(ledger: bytes, carnet_id: int, pin: SigningKey, device: SigningKey, role: Role, stamp: Stamp) -> Entry:
    """Signed by the device and by the key the PIN derives."""
    return make(ledger, EnrolDevice(carnet_id, device.public, role, ()), stamp, (device, pin))


def sign(holding: Holding, pin_wrap: bytes, stamp: Stamp) -> Entry:
    """The holder's signature; the PIN stanza now carries the holder root for every later device."""
    secret = keys(content=holding.content_key, holder_root=holding.root)
    context = holding.place(Label.PIN_STANZA, holding.content_version)
    part = Part(Label.PIN_STANZA, holding.content_version, seal(pin_wrap, context, secret.to_bytes()))
    body = Sign(holding.carnet_id, holding.content_version, sha256(TERMS.encode()))
    return make(holding.ledger, body, stamp, (holding.device,), (part,))


def travel(holding: Holding, first_slot: int, wishes: tuple[Wish, ...], stamp: Stamp) -> tuple[Entry, bytes]:
    """A travel over the next slots; returns it with its travel id. Two Argon2 runs a slot."""
    travel_id = os.urandom(16)
    parts = _prepare(holding, range(first_slot, first_slot + len(wishes)), wishes)
    return make(holding.ledger, Travel(holding.carnet_id, travel_id), stamp, (holding.device,), parts), travel_id


def edit(holding: Holding, travel_id: bytes, slots: Sequence[int], wishes: tuple[Wish, ...], stamp: Stamp) -> Entry:
    """The travel's own slots and codes with other contents."""
    parts = _prepare(holding, slots, wishes)
    return make(holding.ledger, EditTravel(holding.carnet_id, travel_id), stamp, (holding.device,), parts)


def delete(holding: Holding, travel_id: bytes, stamp: Stamp) -> Entry:
    return make(holding.ledger, DeleteTravel(holding.carnet_id, travel_id), stamp, (holding.device,))


def renew(holding: Holding, old_slots: Sequence[int], first_slot: int, wishes: tuple[Wish, ...], stamp: Stamp) -> Entry:
    """Vouchers anew, with new codes: after a cancellation, or to take back codes that were shared."""
    parts = _prepare(holding, range(first_slot, first_slot + len(wishes)), wishes)
    return make(holding.ledger, Renew(holding.carnet_id, tuple(old_slots)), stamp, (holding.device,), parts)


def revoke_device(holding: Holding, device: bytes, stamp: Stamp) -> Entry:
    """Takes a device's right back, by its key id."""
    return make(holding.ledger, RevokeDevice(holding.carnet_id, device), stamp, (holding.device,))


def _prepare(holding: Holding, slots: Sequence[int], wishes: tuple[Wish, ...]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for slot, wish in zip(slots, wishes, strict=False):
        voucher = holding.code_keys(CodeKind.TRANSACTION, slot)
        cancel = holding.code_keys(CodeKind.CANCELLATION, slot)
        parts += declare(holding, slot, wish, voucher, cancel.sign.public)
    return tuple(parts)


def declare(holding: Holding, slot: int, wish: Wish, voucher: CodeKeys, cancel_key: bytes) -> list[Part]:
    """One declaration's three parts: what nodes judge, signed by the code; the private details under L_s; the packet."""
    journal = holding.journal(slot)
    verify_key = exchange_public(verify_key_seed(holding.root, holding.ledger, holding.carnet_id, slot))
    declaration = Declaration(
        slot, holding.content_version, wish.kind, wish.territory, wish.items, wish.not_returned,
        voucher.sign.public, cancel_key, verify_key,
    )  # fmt: skip
    details = seal(leaf_key(journal), holding.place(Label.DECLARATION, slot), sealable(wish.details))
    secret = packet(wish.kind, holding.content_key, journal)
    sealed = seal(voucher.wrap, holding.place(Label.PACKET, slot), secret.to_bytes())
    digests = (sha256(details), sha256(sealed))
    made = proved(holding.ledger, holding.carnet_id, declaration, voucher.sign, digests, os.urandom(16))
    return [
        Part(Label.DECLARED, slot, made.to_part()), Part(Label.DECLARATION, slot, details), Part(Label.PACKET, slot, sealed)
    ]  # fmt: skip
