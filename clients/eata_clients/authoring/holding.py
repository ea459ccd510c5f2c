"""The holder's side: declare, change, take back. The holder root of its time makes every code and key of a slot."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.encoding import sha256
from eata_ledger.log.bodies import (
    DeleteTravel,
    EditTravel,
    Renew,
    Travel,
)
from eata_ledger.log.declared import Declaration
from eata_ledger.log.declared import declare as proved
from eata_ledger.log.entry import Entry, Part
from eata_ledger.log.keys import SigningKey
from eata_ledger.record import KEY, U16, Record, f
from eata_ledger.seal.aead import Context, seal
from eata_ledger.seal.codes import Code, CodeKeys, CodeKind, code_keys, exchange_public
from eata_ledger.seal.schedule import journal_key, leaf_key, packet, verify_key_seed

from eata_clients.authoring.content import NO_DETAILS, DeclarationContent, Stamp, sealable
from eata_clients.authoring.entries import make


@dataclass(frozen=True)
class RootKey(Record):
    """A holder root: its number, the first slot that it serves."""

    number: int = f(U16)
    first: int = f(U16)
    root: bytes = f(KEY)

    def __repr__(self) -> str:
        return f"RootKey(number={self.number}, …)"


@dataclass(frozen=True)
class Holding:
    """What a wallet holds of one carnet."""

    ledger: bytes
    carnet_id: int
    content_version: int
    device: SigningKey
    content_key: bytes
    roots: tuple[RootKey, ...]

    def __repr__(self) -> str:
        return f"Holding(carnet_id={self.carnet_id}, …)"

    @property
    def newest(self) -> RootKey:
        """The root in force."""
        return self.roots[-1]

    def root_of(self, slot: int) -> bytes:
        """The root that serves a slot."""
        return next(one.root for one in reversed(self.roots) if one.first <= slot or one is self.roots[0])

    def code(self, kind: CodeKind, slot: int, number: int | None = None) -> Code:
        """A slot's code, from the root of its time, or from the root of that number."""
        roots = {one.number: one.root for one in self.roots}
        root = self.root_of(slot) if number is None else roots[number]
        return Code.of_slot(kind, root, self.ledger, self.carnet_id, slot)

    def code_keys(self, kind: CodeKind, slot: int, number: int | None = None) -> CodeKeys:
        return code_keys(self.code(kind, slot, number), self.ledger, self.carnet_id)

    def journal(self, slot: int) -> bytes:
        return journal_key(self.root_of(slot), self.ledger, self.carnet_id, slot)

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
    verify_key = exchange_public(verify_key_seed(holding.root_of(slot), holding.ledger, holding.carnet_id, slot))
    declaration = Declaration(
        slot, holding.newest.number, holding.content_version, wish.kind, wish.territory, wish.items, wish.not_returned,
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
