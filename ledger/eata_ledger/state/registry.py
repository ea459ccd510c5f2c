"""Who exists: facts of registered parties, places and keys."""

from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import OrganisationKind, Purpose, ReadinessStage
from eata_ledger.log import bodies
from eata_ledger.log.bodies import SEALING_KEY
from eata_ledger.record import (
    BOOL,
    CODE,
    DAY,
    HASH,
    KEY,
    KEY_ID,
    OFFSET,
    U16,
    U32,
    U64,
    Record,
    array,
    enum,
    f,
    nested,
    optional,
    text,
)
from eata_ledger.state.base import Fact, Family

MOST_KEYS = 16  # that an organisation or administration has had, one after another


@dataclass(frozen=True)
class KeyFact(Fact):
    """Whose key a key id is; `owner` is a code of the family that `purpose` implies."""

    FAMILY = Family.KEY
    STEADY = True
    raw: bytes = f(KEY)
    purpose: Purpose = f(enum(Purpose))
    owner_family: Family = f(enum(Family))
    owner: str = f(CODE)
    since: int = f(U64)
    revoked: int | None = f(optional(U64))


@dataclass(frozen=True)
class Organisation(Fact):
    """An issuer or auditor."""

    FAMILY = Family.ORGANISATION
    STEADY = True
    code: str = f(CODE)
    kind: OrganisationKind = f(enum(OrganisationKind))
    sign_key: bytes = f(KEY)
    seal_id: bytes = f(KEY_ID)
    earlier: tuple[bytes, ...] = f(array(KEY_ID, MOST_KEYS))
    homes: tuple[str, ...] = f(array(CODE, 64))
    prefixes: tuple[str, ...] = f(array(CODE, 64))

    @property
    def seal_ids(self) -> frozenset[bytes]:
        """Of today's sealing key and those before it: what was sealed to them stays theirs."""
        return frozenset({self.seal_id, *self.earlier})


@dataclass(frozen=True)
class NumberPrefix(Fact):
    """Whose carnet numbers begin so, by the prefix; one that is not `whole` is only the beginning of another.

    `owner` is None where prefixes of several issuers begin so.
    """

    FAMILY = Family.NUMBER_PREFIX
    owner: str | None = f(optional(CODE))
    whole: bool = f(BOOL)


@dataclass(frozen=True)
class Administration(Fact):
    """A customs administration."""

    FAMILY = Family.ADMINISTRATION
    STEADY = True
    code: str = f(CODE)
    sign_key: bytes = f(KEY)
    seal_id: bytes = f(KEY_ID)
    keys: int = f(U16)


@dataclass(frozen=True)
class LiveKey(Record):
    """A territory key generation by id, with its validity (ms UTC) and the administration that registered it."""

    id: bytes = f(KEY_ID)
    valid_from: int = f(U64)
    valid_to: int = f(U64)
    by: str = f(CODE)

    def open_at(self, at: int) -> bool:
        """May be sealed to at `at` (ms UTC)."""
        return self.valid_from <= at <= self.valid_to


@dataclass(frozen=True)
class Territory(Fact):
    """A customs territory; None for `digital_from` is a paper territory."""

    FAMILY = Family.TERRITORY
    STEADY = True
    code: str = f(CODE)
    administrations: tuple[str, ...] = f(array(CODE, 64))
    digital_from: int | None = f(optional(DAY))
    two_step_export: bool = f(BOOL)
    generation: int = f(U16)
    keys: tuple[LiveKey, ...] = f(array(nested(LiveKey), 384))


@dataclass(frozen=True)
class TerritoryKey(Fact):
    """A territory key generation's public key."""

    FAMILY = Family.TERRITORY_KEY
    territory: str = f(CODE)
    generation: int = f(U16)
    key: bytes = f(SEALING_KEY)
    valid_from: int = f(U64)
    valid_to: int = f(U64)
    entry: int = f(U64)
    revoked: int | None = f(optional(U64))


@dataclass(frozen=True)
class Office(Fact):
    """A customs office."""

    FAMILY = Family.OFFICE
    STEADY = True
    code: str = f(CODE)
    administration: str = f(CODE)
    territory: str = f(CODE)
    name: str = f(text(120))
    offsets: tuple[int, ...] = f(array(OFFSET, 8))
    active: bool = f(BOOL)
    effective: int = f(DAY)

    def open_on(self, day: int) -> bool:
        """Active, and in force on this local day."""
        return self.active and day >= self.effective


@dataclass(frozen=True)
class Region(Fact):
    """A customs region of one territory."""

    FAMILY = Family.REGION
    code: str = f(CODE)
    administration: str = f(CODE)
    territory: str = f(CODE)
    name: str = f(text(120))
    active: bool = f(BOOL)
    effective: int = f(DAY)


@dataclass(frozen=True)
class OfficeDetails(Fact):
    """An office's region; the rest of its description is in the entry."""

    FAMILY = Family.OFFICE_DETAILS
    region: str = f(CODE)
    entry: int = f(U64)


@dataclass(frozen=True)
class Announced(Fact):
    """The last digital date announced for a territory, and how firm it is."""

    FAMILY = Family.ANNOUNCED
    stage: ReadinessStage = f(enum(ReadinessStage))
    digital_from: int = f(DAY)


@dataclass(frozen=True)
class Publication(Fact):
    """The entry that carries the newest text of a topic's key."""

    FAMILY = Family.PUBLICATION
    entry: int = f(U64)


@dataclass(frozen=True)
class Accepted(Fact):
    """What a territory accepts; the record is in the entry."""

    FAMILY = Family.ACCEPTANCE
    body: bodies.Acceptance = f(nested(bodies.Acceptance))


@dataclass(frozen=True)
class PassOnProvisional(Fact):
    """What an administration lets pass before a commit is final, by its code."""

    FAMILY = Family.PROVISIONAL
    body: bodies.Provisional = f(nested(bodies.Provisional))


@dataclass(frozen=True)
class SetsOfType(Fact):
    """The voucher sets of a carnet type and home."""

    FAMILY = Family.VOUCHER_SETS
    body: bodies.VoucherSets = f(nested(bodies.VoucherSets))


@dataclass(frozen=True)
class RegistryHead(Fact):
    """How many entries the registry has, and the chain of their hashes (`rules/registered.py`)."""

    FAMILY = Family.REGISTRY
    count: int = f(U64)
    head: bytes = f(HASH)


@dataclass(frozen=True)
class RegisteredBy(Fact):
    """What an administration has registered in a year (of 365 days, from 1970), by (year, its code)."""

    FAMILY = Family.REGISTERED
    entries: int = f(U32)
    size: int = f(U64)
