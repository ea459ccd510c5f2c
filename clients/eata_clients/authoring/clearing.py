"""The officer's side: desk certificates, and commits with the stanzas the visibility rule asks for (U9)."""

import os
from dataclasses import dataclass, field

from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import ARRIVALS, Flag, Kind, Label, Role, Warning
from eata_ledger.log.bodies import Commit
from eata_ledger.log.certificate import LONGEST, DeskCertificate
from eata_ledger.log.entry import Entry, Part
from eata_ledger.log.keys import SigningKey
from eata_ledger.rules.commit import recipients
from eata_ledger.seal.aead import Context, seal
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.schedule import final_key, leaf_key
from eata_ledger.seal.stanza import Keys, keys, wrap

from eata_clients.authoring.content import Counterfoil, Remarks, Stamp, sealable
from eata_clients.authoring.content import remarks as blank_remarks
from eata_clients.authoring.entries import make


@dataclass(frozen=True)
class Desk:
    """A signed-in officer's desk: its key and its certificate."""

    key: SigningKey
    office: str
    certificate: bytes


def sign_in(
    ledger: bytes, authority: SigningKey, office: str, role: Role, now: int, officer: bytes | None = None
) -> Desk:
    """A new desk key, certified for 12 hours around `now` (ms UTC)."""
    key = SigningKey(os.urandom(32))
    start = now - 60_000
    certificate = DeskCertificate(
        ledger, authority.id, os.urandom(16), officer or os.urandom(16), role, office, key.public, start,
        start + LONGEST,
    )  # fmt: skip
    return Desk(key, office, certificate.signed_by(authority))


@dataclass(frozen=True)
class Presented:
    """A voucher as opened at the desk."""

    carnet_id: int
    slot: int
    kind: Kind
    territory: str
    home: str
    declaration: bytes
    items: Items
    not_returned: Items
    voucher: CodeKeys
    packet: Keys

    @property
    def leaf(self) -> bytes:
        """L_s, from J_s where the packet brought that."""
        if self.packet.journal is not None:
            return leaf_key(self.packet.journal)
        assert self.packet.leaf is not None, "a packet holds J_s or L_s"
        return self.packet.leaf


@dataclass(frozen=True)
class Decision:
    """What the officer decides at steps 3 and 4 (ACC-23 to ACC-25)."""

    items: Items
    not_returned: Items = Items()
    processed: Items = Items()
    final_day: int | None = None
    acknowledged: tuple[Warning, ...] = ()
    remarks: Remarks = field(default_factory=blank_remarks)
    kind: Kind | None = None
    flags: Flag = Flag.NONE


Recipient = tuple[bytes, bytes]


def commit(
    ledger: bytes, desk: Desk, presented: Presented, decision: Decision, live: dict[str, Recipient],
    issuer: Recipient | None, stamp: Stamp, controller: Desk | None = None, request_id: bytes | None = None,
) -> Entry:  # fmt: skip
    """`live` maps territory to its (key id, public key); `issuer` is the issuer's, for a validation."""
    kind, slot = decision.kind or presented.kind, presented.slot
    extra = os.urandom(32)

    def place(label: Label) -> Context:
        return Context(ledger, presented.carnet_id, label, slot)

    counterfoil = Counterfoil(
        kind, desk.office, decision.items, decision.not_returned, decision.processed, stamp.time, stamp.offset,
        decision.final_day,
    ).to_bytes()  # fmt: skip
    parts = [
        Part(Label.COUNTERFOIL, slot, seal(presented.leaf, place(Label.COUNTERFOIL), counterfoil)),
        Part(Label.REMARKS, slot, seal(extra, place(Label.REMARKS), sealable(decision.remarks))),
    ]
    if kind is Kind.REIMPORTATION and presented.packet.content is not None:
        final = seal(final_key(presented.packet.content), place(Label.FINAL), counterfoil)
        parts.append(Part(Label.FINAL, slot, final))
    for recipient, public, secret in _stanzas(presented, kind, extra, live, issuer):
        sealed = wrap(public, place(Label.STANZA), recipient, desk.key.id, secret)
        parts.append(Part(Label.STANZA, slot, sealed, recipient))
    body = Commit(
        presented.carnet_id, slot, presented.voucher.sign.public, kind, presented.declaration, desk.certificate,
        None if controller is None else controller.certificate, desk.office, decision.items, decision.not_returned,
        decision.processed, decision.final_day, decision.acknowledged, decision.flags,
    )  # fmt: skip
    signers = (desk.key, presented.voucher.sign, *(() if controller is None else (controller.key,)))
    return make(ledger, body, stamp, signers, tuple(parts), request_id)


def _stanzas(
    presented: Presented, kind: Kind, extra: bytes, live: dict[str, Recipient], issuer: Recipient | None
) -> list[tuple[bytes, bytes, Keys]]:
    content, journal, leaf = presented.packet.content, presented.packet.journal, presented.leaf
    arrival = kind in ARRIVALS
    stanzas = []
    for code in recipients(presented.territory, presented.home):
        if code not in live:
            continue
        own = code == presented.territory
        secret = (
            keys(content=content, journal=journal, extra=extra)
            if own and arrival
            else keys(content=content, leaf=leaf, extra=extra)
        )
        stanzas.append((*live[code], secret))
    if kind is Kind.VALIDATION and issuer is not None:
        stanzas.append((*issuer, keys(leaf=leaf)))
    return stanzas
