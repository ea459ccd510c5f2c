"""A carnet: as issued, where it stands, its devices, travels, vouchers and transactions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from eata_ledger.carnet.goods.balances import Balances, Local
from eata_ledger.carnet.goods.items import ITEMS, Items
from eata_ledger.carnet.goods.openings import OPEN, Open, Openings
from eata_ledger.carnet.goods.sets import Counters, Sets
from eata_ledger.carnet.vocabulary import (
    CarnetType,
    Flag,
    Kind,
    OrderType,
    SetKind,
    Status,
    Validated,
    VoucherState,
    Warning,
)
from eata_ledger.log.declared import MOST_VOUCHERS
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


@dataclass(frozen=True)
class CarnetState(Fact):
    """Where a carnet stands now, whatever the number of territories it has met: those have a `Stay` each.

    `abroad` is admitted in some territory, `twice` in more than one; `last_met`: the newest of the stays.
    """

    FAMILY = Family.CARNET_STATE
    status: Status = f(enum(Status))
    signed: int | None = f(optional(U64))
    validated: Validated = f(enum(Validated))
    next_slot: int = f(U16)
    rows: int = f(U64)
    sets: Sets = f(table(enum(SetKind), nested(Counters), 5))
    home_out: Items = f(ITEMS)
    abroad: Items = f(ITEMS)
    twice: Items = f(ITEMS)
    last_met: str | None = f(optional(CODE))
    blocked: bool = f(BOOL)

    def local(self, stay: "Stay") -> Local:
        """What an officer of the stay's territory is warned by."""
        return Local(self.home_out, self.abroad, stay.admitted, stay.transit)


@dataclass(frozen=True)
class Stay(Fact):
    """A carnet's goods in one territory, by (carnet, territory); `met_before`: the territory it had met before this one.

    `arrivals` and `transits` keep the final day of each one still open.
    """

    FAMILY = Family.STAY
    territory: str = f(CODE)
    admitted: Items = f(ITEMS)
    transit: Items = f(ITEMS)
    arrivals: Open = f(OPEN)
    transits: Open = f(OPEN)
    met_before: str | None = f(optional(CODE))

    @classmethod
    def blank(cls, territory: str, met_before: str | None = None) -> Self:
        return cls(territory, Items(), Items(), (), (), met_before)

    def open(self, kind: Kind) -> Open:
        """What a transaction of this kind is measured by: open transits for a transit's close, else open arrivals."""
        return self.transits if kind is Kind.TRANSIT_CLOSE else self.arrivals


@dataclass(frozen=True)
class GoodsOut:
    """Where a carnet's goods are, as far as a reader is shown its stays."""

    home_out: Items
    stays: dict[str, Stay]

    @classmethod
    def of(cls, state: CarnetState, stays: Iterable[Stay]) -> Self:
        return cls(state.home_out, {stay.territory: stay for stay in stays})

    @property
    def balances(self) -> Balances:
        return Balances(
            self.home_out, {code: stay.admitted for code, stay in self.stays.items() if stay.admitted},
            {code: stay.transit for code, stay in self.stays.items() if stay.transit},
        )  # fmt: skip

    @property
    def arrivals(self) -> Openings:
        return {code: stay.arrivals for code, stay in self.stays.items() if stay.arrivals}

    @property
    def transits(self) -> Openings:
        return {code: stay.transits for code, stay in self.stays.items() if stay.transits}


@dataclass(frozen=True)
class Number(Fact):
    """Carnet number to carnet ID."""

    FAMILY = Family.NUMBER
    carnet_id: int = f(U64)


@dataclass(frozen=True)
class TravelFact(Fact):
    """A prepared travel's slots, in order."""

    FAMILY = Family.TRAVEL
    travel_id: bytes = f(RANDOM16)
    slots: tuple[int, ...] = f(array(U16, MOST_VOUCHERS))
    deleted: bool = f(BOOL)


@dataclass(frozen=True)
class Voucher(Fact):
    """A voucher; `entry` is the index of the entry that carries its sealed parts, `since` that entry's log time (ms UTC).

    `root`, `cancel_root`: the numbers of the holder roots that its codes come from.
    """

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
    root: int = f(U16)
    cancel_root: int = f(U16)
    entry: int = f(U64)
    since: int = f(U64)
    pre_exported: int | None = f(optional(U64))
    committed: int | None = f(optional(U64))


@dataclass(frozen=True)
class VoucherKey(Fact):
    """A voucher's slot, by (carnet, public key)."""

    FAMILY = Family.VOUCHER_KEY
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
