"""The issuer's side: seal a carnet, make its PIN, sign (domain §2.1, NICS-03)."""

import os
from dataclasses import dataclass, field

from eata_ledger.carnet.vocabulary import CarnetType, Label, OrderType, SetKind
from eata_ledger.log.bodies import Amend, Body, Issue, ReserveIds
from eata_ledger.log.entry import Entry, Part
from eata_ledger.seal.aead import Context, pack, seal
from eata_ledger.seal.codes import Code, CodeKind, code_keys
from eata_ledger.seal.stanza import keys, wrap

from eata_clients.authoring.content import CarnetContent, Stamp, sealable
from eata_clients.authoring.entries import make
from eata_clients.authoring.keeping import pin_stanza
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
    order: OrderType = field(default=OrderType.ORIGINAL)
    links: tuple[tuple[int, int], ...] = ()


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
    pin = Code.random(CodeKind.PIN)
    pin_keys = code_keys(pin, ledger, carnet_id)
    parts = _sealed(ledger, issuer, carnet_id, CONTENT_VERSION, order.content, pin_keys.wrap)
    body = Issue(
        carnet_id, pool, order.number, order.type, order.order, order.links, order.home, order.box_p,
        order.valid_until, len(order.content.goods), order.sets, order.test, pin_keys.sign.public, CONTENT_VERSION,
    )  # fmt: skip
    return Issued(make(ledger, body, stamp, (issuer.sign,), parts, request_id), carnet_id, pin)


def _sealed(
    ledger: bytes, issuer: Party, carnet_id: int, version: int, content: CarnetContent, pin_wrap: bytes
) -> tuple[Part, ...]:
    """One content version under a new key, which issuer and PIN open."""
    content_key = os.urandom(32)
    secret = keys(content=content_key)

    def place(label: Label) -> Context:
        return Context(ledger, carnet_id, label, version)

    stanza = wrap(issuer.seal.public, place(Label.STANZA), issuer.seal_id, issuer.sign.id, secret)
    return (
        Part(Label.CARNET, version, seal(content_key, place(Label.CARNET), pack(sealable(content)))),
        Part(Label.STANZA, version, stanza, issuer.seal_id),
        pin_stanza(ledger, carnet_id, version, content_key, pin_wrap),
    )


def amend(
    ledger: bytes, issuer: Party, carnet_id: int, version: int, order: Order, pin_wrap: bytes, stamp: Stamp,
    request_id: bytes | None = None,
) -> Entry:  # fmt: skip
    """Content version `version`, the one after the last; number, home and sets stay (N-02)."""
    parts = _sealed(ledger, issuer, carnet_id, version, order.content, pin_wrap)
    body = Amend(carnet_id, order.box_p, order.valid_until, len(order.content.goods), version)
    return make(ledger, body, stamp, (issuer.sign,), parts, request_id)


def change(ledger: bytes, issuer: Party, body: Body, stamp: Stamp, request_id: bytes | None = None) -> Entry:
    """Sets, block, cancellation, discharge: acts with nothing sealed."""
    return make(ledger, body, stamp, (issuer.sign,), (), request_id)
