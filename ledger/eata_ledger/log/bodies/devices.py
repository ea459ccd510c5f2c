"""Whose a carnet is: the holder's signature, the devices, the holder code, and what takes them back.

Signing makes the holder root H, which every code and key of the carnet comes from. It is sealed to the holder's devices and
under the holder code, and to nothing that the issuer knows. Whoever is taken back leaves with the root: the next one is new.
"""

from dataclasses import dataclass
from typing import Protocol

from eata_ledger.encoding import encode
from eata_ledger.log.bodies.base import SEALING_KEY, Body, EntryType
from eata_ledger.log.declared import SLOT
from eata_ledger.log.keys import pae
from eata_ledger.record import HASH, KEY, KEY_ID, U16, U64, Record, array, blob, f, nested, optional

PAYLOAD_TYPE = "application/vnd.eata.device.v1+cbor"
MOST_DEVICES = 64


@dataclass(frozen=True)
class First(Record):
    """The device that a carnet is first signed on; `code_key` is the holder code's public key, `pin` the id of the PIN's."""

    device_key: bytes = f(KEY)
    seal_key: bytes = f(SEALING_KEY)
    code_key: bytes = f(KEY)
    pin: bytes = f(KEY_ID)


@dataclass(frozen=True)
class Sign(Body):
    """The holder's signature of the carnet (N-03): by its first device and the PIN key, after an amendment by any device."""

    TYPE = EntryType.SIGN
    carnet_id: int = f(U64)
    content: int = f(U16)
    terms: bytes = f(HASH)
    first: First | None = f(optional(nested(First)))


@dataclass(frozen=True)
class EnrolDevice(Body):
    """A further device, by the holder code's key, whose id is `code`, and its own."""

    TYPE = EntryType.ENROL_DEVICE
    carnet_id: int = f(U64)
    device_key: bytes = f(KEY)
    seal_key: bytes = f(SEALING_KEY)
    code: bytes = f(KEY_ID)


@dataclass(frozen=True)
class AdmitDevice(Body):
    """A further device, by one that is enrolled, which seals it the root; `proof` is the further one's own signature."""

    TYPE = EntryType.ADMIT_DEVICE
    carnet_id: int = f(U64)
    device_key: bytes = f(KEY)
    seal_key: bytes = f(SEALING_KEY)
    proof: bytes = f(blob(64))


class Asking(Protocol):
    """Who asks to be admitted."""

    @property
    def carnet_id(self) -> int: ...
    @property
    def device_key(self) -> bytes: ...
    @property
    def seal_key(self) -> bytes: ...


def asks(ledger: bytes, device: Asking) -> bytes:
    """What a device signs that asks to be admitted: nobody else enrols its key, or another sealing key in its name."""
    return pae(PAYLOAD_TYPE, encode([ledger, device.carnet_id, device.device_key, device.seal_key]))


@dataclass(frozen=True)
class RevokeDevice(Body):
    """A new root, for the slots from `first` on, and a new holder code; every open voucher is void until it is renewed.

    `devices` are taken back; none where the holder code alone is lost.
    """

    TYPE = EntryType.REVOKE_DEVICE
    carnet_id: int = f(U64)
    first: int = f(U16)
    devices: tuple[bytes, ...] = f(array(KEY_ID, MOST_DEVICES))
    code_key: bytes = f(KEY)


@dataclass(frozen=True)
class NewCancelKey(Record):
    """A committed voucher's cancellation key, made anew."""

    slot: int = f(SLOT)
    cancel_key: bytes = f(KEY)


@dataclass(frozen=True)
class Recode(Body):
    """Cancellation codes anew for committed vouchers, once the root is new."""

    TYPE = EntryType.RECODE
    carnet_id: int = f(U64)
    keys: tuple[NewCancelKey, ...] = f(array(nested(NewCancelKey), 32))


@dataclass(frozen=True)
class ResetHolder(Body):
    """By the issuer, when all devices and the holder code are lost: nothing of the holder's counts any more; a new PIN signs."""

    TYPE = EntryType.RESET_HOLDER
    carnet_id: int = f(U64)
    pin_key: bytes = f(KEY)
