"""The body of each entry type. Type numbers are frozen; those below `RESERVED` belong to later rules."""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from eata_ledger.carnet.items import ITEMS, Items
from eata_ledger.carnet.vocabulary import (
    CarnetType,
    Flag,
    Kind,
    OrderType,
    OrganisationKind,
    Role,
    SetKind,
    Warning,
)
from eata_ledger.encoding import Malformed, Value
from eata_ledger.record import (
    BOOL,
    CODE,
    DAY,
    HASH,
    KEY,
    OFFSET,
    RANDOM16,
    U16,
    U64,
    Codec,
    Record,
    array,
    blob,
    enum,
    f,
    integer,
    nested,
    optional,
    table,
    text,
)


class EntryType(IntEnum):
    """Frozen numbers."""

    REGISTER_ORGANISATION = 1
    REGISTER_ADMINISTRATION = 2
    REGISTER_TERRITORY = 3
    REGISTER_REGION = 4
    REGISTER_OFFICE = 5
    REGISTER_NODE = 6
    REGISTER_DESK_CA = 7
    REGISTER_TERRITORY_KEY = 8
    RESERVE_IDS = 10
    ISSUE = 11
    ENROL_DEVICE = 12
    SIGN = 13
    TRAVEL = 14
    EDIT_TRAVEL = 15
    DELETE_TRAVEL = 16
    COMMIT = 20
    REJECT = 21
    HOLD = 22
    RELEASE = 23
    CANCEL = 24
    TICK = 30
    AMEND = 40
    ADD_SETS = 41
    BLOCK = 42
    UNBLOCK = 43
    CANCEL_CARNET = 44
    DISCHARGE = 45
    REPLACE = 46
    REVOKE_KEY = 50
    REVOKE_DEVICE = 51
    ROTATE_PIN = 52
    ADD_STANZA = 53
    SHRED = 54
    STORAGE_RECEIPT = 55
    ACTIVATE_RULES = 60
    OPEN_ERA = 61
    ROTATE_ROOT = 62
    BULK = 63


@dataclass(frozen=True)
class Body(Record):
    """What an entry says beyond the common header."""

    TYPE: ClassVar[EntryType]


SEALING_KEY = blob(1216)
_CERTIFICATE = blob(1, 1024)


@dataclass(frozen=True)
class RegisterOrganisation(Body):
    """An issuer or auditor, by ICC operations."""

    TYPE = EntryType.REGISTER_ORGANISATION
    code: str = f(CODE)
    kind: OrganisationKind = f(enum(OrganisationKind))
    sign_key: bytes = f(KEY)
    seal_key: bytes = f(SEALING_KEY)
    effective: int = f(DAY)


@dataclass(frozen=True)
class RegisterAdministration(Body):
    """A customs administration, by ICC operations."""

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
    """An office, by its administration: territory, public name, permitted clock offsets in minutes."""

    TYPE = EntryType.REGISTER_OFFICE
    code: str = f(CODE)
    administration: str = f(CODE)
    territory: str = f(CODE)
    name: str = f(text(120))
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
    """A territory key generation; the entry's stanzas wrap its seed to each member administration."""

    TYPE = EntryType.REGISTER_TERRITORY_KEY
    territory: str = f(CODE)
    administration: str = f(CODE)
    generation: int = f(U16)
    key: bytes = f(SEALING_KEY)
    valid_from: int = f(U64)
    valid_to: int = f(U64)


@dataclass(frozen=True)
class ReserveIds(Body):
    """A pool of carnet IDs for an issuer; the outcome carries [first, last]."""

    TYPE = EntryType.RESERVE_IDS
    count: int = f(integer(1, 10_000))


def _link(value: Value) -> tuple[int, int]:
    match value:
        case [relation, carnet_id]:
            return int(enum(OrderType).load(relation)), int(U64.load(carnet_id))
        case _:
            raise Malformed("a link is [relation, carnet ID]")


def _carnet_number(value: Value) -> str:
    """ISO country prefix, then letters and digits (OBJ-05); ASCII, so that no two look alike."""
    if type(value) is not str or not 4 <= len(value) <= 24 or not value.isascii() or not value.isalnum():
        raise Malformed("a carnet number is 4 to 24 ASCII letters and digits")
    if not value[:2].isalpha() or value != value.upper():
        raise Malformed("a carnet number begins with a country code, upper case")
    return value


NUMBER = Codec(lambda value: value, _carnet_number)


@dataclass(frozen=True)
class Issue(Body):
    """A carnet; who, what and worth are in its sealed part. Days are since 1970-01-01."""

    TYPE = EntryType.ISSUE
    carnet_id: int = f(U64)
    pool: int = f(U64)
    number: str = f(NUMBER)
    type: CarnetType = f(enum(CarnetType))
    order: OrderType = f(enum(OrderType))
    links: tuple[tuple[int, int], ...] = f(array(Codec(list, _link), 4))
    home: str = f(CODE)
    box_p: tuple[str, ...] = f(array(CODE, 200))
    valid_until: int = f(DAY)
    items: int = f(integer(1, 10_000))
    sets: dict[SetKind, int] = f(table(enum(SetKind), U16, 5))
    test: bool = f(BOOL)
    pin_key: bytes = f(KEY)
    content: int = f(U16)


@dataclass(frozen=True)
class EnrolDevice(Body):
    """A holder's device, by the PIN key and its own."""

    TYPE = EntryType.ENROL_DEVICE
    carnet_id: int = f(U64)
    device_key: bytes = f(KEY)
    role: Role = f(enum(Role))
    scope: tuple[int, ...] = f(array(U16, 64))


@dataclass(frozen=True)
class Sign(Body):
    """The holder's signature of the carnet (N-03); the part is the PIN stanza with the holder root."""

    TYPE = EntryType.SIGN
    carnet_id: int = f(U64)
    content: int = f(U16)
    terms: bytes = f(HASH)


@dataclass(frozen=True)
class Declaration(Record):
    """One voucher of a travel, in clear what nodes must judge."""

    slot: int = f(integer(1, 1024))
    content: int = f(U16)
    kind: Kind = f(enum(Kind))
    territory: str = f(CODE)
    items: Items = f(ITEMS)
    not_returned: Items = f(ITEMS)
    voucher_key: bytes = f(KEY)
    cancel_key: bytes = f(KEY)
    verify_key: bytes = f(KEY)


_DECLARATIONS = array(nested(Declaration), 32)


@dataclass(frozen=True)
class Travel(Body):
    """A prepared travel: the carnet's next slots, exactly and in order."""

    TYPE = EntryType.TRAVEL
    carnet_id: int = f(U64)
    travel_id: bytes = f(RANDOM16)
    declarations: tuple[Declaration, ...] = f(_DECLARATIONS)


@dataclass(frozen=True)
class EditTravel(Body):
    """The same slots and codes with other contents, while none is transacted."""

    TYPE = EntryType.EDIT_TRAVEL
    carnet_id: int = f(U64)
    travel_id: bytes = f(RANDOM16)
    declarations: tuple[Declaration, ...] = f(_DECLARATIONS)


@dataclass(frozen=True)
class DeleteTravel(Body):
    """Gives the sets back; the slots are burnt."""

    TYPE = EntryType.DELETE_TRAVEL
    carnet_id: int = f(U64)
    travel_id: bytes = f(RANDOM16)


def _flags(value: Value) -> Flag:
    if type(value) is not int or value not in (0, int(Flag.PAPER_PRESENTED)):
        raise Malformed("an officer may set only PAPER_PRESENTED")
    return Flag(value)


@dataclass(frozen=True)
class Commit(Body):
    """An officer's commit of a voucher; remarks, reference, marks and reasons are sealed."""

    TYPE = EntryType.COMMIT
    carnet_id: int = f(U64)
    slot: int = f(integer(1, 1024))
    voucher_key: bytes = f(KEY)
    kind: Kind = f(enum(Kind))
    declaration: bytes = f(HASH)
    certificate: bytes = f(_CERTIFICATE)
    controller: bytes | None = f(optional(_CERTIFICATE))
    office: str = f(CODE)
    items: Items = f(ITEMS)
    not_returned: Items = f(ITEMS)
    processed: Items = f(ITEMS)
    final_day: int | None = f(optional(DAY))
    acknowledged: tuple[Warning, ...] = f(array(enum(Warning), 16))
    flags: Flag = f(Codec(int, _flags))


@dataclass(frozen=True)
class Tick(Body):
    """The daily tick: `day` becomes the date of every as-of list (domain §2.7)."""

    TYPE = EntryType.TICK
    day: int = f(DAY)


BODIES: dict[int, type[Body]] = {
    int(body.TYPE): body
    for body in (
        RegisterOrganisation, RegisterAdministration, RegisterTerritory, RegisterOffice, RegisterDeskCA,
        RegisterTerritoryKey, ReserveIds, Issue, EnrolDevice, Sign, Travel, EditTravel, DeleteTravel, Commit,
        Tick,
    )
}  # fmt: skip
