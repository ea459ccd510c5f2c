"""What happens around a carnet: holds, incidents, links, pre-notifications.

Keys that are listed by territory begin with its code and a zero byte, so that no code is another's prefix.
"""

from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import NoticeKind, NoticeState
from eata_ledger.log.bodies import EntryType
from eata_ledger.record import CODE, OFFSET, RANDOM16, U16, U32, U64, array, enum, f, optional
from eata_ledger.state.base import Fact, Family


def of_territory(code: str) -> bytes:
    """The first part of a key that is listed by territory."""
    return code.encode() + b"\0"


@dataclass(frozen=True)
class HoldFact(Fact):
    """A carnet's hold in one territory, by (territory, carnet); `held` is the index of the entry that placed it."""

    FAMILY = Family.HOLD
    carnet_id: int = f(U64)
    office: str = f(CODE)
    officer: bytes = f(RANDOM16)
    since: int = f(U64)
    offset: int = f(OFFSET)
    held: int = f(U64)
    released: int | None = f(optional(U64))


@dataclass(frozen=True)
class Incident(Fact):
    """A reject, hold, release, cancellation or disagreement, by (carnet, index).

    `about` is the ledger index of the transaction it concerns, `slot` the voucher; 0 where there is none.
    """

    FAMILY = Family.INCIDENT
    index: int = f(U64)
    type: EntryType = f(enum(EntryType))
    territory: str = f(CODE)
    office: str | None = f(optional(CODE))
    officer: bytes | None = f(optional(RANDOM16))
    slot: int = f(U16)
    about: int | None = f(optional(U64))
    event_time: int = f(U64)
    offset: int = f(OFFSET)


@dataclass(frozen=True)
class Link(Fact):
    """Carnets linked by (carnet, relation, direction): “<” those that point here, “>” those pointed at (CORE-06)."""

    FAMILY = Family.LINK
    others: tuple[int, ...] = f(array(U64, 8))


@dataclass(frozen=True)
class Notice(Fact):
    """A pre-notification, by (territory, carnet, notice id): what a node sees on its way cannot be used first on another; `entry` carries its sealed details, `answer` the reply's."""

    FAMILY = Family.NOTICE
    notice_id: bytes = f(RANDOM16)
    carnet_id: int = f(U64)
    slot: int = f(U16)
    office: str = f(CODE)
    kind: NoticeKind = f(enum(NoticeKind))
    state: NoticeState = f(enum(NoticeState))
    sent: int = f(U64)
    entry: int = f(U64)
    answer: int | None = f(optional(U64))


@dataclass(frozen=True)
class Said(Fact):
    """How many notices, notes and requests a carnet's holder has written."""

    FAMILY = Family.SAID
    count: int = f(U16)


@dataclass(frozen=True)
class Spent(Fact):
    """What one author has written about a carnet, by (carnet, whose budget): entries, bytes."""

    FAMILY = Family.SPENT
    entries: int = f(U32)
    size: int = f(U64)


@dataclass(frozen=True)
class NoticeOfVoucher(Fact):
    """A voucher's newest pre-notification, by (carnet, slot)."""

    FAMILY = Family.NOTICE_OF_VOUCHER
    territory: str = f(CODE)
    notice_id: bytes = f(RANDOM16)
