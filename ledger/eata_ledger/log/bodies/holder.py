"""What a holder's device does: prepare, tell, ask."""

from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import AskKind, NoticeKind, SetKind
from eata_ledger.log.bodies.base import Body, EntryType
from eata_ledger.log.declared import SLOT
from eata_ledger.record import (
    CODE,
    RANDOM16,
    U16,
    U64,
    array,
    enum,
    f,
    table,
)


@dataclass(frozen=True)
class Travel(Body):
    """A prepared travel: the carnet's next slots, exactly and in order, each declared in its own part."""

    TYPE = EntryType.TRAVEL
    carnet_id: int = f(U64)
    travel_id: bytes = f(RANDOM16)


@dataclass(frozen=True)
class EditTravel(Body):
    """The same slots and codes with other contents, while none is transacted."""

    TYPE = EntryType.EDIT_TRAVEL
    carnet_id: int = f(U64)
    travel_id: bytes = f(RANDOM16)


@dataclass(frozen=True)
class DeleteTravel(Body):
    """Gives the sets back; the slots are burnt."""

    TYPE = EntryType.DELETE_TRAVEL
    carnet_id: int = f(U64)
    travel_id: bytes = f(RANDOM16)


@dataclass(frozen=True)
class Renew(Body):
    """New vouchers for old ones, in this order: after a cancellation, or to take back codes that were shared (APP-23, C-28)."""

    TYPE = EntryType.RENEW
    carnet_id: int = f(U64)
    slots: tuple[int, ...] = f(array(SLOT, 32))


@dataclass(frozen=True)
class Notify(Body):
    """A pre-notification to an office (APP-20); when, how and by whom is sealed."""

    TYPE = EntryType.NOTIFY
    carnet_id: int = f(U64)
    notice_id: bytes = f(RANDOM16)
    slot: int = f(SLOT)
    office: str = f(CODE)
    kind: NoticeKind = f(enum(NoticeKind))


@dataclass(frozen=True)
class Withdraw(Body):
    """Takes a pre-notification back that is not decided."""

    TYPE = EntryType.WITHDRAW
    carnet_id: int = f(U64)
    notice_id: bytes = f(RANDOM16)
    office: str = f(CODE)


@dataclass(frozen=True)
class Disagree(Body):
    """The holder's note on a committed transaction (U12); the note is sealed under its counterfoil's key."""

    TYPE = EntryType.DISAGREE
    carnet_id: int = f(U64)
    index: int = f(U64)


@dataclass(frozen=True)
class Ask(Body):
    """A request to the issuer: discharge, or more sets (APP-27)."""

    TYPE = EntryType.ASK
    carnet_id: int = f(U64)
    kind: AskKind = f(enum(AskKind))
    sets: dict[SetKind, int] = f(table(enum(SetKind), U16, 5))
