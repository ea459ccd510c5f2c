"""What is sealed: who, what, worth, how carried, remarks. Nodes never see these records."""

from dataclasses import dataclass, field, replace
from typing import Any

from eata_host.words import written
from eata_ledger.carnet.goods.items import ITEMS, Items
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.encoding import Malformed, Value
from eata_ledger.record import (
    BOOL,
    CODE,
    DAY,
    OFFSET,
    U32,
    U64,
    Codec,
    Record,
    array,
    enum,
    f,
    integer,
    nested,
    optional,
    table,
)

from eata_clients.money import show_amount

MOST_CHARACTERS = 4_000  # characters of one sealed text


def _line(value: Value) -> str:
    if type(value) is not str or len(value) > MOST_CHARACTERS:
        raise Malformed(f"expected text of at most {MOST_CHARACTERS:,} characters")
    return value


def sealable(record: Record) -> bytes:
    """The record's bytes, once its own readers would take them. Raises `Malformed`: nothing unreadable or unseen is sealed."""
    data = record.to_bytes()
    type(record).from_bytes(data)
    return data


# What is made is clean and composed; what others have made is read as it is, and made harmless where it is shown.
LINE = Codec(written, _line)
TEXT = Codec(lambda value: written(value, lines=True), _line)


@dataclass(frozen=True)
class Goods(Record):
    """A line of the general list; `value` in the currency's minor unit."""

    item: int = f(U32)
    description: str = f(LINE)
    pieces: int = f(U32)
    origin: str = f(LINE)
    value: int = f(integer(0, 2**53))
    weight: str = f(LINE)


@dataclass(frozen=True)
class CarnetContent(Record):
    """Boxes A to C and the general list; `decimals` of the currency as they were when it was issued."""

    holder: str = f(LINE)
    representatives: tuple[str, ...] = f(array(LINE, 50))
    intended_use: str = f(LINE)
    currency: str = f(CODE)
    decimals: int = f(integer(0, 4))
    itinerary: tuple[str, ...] = f(array(CODE, 200))
    goods: tuple[Goods, ...] = f(array(nested(Goods), 10_000))

    @property
    def total(self) -> int:
        """In the currency's minor unit."""
        return sum(line.value for line in self.goods)

    def amount(self, minor: int) -> str:
        """For a person, without the currency."""
        return show_amount(minor, self.decimals)

    @property
    def worth(self) -> str:
        """The total with its currency, for a person."""
        return f"{self.amount(self.total)} {self.currency}"


@dataclass(frozen=True)
class DeclarationContent(Record):
    """The private part of a declaration (APP-10); `nickname` is what the holder calls the travel."""

    departure: str = f(LINE)
    destination: str = f(LINE)
    transport: str = f(LINE)
    remarks: str = f(TEXT)
    packaging: str = f(LINE)
    nickname: str = f(LINE)


NO_DETAILS = DeclarationContent("", "", "", "", "", "")


@dataclass(frozen=True)
class Counterfoil(Record):
    """What stays with the carnet of a transaction (domain §3.1)."""

    kind: Kind = f(enum(Kind))
    office: str = f(LINE)
    items: Items = f(ITEMS)
    not_returned: Items = f(ITEMS)
    processed: Items = f(ITEMS)
    event_time: int = f(U64)
    offset: int = f(OFFSET)
    final_day: int | None = f(optional(DAY))


@dataclass(frozen=True)
class Remarks(Record):
    """What stays within the territory and home: step 4's sealed fields by kind (ACC-25, C-20), and the inspection.

    `examined` is a validation's, `seals` a transit opening's; `not_reexported` and `not_produced` are the actions
    taken on a re-exportation; `sample` the items drawn for inspection (U8), `item_marks` their marks by number.
    """

    reference: str = f(LINE)
    remarks: str = f(TEXT)
    marks: str = f(TEXT)
    reason: str = f(TEXT)
    examined: bool | None = f(optional(BOOL))
    seals: str = f(TEXT)
    not_reexported: str = f(TEXT)
    not_produced: str = f(TEXT)
    sample: Items = f(ITEMS)
    item_marks: dict[int, str] = f(table(U32, LINE, 10_000))


def remarks(reference: str = "", remarks: str = "", reason: str = "", **fields: Any) -> Remarks:
    """Remarks by name, the others blank."""
    blank = Remarks(reference, remarks, "", reason, None, "", "", "", Items(), {})
    return replace(blank, **fields)


@dataclass(frozen=True)
class NoticeDetails(Record):
    """A pre-notification's private part (APP-20); `eta` ms UTC, `code` the transaction code of a pre-declaration."""

    eta: int = f(U64)
    hand_carry: bool = f(BOOL)
    shipment: str = f(LINE)
    mode: str = f(LINE)
    identification: str = f(LINE)
    representative: str = f(LINE)
    representative_id: str = f(LINE)
    city: str = f(LINE)
    country: str = f(LINE)
    text: str = f(TEXT)
    code: str = f(LINE)


@dataclass(frozen=True)
class Stamp:
    """When and how an entry is made: event time (ms UTC), offset (minutes), life of the request (ms)."""

    time: int
    offset: int = 0
    life: int = field(default=600_000)
