"""What an issuer does: pools, issue, and everything that happens to a carnet after it (domain §2.1)."""

from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import CarnetType, OrderType, SetKind
from eata_ledger.encoding import Malformed, Value
from eata_ledger.log.bodies.base import Body, EntryType
from eata_ledger.record import BOOL, CODE, DAY, KEY, U16, U64, Codec, array, enum, f, integer, table


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
class Amend(Body):
    """A new version of a carnet not yet transacted (N-02); the holder's signature is void."""

    TYPE = EntryType.AMEND
    carnet_id: int = f(U64)
    box_p: tuple[str, ...] = f(array(CODE, 200))
    valid_until: int = f(DAY)
    items: int = f(integer(1, 10_000))
    content: int = f(U16)


@dataclass(frozen=True)
class AddSets(Body):
    """More voucher sets (CORE-05, U7)."""

    TYPE = EntryType.ADD_SETS
    carnet_id: int = f(U64)
    sets: dict[SetKind, int] = f(table(enum(SetKind), U16, 5))


@dataclass(frozen=True)
class Block(Body):
    """No new transaction, except returns that a controller countersigns."""

    TYPE = EntryType.BLOCK
    carnet_id: int = f(U64)


@dataclass(frozen=True)
class Unblock(Body):
    """Takes a block back."""

    TYPE = EntryType.UNBLOCK
    carnet_id: int = f(U64)


@dataclass(frozen=True)
class CancelCarnet(Body):
    """Withdraws a carnet that was never used."""

    TYPE = EntryType.CANCEL_CARNET
    carnet_id: int = f(U64)


@dataclass(frozen=True)
class Discharge(Body):
    """ACTIVATED → TERMINATED; the facts count unused vouchers, and any of them block the carnet (NICS-05)."""

    TYPE = EntryType.DISCHARGE
    carnet_id: int = f(U64)
