"""A carnet: as issued, where it stands, its devices, travels, vouchers and transactions."""

from dataclasses import dataclass
from enum import IntEnum

from eata_ledger.carnet.balances import Balances
from eata_ledger.carnet.items import ITEMS, Items
from eata_ledger.carnet.openings import OPENINGS, Openings
from eata_ledger.carnet.sets import Counters, Sets
from eata_ledger.carnet.vocabulary import (
    CarnetType,
    Flag,
    Kind,
    OrderType,
    Role,
    SetKind,
    Status,
    VoucherState,
    Warning,
)
from eata_ledger.record import (
    BOOL,
    CODE,
    DAY,
    HASH,
    KEY,
    OFFSET,
    RANDOM16,
    U8,
    U16,
    U64,
    Codec,
    array,
    enum,
    f,
    nested,
    optional,
    table,
    text,
)
from eata_ledger.state.base import Fact, Family


@dataclass(frozen=True)
class Pool(Fact):
    """Reserved carnet IDs, by the first."""

    FAMILY = Family.POOL
    issuer: str = f(CODE)
    first: int = f(U64)
    last: int = f(U64)


@dataclass(frozen=True)
class Carnet(Fact):
    """A carnet as issued."""

    FAMILY = Family.CARNET
    STEADY = True
    carnet_id: int = f(U64)
    number: str = f(text(24))
    type: CarnetType = f(enum(CarnetType))
    order: OrderType = f(enum(OrderType))
    issuer: str = f(CODE)
    home: str = f(CODE)
    box_p: tuple[str, ...] = f(array(CODE, 200))
    valid_until: int = f(DAY)
    items: int = f(U16)
    test: bool = f(BOOL)
    pin_key: bytes = f(KEY)
    content: int = f(U16)
    issued: int = f(DAY)
    entry: int = f(U64)

    @property
    def all_items(self) -> Items:
        return Items.span(1, self.items)


class Validated(IntEnum):
    """How the carnet became usable abroad (C-12)."""

    NO = 0
    YES = 1
    AUTO = 2


_BALANCE = table(CODE, ITEMS, 200)


@dataclass(frozen=True)
class CarnetState(Fact):
    """Where a carnet stands now; `arrivals` and `transits` keep the final day of each one still open."""

    FAMILY = Family.CARNET_STATE
    status: Status = f(enum(Status))
    signed: int | None = f(optional(U64))
    validated: Validated = f(enum(Validated))
    next_slot: int = f(U16)
    rows: int = f(U64)
    sets: Sets = f(table(enum(SetKind), nested(Counters), 5))
    home_out: Items = f(ITEMS)
    admitted: dict[str, Items] = f(_BALANCE)
    transit: dict[str, Items] = f(_BALANCE)
    arrivals: Openings = f(OPENINGS)
    transits: Openings = f(OPENINGS)
    blocked: bool = f(BOOL)

    @property
    def balances(self) -> Balances:
        return Balances(self.home_out, self.admitted, self.transit)


@dataclass(frozen=True)
class Number(Fact):
    """Carnet number to carnet ID."""

    FAMILY = Family.NUMBER
    carnet_id: int = f(U64)


@dataclass(frozen=True)
class Device(Fact):
    """A holder's device of one carnet."""

    FAMILY = Family.DEVICE
    STEADY = True
    key: bytes = f(KEY)
    role: Role = f(enum(Role))
    scope: tuple[int, ...] = f(array(U16, 64))


@dataclass(frozen=True)
class RevokedDevice(Fact):
    """A device whose right was taken back, by (carnet, device key id)."""

    FAMILY = Family.REVOKED_DEVICE
    since: int = f(U64)


@dataclass(frozen=True)
class TravelFact(Fact):
    """A prepared travel's slots, in order."""

    FAMILY = Family.TRAVEL
    travel_id: bytes = f(RANDOM16)
    slots: tuple[int, ...] = f(array(U16, 32))
    deleted: bool = f(BOOL)


@dataclass(frozen=True)
class Voucher(Fact):
    """A voucher; `entry` is the index of the entry that carries its sealed parts."""

    FAMILY = Family.VOUCHER
    slot: int = f(U16)
    travel_id: bytes = f(RANDOM16)
    state: VoucherState = f(enum(VoucherState))
    content: int = f(U16)
    kind: Kind = f(enum(Kind))
    territory: str = f(CODE)
    items: Items = f(ITEMS)
    not_returned: Items = f(ITEMS)
    declaration: bytes = f(HASH)
    voucher_key: bytes = f(KEY)
    cancel_key: bytes = f(KEY)
    verify_key: bytes = f(KEY)
    entry: int = f(U64)
    pre_exported: int | None = f(optional(U64))
    committed: int | None = f(optional(U64))


@dataclass(frozen=True)
class VoucherKey(Fact):
    """Public key of a voucher to its place."""

    FAMILY = Family.VOUCHER_KEY
    carnet_id: int = f(U64)
    slot: int = f(U16)


@dataclass(frozen=True)
class Transaction(Fact):
    """A committed transaction, in log order within its carnet; times are ms UTC, `offset` minutes."""

    FAMILY = Family.TRANSACTION
    index: int = f(U64)
    kind: Kind = f(enum(Kind))
    slot: int = f(U16)
    territory: str = f(CODE)
    office: str = f(CODE)
    items: Items = f(ITEMS)
    not_returned: Items = f(ITEMS)
    processed: Items = f(ITEMS)
    event_time: int = f(U64)
    offset: int = f(OFFSET)
    log_time: int = f(U64)
    final_day: int | None = f(optional(DAY))
    warnings: tuple[Warning, ...] = f(array(enum(Warning), 16))
    flags: Flag = f(Codec(int, lambda v: Flag(U8.load(v))))
    cancelled: int | None = f(optional(U64))
