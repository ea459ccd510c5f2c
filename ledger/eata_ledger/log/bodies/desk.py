"""What an officer does."""

from dataclasses import dataclass

from eata_ledger.carnet.goods.items import ITEMS, Items
from eata_ledger.carnet.vocabulary import Flag, Kind, Warning
from eata_ledger.encoding import Malformed, Value
from eata_ledger.log.bodies.base import CERTIFICATE, Body, EntryType
from eata_ledger.log.declared import SLOT
from eata_ledger.record import BOOL, CODE, DAY, HASH, KEY, RANDOM16, U64, Codec, array, enum, f, optional


def _flags(value: Value) -> Flag:
    if type(value) is not int or value not in (0, int(Flag.PAPER_PRESENTED)):
        raise Malformed("an officer may set only PAPER_PRESENTED")
    return Flag(value)


@dataclass(frozen=True)
class Commit(Body):
    """An officer's commit of a voucher; remarks, reference, marks and reasons are sealed."""

    TYPE = EntryType.COMMIT
    carnet_id: int = f(U64)
    slot: int = f(SLOT)
    voucher_key: bytes = f(KEY)
    kind: Kind = f(enum(Kind))
    declaration: bytes = f(HASH)
    certificate: bytes = f(CERTIFICATE)
    controller: bytes | None = f(optional(CERTIFICATE))
    office: str = f(CODE)
    items: Items = f(ITEMS)
    not_returned: Items = f(ITEMS)
    processed: Items = f(ITEMS)
    final_day: int | None = f(optional(DAY))
    acknowledged: tuple[Warning, ...] = f(array(enum(Warning), 16))
    flags: Flag = f(Codec(int, _flags))


@dataclass(frozen=True)
class Reject(Body):
    """An officer turns a voucher down before commit (N-04); its code stays good."""

    TYPE = EntryType.REJECT
    carnet_id: int = f(U64)
    slot: int = f(SLOT)
    voucher_key: bytes = f(KEY)
    declaration: bytes = f(HASH)
    certificate: bytes = f(CERTIFICATE)
    office: str = f(CODE)


@dataclass(frozen=True)
class Hold(Body):
    """Stops the carnet in the office's territory (ACC-40)."""

    TYPE = EntryType.HOLD
    carnet_id: int = f(U64)
    certificate: bytes = f(CERTIFICATE)
    office: str = f(CODE)


@dataclass(frozen=True)
class Release(Body):
    """Ends a hold (ACC-42)."""

    TYPE = EntryType.RELEASE
    carnet_id: int = f(U64)
    certificate: bytes = f(CERTIFICATE)
    office: str = f(CODE)


@dataclass(frozen=True)
class Cancel(Body):
    """Undoes a transaction by its ledger index, with the holder's cancellation code (ACC-30)."""

    TYPE = EntryType.CANCEL
    carnet_id: int = f(U64)
    index: int = f(U64)
    cancel_key: bytes = f(KEY)
    certificate: bytes = f(CERTIFICATE)
    office: str = f(CODE)


@dataclass(frozen=True)
class Answer(Body):
    """An office's answer to a pre-notification (ACC-44); what it says is sealed for holder and territory."""

    TYPE = EntryType.ANSWER
    carnet_id: int = f(U64)
    notice_id: bytes = f(RANDOM16)
    acknowledged: bool = f(BOOL)
    certificate: bytes = f(CERTIFICATE)
    office: str = f(CODE)
