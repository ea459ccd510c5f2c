"""What every fact is: a record of one family."""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from eata_ledger.record import DAY, HASH, U16, U64, Record, array, f


class Family(IntEnum):
    """Frozen numbers; they stand in the effects hash of every leaf."""

    CHAIN = 1
    KEY = 2
    ORGANISATION = 3
    ADMINISTRATION = 4
    TERRITORY = 5
    OFFICE = 6
    TERRITORY_KEY = 7
    POOL = 8
    CARNET = 9
    CARNET_STATE = 10
    NUMBER = 11
    DEVICE = 12
    TRAVEL = 13
    VOUCHER = 14
    VOUCHER_KEY = 15
    TRANSACTION = 16
    OUTCOME = 17
    HOLD = 18
    INCIDENT = 19
    LINK = 20
    NOTICE = 21
    NOTICE_OF_VOUCHER = 22
    REGION = 23
    OFFICE_DETAILS = 24
    VERSIONS = 25
    ANNOUNCED = 26
    PUBLICATION = 27
    ACCEPTANCE = 28
    VOUCHER_SETS = 29
    SAID = 30
    HOLDER = 31
    PIN_WRAPPED = 32
    REPAIRED = 33
    SHREDDED = 34
    ATTACHED = 35
    GRANT = 36
    CHARTER = 37
    RULES = 38
    PROVISIONAL = 39
    NUMBER_PREFIX = 40
    STAY = 41
    SPENT = 42
    REGISTRY = 43
    REGISTERED = 44


@dataclass(frozen=True)
class Fact(Record):
    """A record of one family."""

    FAMILY: ClassVar[Family]
    STEADY: ClassVar[bool] = False  # read far more often than written: decoded once for many entries


@dataclass(frozen=True)
class Chain(Fact):
    """The ledger's own counters; `as_of` is the day of the last tick."""

    FAMILY = Family.CHAIN
    next_id: int = f(U64)
    as_of: int = f(DAY)


@dataclass(frozen=True)
class Versions(Fact):
    """Effective days, ascending, of a record's later versions; by family and code."""

    FAMILY = Family.VERSIONS
    days: tuple[int, ...] = f(array(DAY, 64))


@dataclass(frozen=True)
class Logged(Fact):
    """The first outcome of (author, request id), for ever (P7)."""

    FAMILY = Family.OUTCOME
    index: int = f(U64)
    entry_hash: bytes = f(HASH)
    outcome: int = f(U16)
