"""The issuer's side: seal a carnet, make its PIN, sign (domain §2.1, NICS-03)."""

import os
from dataclasses import dataclass, field

from eata_ledger.carnet.vocabulary import CarnetType, Label, OrderType, SetKind
from eata_ledger.proof.bodies import Issue, ReserveIds
from eata_ledger.proof.entry import Entry, Part
from eata_ledger.seal.aead import Context, pack, seal
from eata_ledger.seal.codes import Code, code_keys
from eata_ledger.seal.stanza import keys, wrap

from eata_clients.authoring.content import CarnetContent, Stamp, sealable
from eata_clients.authoring.entries import make
from eata_clients.authoring.registering import Party

CONTENT_VERSION = 1


@dataclass(frozen=True)
class Order:
    """What an issuer orders; the content is sealed, the rest is in clear."""

    number: str
    home: str
    box_p: tuple[str, ...]
    valid_until: int
    sets: dict[SetKind, int]
    content: CarnetContent
    test: bool = False
    type: CarnetType = field(default=CarnetType.ATA)


@dataclass(frozen=True)
class Issued:
    """An issue ready to send, and the PIN to deliver."""

    entry: Entry
    carnet_id: int
    pin: Code


def reserve(ledger: bytes, issuer: Party, count: int, stamp: Stamp) -> Entry:
    return make(ledger, ReserveIds(count), stamp, (issuer.sign,))


def issue(
    ledger: bytes, issuer: Party, order: Order, carnet_id: int, pool: int, stamp: Stamp, request_id: bytes | None = None
) -> Issued:
    """Seals to the issuer and to a new PIN; nodes get counts, dates and keys only."""
    content_key, pin = os.urandom(32), Code.random_pin()
    pin_keys = code_keys(pin, ledger, carnet_id)
    content = keys(content=content_key)

    def place(label: Label) -> Context:
        return Context(ledger, carnet_id, label, CONTENT_VERSION)

    stanza = wrap(issuer.seal.public, place(Label.STANZA), issuer.seal_id, issuer.sign.id, content)
    parts = (
        Part(Label.CARNET, CONTENT_VERSION, seal(content_key, place(Label.CARNET), pack(sealable(order.content)))),
        Part(Label.STANZA, CONTENT_VERSION, stanza, issuer.seal_id),
        Part(Label.PIN_STANZA, CONTENT_VERSION, seal(pin_keys.wrap, place(Label.PIN_STANZA), content.to_bytes())),
    )
    body = Issue(
        carnet_id, pool, order.number, order.type, OrderType.ORIGINAL, (), order.home, order.box_p,
        order.valid_until, len(order.content.goods), order.sets, order.test, pin_keys.sign.public, CONTENT_VERSION,
    )  # fmt: skip
    return Issued(make(ledger, body, stamp, (issuer.sign,), parts, request_id), carnet_id, pin)
