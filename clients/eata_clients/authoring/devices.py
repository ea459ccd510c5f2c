"""The holder's devices: the first signs, others are admitted or know the holder code, a lost one leaves with the root."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log import bodies
from eata_ledger.log.bodies.devices import asks
from eata_ledger.log.entry import Entry, Part
from eata_ledger.log.keys import Algorithm, SigningKey, key_id
from eata_ledger.proof.qr import base45, from_base45
from eata_ledger.record import KEY, U16, U64, Record, array, blob, f, nested, optional
from eata_ledger.seal.aead import Context, seal, unseal
from eata_ledger.seal.codes import CodeKeys, CodeKind
from eata_ledger.seal.schedule import SLOTS, journal_key, kept_key, link_key
from eata_ledger.seal.stanza import PUBLIC_SIZE, Keys, SealingKey, keys, wrap
from eata_ledger.state.holder import MOST_ROOTS

from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding, RootKey

TERMS = "I accept the ATA Carnet terms and declare that the list and the declaration are true. (1)"
PREFIX = "EATA1:A:"


@dataclass(frozen=True)
class DeviceKeys:
    """A device's own keys for one carnet: one signs, one is sealed to."""

    sign: SigningKey
    seal: SealingKey

    @classmethod
    def new(cls) -> "DeviceKeys":
        return cls(SigningKey(os.urandom(32)), SealingKey(os.urandom(32)))

    def __repr__(self) -> str:
        return "DeviceKeys(…)"


@dataclass(frozen=True)
class Request(Record):
    """What a device shows to be admitted (a QR, or a line of text): the carnet and its public keys."""

    carnet_id: int = f(U64)
    device_key: bytes = f(KEY)
    seal_key: bytes = f(blob(PUBLIC_SIZE))
    proof: bytes = f(blob(64))

    @classmethod
    def of(cls, ledger: bytes, carnet_id: int, keys: DeviceKeys) -> "Request":
        """Signed by the device that asks."""
        bare = cls(carnet_id, keys.sign.public, keys.seal.public, bytes(64))
        return replace(bare, proof=keys.sign.sign(asks(ledger, bare)))

    @property
    def text(self) -> str:
        return PREFIX + base45(self.to_bytes())

    @classmethod
    def read(cls, text: str) -> "Request":
        """Raises `Malformed`."""
        plain = text.strip()
        if not plain.startswith(PREFIX) or len(plain) > 4_296:
            raise Malformed("this is no device's QR")
        return cls.from_bytes(from_base45(plain[len(PREFIX) :]))


@dataclass(frozen=True)
class Shared(Record):
    """What all devices of a holder have in common; `roots` are those before the one that opens this."""

    content_version: int = f(U16)
    content_key: bytes = f(KEY)
    pin_wrap: bytes | None = f(optional(KEY))
    roots: tuple[RootKey, ...] = f(array(nested(RootKey), MOST_ROOTS))

    def __repr__(self) -> str:
        return f"Shared(content_version={self.content_version}, …)"


def sign(
    holding: Holding, pin: CodeKeys, seal_key: bytes, holder: CodeKeys, stamp: Stamp
) -> Entry:  # fmt: skip
    """The carnet's first signature: by its first device and the PIN key. The last of `roots` is new."""
    first = bodies.First(holding.device.public, seal_key, holder.sign.public, pin.sign.id)
    body = bodies.Sign(holding.carnet_id, holding.content_version, sha256(TERMS.encode()), first)
    parts = (_under_code(holding, holder.wrap), _kept(holding, pin.wrap))
    return make(holding.ledger, body, stamp, (holding.device, pin.sign), parts)


def sign_again(holding: Holding, pin_wrap: bytes | None, stamp: Stamp) -> Entry:
    """After an amendment: the new content key for the holder's other devices."""
    body = bodies.Sign(holding.carnet_id, holding.content_version, sha256(TERMS.encode()), None)
    return make(holding.ledger, body, stamp, (holding.device,), (_kept(holding, pin_wrap),))


def enrol(ledger: bytes, carnet_id: int, device: DeviceKeys, holder: SigningKey, stamp: Stamp) -> Entry:
    """By the holder code."""
    body = bodies.EnrolDevice(carnet_id, device.sign.public, device.seal.public, holder.id)
    return make(ledger, body, stamp, (device.sign, holder))


def admit(holding: Holding, request: Request, stamp: Stamp) -> Entry:
    """Another device, as its QR names it."""
    body = bodies.AdmitDevice(holding.carnet_id, request.device_key, request.seal_key, request.proof)
    return make(holding.ledger, body, stamp, (holding.device,), (_stanza(holding, request.seal_key),))


def revoke(
    holding: Holding, devices: Sequence[bytes], staying: Mapping[bytes, bytes], pin_wrap: bytes | None,
    holder: CodeKeys, stamp: Stamp,
) -> Entry:  # fmt: skip
    """Devices taken back, by key id; `staying`: the others' sealing keys by key id. The last of `roots` is new."""
    body = bodies.RevokeDevice(holding.carnet_id, holding.newest.first, tuple(sorted(devices)), holder.sign.public)
    parts = (
        _under_code(holding, holder.wrap), _kept(holding, pin_wrap), _link(holding),
        *(_stanza(holding, staying[kid]) for kid in sorted(staying)),
    )  # fmt: skip
    return make(holding.ledger, body, stamp, (holding.device,), parts)


def recode(holding: Holding, slots: Sequence[int], stamp: Stamp) -> Entry:
    """New cancellation codes for committed vouchers, from the root in force. One Argon2 run a slot."""
    number = holding.newest.number
    new = tuple(
        bodies.NewCancelKey(slot, holding.code_keys(CodeKind.CANCELLATION, slot, number).sign.public) for slot in slots
    )
    return make(holding.ledger, bodies.Recode(holding.carnet_id, new), stamp, (holding.device,))


def rooted_anew(holding: Holding, first: int) -> Holding:
    """With a new root from slot `first` on."""
    return replace(holding, roots=(*holding.roots, RootKey(holding.newest.number + 1, first, os.urandom(32))))


def _place(holding: Holding, label: Label) -> Context:
    return holding.place(label, holding.newest.number)


def _sealed(holding: Holding, label: Label, key: bytes, content: Record) -> Part:
    return Part(label, holding.newest.number, seal(key, _place(holding, label), content.to_bytes()))


def _under_code(holding: Holding, key: bytes) -> Part:
    return _sealed(holding, Label.HOLDER_STANZA, key, keys(holder_root=holding.newest.root))


def _kept(holding: Holding, pin_wrap: bytes | None) -> Part:
    shared = Shared(holding.content_version, holding.content_key, pin_wrap, holding.roots[:-1])
    return _sealed(holding, Label.KEPT, kept_key(holding.newest.root, holding.ledger, holding.carnet_id), shared)


def _stanza(holding: Holding, public: bytes) -> Part:
    recipient = key_id(public, Algorithm.XWING)
    secret = keys(content=holding.content_key, holder_root=holding.newest.root)
    sealed = wrap(public, _place(holding, Label.STANZA), recipient, holding.device.id, secret)
    return Part(Label.STANZA, holding.newest.number, sealed, recipient)


def _link(holding: Holding) -> Part:
    *_, old, new = holding.roots
    ledger, carnet_id = holding.ledger, holding.carnet_id
    first = min(new.first, SLOTS)
    last = journal_key(old.root, ledger, carnet_id, first)
    key = link_key(journal_key(new.root, ledger, carnet_id, first))
    return _sealed(holding, Label.LINK, key, keys(journal=last))


def opened_shared(root: bytes, context: Context, sealed: bytes) -> Shared:
    """Raises `CannotOpen`, `Malformed`."""
    return Shared.from_bytes(unseal(kept_key(root, context.ledger, context.carnet_id), context, sealed))


def opened_root(key: bytes, context: Context, sealed: bytes) -> bytes:
    """The root under the holder code's wrapping key. Raises `CannotOpen`, `Malformed`."""
    root = Keys.from_bytes(unseal(key, context, sealed)).holder_root
    if root is None:
        raise Malformed("a holder stanza holds the root")
    return root
