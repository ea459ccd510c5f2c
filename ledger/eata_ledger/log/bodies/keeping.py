"""What keeps a carnet usable and private over the years: PINs, stanzas, attachments, delegation, erasure."""

from dataclasses import dataclass

from eata_ledger.log.bodies.base import CERTIFICATE, Body, EntryType
from eata_ledger.log.declared import SLOT
from eata_ledger.record import HASH, KEY, RANDOM16, U16, U32, U64, Record, array, blob, f, nested, optional


@dataclass(frozen=True)
class RotatePin(Body):
    """A lost PIN: the issuer makes another. It opens the carnet; devices stay."""

    TYPE = EntryType.ROTATE_PIN
    carnet_id: int = f(U64)
    pin_key: bytes = f(KEY)


@dataclass(frozen=True)
class AddStanza(Body):
    """Keys wrapped again for who may read the entry at `index` and cannot.

    By a device of the holder, the issuer, or a desk of home or of the entry's territory (with its certificate).
    """

    TYPE = EntryType.ADD_STANZA
    carnet_id: int = f(U64)
    index: int = f(U64)
    certificate: bytes | None = f(optional(CERTIFICATE))


@dataclass(frozen=True)
class StorageReceipt(Record):
    """A node's word that it holds a blob, fsynced: 8-byte kid, the statement key's signature, when (ms UTC)."""

    kid: bytes = f(blob(8))
    signature: bytes = f(blob(64))
    time: int = f(U64)


@dataclass(frozen=True)
class Attach(Body):
    """A sealed document (N-01): SHA-256 and length of the blob, three storage receipts; name and key are sealed."""

    TYPE = EntryType.ATTACH
    carnet_id: int = f(U64)
    content: int = f(U16)
    blob: bytes = f(HASH)
    length: int = f(U32)
    receipts: tuple[StorageReceipt, ...] = f(array(nested(StorageReceipt), 8))


@dataclass(frozen=True)
class Shred(Body):
    """Drops every sealed part and attachment of a carnet, everywhere; what nodes could read stays."""

    TYPE = EntryType.SHRED
    carnet_id: int = f(U64)


@dataclass(frozen=True)
class Delegate(Body):
    """One voucher in another's hands (U11), within a time window (ms UTC); who, and their authority, is sealed."""

    TYPE = EntryType.DELEGATE
    carnet_id: int = f(U64)
    slot: int = f(SLOT)
    grant_id: bytes = f(RANDOM16)
    valid_from: int = f(U64)
    valid_to: int = f(U64)
    authority: bytes | None = f(optional(HASH))
