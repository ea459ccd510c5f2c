"""Who exists: registrations by ICC operations and by administrations, and the daily tick."""

import re
from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import CarnetType, OfficeType, OrganisationKind, ReadinessStage, SetKind, Topic
from eata_ledger.encoding import Malformed, Value
from eata_ledger.log.bodies.base import SEALING_KEY, Body, EntryType
from eata_ledger.record import (
    BOOL,
    CODE,
    DAY,
    KEY,
    KEY_ID,
    OFFSET,
    U16,
    U64,
    ZONE,
    Codec,
    array,
    enum,
    f,
    integer,
    optional,
    table,
    text,
)


def _prefix(value: Value) -> str:
    if type(value) is not str or re.fullmatch(r"[A-Z]{2}[A-Z0-9]{0,10}", value) is None:
        raise Malformed("a number prefix is a country code, then upper case letters and digits, 12 at most")
    return value


@dataclass(frozen=True)
class RegisterOrganisation(Body):
    """An issuer or auditor, by ICC operations; again with the same code: its later version, perhaps with other keys.

    An issuer issues carnets of its homes, under numbers that begin with one of its prefixes (OBJ-05).
    """

    TYPE = EntryType.REGISTER_ORGANISATION
    code: str = f(CODE)
    kind: OrganisationKind = f(enum(OrganisationKind))
    sign_key: bytes = f(KEY)
    seal_key: bytes = f(SEALING_KEY)
    homes: tuple[str, ...] = f(array(CODE, 64))
    prefixes: tuple[str, ...] = f(array(Codec(lambda value: value, _prefix), 64))
    effective: int = f(DAY)


@dataclass(frozen=True)
class RegisterAdministration(Body):
    """A customs administration, by ICC operations; again with the same code: with other keys."""

    TYPE = EntryType.REGISTER_ADMINISTRATION
    code: str = f(CODE)
    sign_key: bytes = f(KEY)
    seal_key: bytes = f(SEALING_KEY)
    effective: int = f(DAY)


@dataclass(frozen=True)
class RegisterTerritory(Body):
    """A customs territory: its administrations, its digital date (None: paper), the two-step EU export."""

    TYPE = EntryType.REGISTER_TERRITORY
    code: str = f(CODE)
    administrations: tuple[str, ...] = f(array(CODE, 64))
    digital_from: int | None = f(optional(DAY))
    two_step_export: bool = f(BOOL)
    effective: int = f(DAY)


@dataclass(frozen=True)
class RegisterOffice(Body):
    """An office, by its administration: territory, public name, IANA zone, the offsets (minutes) that its clocks may show."""

    TYPE = EntryType.REGISTER_OFFICE
    code: str = f(CODE)
    administration: str = f(CODE)
    territory: str = f(CODE)
    name: str = f(text(120))
    zone: str = f(ZONE)
    offsets: tuple[int, ...] = f(array(OFFSET, 8))
    active: bool = f(BOOL)
    effective: int = f(DAY)


@dataclass(frozen=True)
class RegisterDeskCA(Body):
    """The key that certifies desks, by its administration."""

    TYPE = EntryType.REGISTER_DESK_CA
    administration: str = f(CODE)
    key: bytes = f(KEY)
    effective: int = f(DAY)


@dataclass(frozen=True)
class RegisterTerritoryKey(Body):
    """A territory key generation, the one after the last; the entry's stanzas wrap its seed to each member administration."""

    TYPE = EntryType.REGISTER_TERRITORY_KEY
    territory: str = f(CODE)
    administration: str = f(CODE)
    generation: int = f(U16)
    key: bytes = f(SEALING_KEY)
    valid_from: int = f(U64)
    valid_to: int = f(U64)


@dataclass(frozen=True)
class RegisterRegion(Body):
    """A customs region, bound to one territory (OBJ-03); again with the same code: a later version."""

    TYPE = EntryType.REGISTER_REGION
    code: str = f(CODE)
    administration: str = f(CODE)
    territory: str = f(CODE)
    name: str = f(text(120))
    active: bool = f(BOOL)
    effective: int = f(DAY)


def _public_line(high: int, lines: bool = False) -> Codec:
    """Public text with no e-mail address: no person is named in clear."""
    inner = text(high, lines)

    def load(value: Value) -> str:
        line: str = inner.load(value)
        if "@" in line:
            raise Malformed("an e-mail address has no place in a public record")
        return line

    return Codec(inner.dump, load)


_MICRODEGREES = integer(-180_000_000, 180_000_000)


@dataclass(frozen=True)
class DescribeOffice(Body):
    """An office for the directory (ACC-61): region, address, telephone, hours, place in microdegrees, types."""

    TYPE = EntryType.DESCRIBE_OFFICE
    office: str = f(CODE)
    administration: str = f(CODE)
    region: str = f(CODE)
    address: str = f(_public_line(400, lines=True))
    contact: str | None = f(optional(_public_line(200)))
    hours: str | None = f(optional(_public_line(200, lines=True)))
    latitude: int | None = f(optional(_MICRODEGREES))
    longitude: int | None = f(optional(_MICRODEGREES))
    types: OfficeType = f(Codec(int, lambda value: OfficeType(integer(0, 15).load(value))))
    effective: int = f(DAY)


@dataclass(frozen=True)
class RevokeKey(Body):
    """A registered signing key, desk authority or territory key counts no more for what the log orders after this."""

    TYPE = EntryType.REVOKE_KEY
    key: bytes = f(KEY_ID)


@dataclass(frozen=True)
class Readiness(Body):
    """A territory's digital date, notified or confirmed with its notice (GTP-01, GTP-02)."""

    TYPE = EntryType.READINESS
    territory: str = f(CODE)
    stage: ReadinessStage = f(enum(ReadinessStage))
    digital_from: int = f(DAY)


@dataclass(frozen=True)
class Publish(Body):
    """News or a directory entry by ICC (ACC-72); the same key again replaces it, no text withdraws it."""

    TYPE = EntryType.PUBLISH
    topic: Topic = f(enum(Topic))
    key: str = f(CODE)
    title: str = f(_public_line(200))
    text: str | None = f(optional(_public_line(8_000, lines=True)))
    effective: int = f(DAY)


@dataclass(frozen=True)
class Acceptance(Body):
    """What a territory accepts (domain §3.4): intended uses, transit, split and postal consignments, replacement."""

    TYPE = EntryType.ACCEPTANCE
    territory: str = f(CODE)
    categories: tuple[str, ...] = f(array(text(60), 32))
    transit: bool = f(BOOL)
    split: bool = f(BOOL)
    postal: bool = f(BOOL)
    replacement: bool = f(BOOL)
    effective: int = f(DAY)


@dataclass(frozen=True)
class VoucherSets(Body):
    """Which voucher sets a carnet type has for one home (domain §3.1), each with its colour."""

    TYPE = EntryType.VOUCHER_SETS
    type: CarnetType = f(enum(CarnetType))
    home: str | None = f(optional(CODE))
    cover: str = f(text(24))
    colours: dict[SetKind, str] = f(table(enum(SetKind), text(24), 5))
    effective: int = f(DAY)


@dataclass(frozen=True)
class Provisional(Body):
    """Whether an administration lets goods pass on a commit that is ordered and not final yet."""

    TYPE = EntryType.PROVISIONAL
    administration: str = f(CODE)
    goods_pass: bool = f(BOOL)
    effective: int = f(DAY)


@dataclass(frozen=True)
class Tick(Body):
    """The daily tick: `day` becomes the date of every as-of list (domain §2.7)."""

    TYPE = EntryType.TICK
    day: int = f(DAY)
