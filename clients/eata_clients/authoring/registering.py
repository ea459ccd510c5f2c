"""Registry entries: who exists and which keys they hold."""

import os
from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import Label, OrganisationKind
from eata_ledger.log import bodies
from eata_ledger.log.entry import Entry, Part
from eata_ledger.log.keys import Algorithm, SigningKey, key_id
from eata_ledger.seal.aead import Context
from eata_ledger.seal.stanza import SealingKey, keys, wrap

from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.zones import offsets_of


@dataclass(frozen=True)
class Party:
    """An organisation's or administration's own keys."""

    code: str
    sign: SigningKey
    seal: SealingKey

    @classmethod
    def new(cls, code: str) -> "Party":
        return cls(code, SigningKey(os.urandom(32)), SealingKey(os.urandom(32)))

    @property
    def seal_id(self) -> bytes:
        return key_id(self.seal.public, Algorithm.XWING)


@dataclass(frozen=True)
class Field:
    """What an issuer issues: carnets of these homes, under numbers with these prefixes. An auditor has none."""

    homes: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


def organisation(
    ledger: bytes, operations: SigningKey, party: Party, kind: OrganisationKind, field: Field, day: int, stamp: Stamp
) -> Entry:
    """A new one, or a later version of one: other keys, homes or prefixes."""
    body = bodies.RegisterOrganisation(
        party.code, kind, party.sign.public, party.seal.public, field.homes, field.prefixes, day
    )
    return make(ledger, body, stamp, (operations,))


def administration(ledger: bytes, operations: SigningKey, party: Party, day: int, stamp: Stamp) -> Entry:
    body = bodies.RegisterAdministration(party.code, party.sign.public, party.seal.public, day)
    return make(ledger, body, stamp, (operations,))


def territory(
    ledger: bytes, operations: SigningKey, code: str, members: tuple[str, ...], digital_from: int | None,
    two_step: bool, day: int, stamp: Stamp,
) -> Entry:  # fmt: skip
    return make(ledger, bodies.RegisterTerritory(code, members, digital_from, two_step, day), stamp, (operations,))


def office(
    ledger: bytes, party: Party, code: str, territory: str, name: str, zone: str, day: int,
    stamp: Stamp, active: bool = True,
) -> Entry:  # fmt: skip
    """A new office, or a later version of one: renamed, closed, opened again. Raises `Malformed` for an unknown zone."""
    body = bodies.RegisterOffice(code, party.code, territory, name, zone, offsets_of(zone, stamp.time), active, day)
    return make(ledger, body, stamp, (party.sign,))


def region(
    ledger: bytes, party: Party, code: str, territory: str, name: str, day: int, stamp: Stamp, active: bool = True
) -> Entry:
    body = bodies.RegisterRegion(code, party.code, territory, name, active, day)
    return make(ledger, body, stamp, (party.sign,))


def by_party(ledger: bytes, party: Party, body: bodies.Body, stamp: Stamp, *others: SigningKey) -> Entry:
    """Any further registration an administration signs itself; `others` are keys that have to sign it too."""
    return make(ledger, body, stamp, (party.sign, *others))


def by_operations(ledger: bytes, operations: SigningKey, body: bodies.Body, stamp: Stamp) -> Entry:
    """Readiness, publications, acceptance, voucher sets: what ICC operations sign."""
    return make(ledger, body, stamp, (operations,))


def desk_authority(ledger: bytes, party: Party, authority: SigningKey, day: int, stamp: Stamp) -> Entry:
    return by_party(ledger, party, bodies.RegisterDeskCA(party.code, authority.public, day), stamp, authority)


def territory_key_context(ledger: bytes, generation: int) -> Context:
    """What the wrapped seed of a territory key generation is bound to."""
    return Context(ledger, 0, Label.STANZA, generation, "territory-key")


def territory_key(
    ledger: bytes, party: Party, territory: str, generation: int, key: SealingKey, members: list[tuple[bytes, bytes]],
    validity: tuple[int, int], stamp: Stamp,
) -> Entry:  # fmt: skip
    """`members` are (seal key id, seal public key) of the territory's administrations."""
    body = bodies.RegisterTerritoryKey(territory, party.code, generation, key.public, *validity)
    context = territory_key_context(ledger, generation)
    parts = tuple(
        Part(Label.STANZA, generation, wrap(public, context, recipient, party.sign.id, keys(extra=key.seed)), recipient)
        for recipient, public in members
    )
    return make(ledger, body, stamp, (party.sign,), parts)
