"""Entries: a signed header, and sealed parts bound by their digests (docs/formats.md).

The header is what is signed: DSSE PAE over its bytes. The entry hash leaves signatures outside. Parts travel
beside the header, so a node serves just those a reader may have and they can be erased.
"""

from dataclasses import dataclass
from functools import cached_property

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed, Value, hash_of, sha256
from eata_ledger.log.bodies import BODIES, Body, EntryType
from eata_ledger.log.keys import SigningKey, pae
from eata_ledger.record import (
    HASH,
    KEY_ID,
    OFFSET,
    RANDOM16,
    U16,
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
)

PAYLOAD_TYPE = "application/vnd.eata.entry.v1+cbor"
MAX_ENTRY, MAX_HEADER = 512 * 1024, 32 * 1024
SIGNATURE = 64  # bytes of Ed25519
_BODY = Codec(lambda value: value, lambda value: value)  # read by its own class, which knows its fields


@dataclass(frozen=True)
class PartInfo(Record):
    """One part as the header lists it; `recipient` is a stanza's key id."""

    label: Label = f(enum(Label))
    slot: int = f(U16)
    length: int = f(U32)
    digest: bytes = f(HASH)
    recipient: bytes | None = f(optional(KEY_ID))


@dataclass(frozen=True)
class Part:
    """A part on its way into an entry."""

    label: Label
    slot: int
    value: bytes
    recipient: bytes | None = None

    @property
    def info(self) -> PartInfo:
        return PartInfo(self.label, self.slot, len(self.value), sha256(self.value), self.recipient)


@dataclass(frozen=True)
class _Header(Record):
    version: int = f(integer(1, 1))
    ledger: bytes = f(HASH)
    type: int = f(U16)
    author: bytes = f(KEY_ID)
    request_id: bytes = f(RANDOM16)
    not_after: int = f(U64)
    event_time: int = f(U64)
    offset: int = f(OFFSET)
    parts: tuple[PartInfo, ...] = f(array(nested(PartInfo), 128))
    body: Value = f(_BODY)


class UnknownType(Malformed):
    """A type that this build does not know; a later one may."""


@dataclass(frozen=True)
class Header:
    """What an author signs. Times are ms UTC, `offset` minutes; `not_after` is judged in log time."""

    ledger: bytes
    author: bytes
    request_id: bytes
    not_after: int
    event_time: int
    offset: int
    parts: tuple[PartInfo, ...]
    body: Body

    @cached_property
    def encoded(self) -> bytes:
        return _Header(
            1, self.ledger, int(self.body.TYPE), self.author, self.request_id, self.not_after,
            self.event_time, self.offset, self.parts, self.body.to_value(),
        ).to_bytes()  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> "Header":
        """Raises `Malformed`; unknown types and left-over fields are refused."""
        if len(data) > MAX_HEADER:
            raise Malformed("the header is larger than 32 KiB")
        raw = _Header.from_bytes(data)
        kind = BODIES.get(raw.type)
        if kind is None:
            raise UnknownType(f"unknown entry type {raw.type}")
        header = cls(
            raw.ledger, raw.author, raw.request_id, raw.not_after, raw.event_time, raw.offset,
            raw.parts, kind.from_value(raw.body),
        )  # fmt: skip
        header.__dict__["encoded"] = data
        return header

    @cached_property
    def signed(self) -> bytes:
        """The bytes that every signature is over, and whose hash is the entry's."""
        return signed_bytes(self.encoded)


def signed_bytes(header: bytes) -> bytes:
    """`Header.signed` of an encoded header that nobody has looked at yet."""
    return pae(PAYLOAD_TYPE, header)


@dataclass(frozen=True)
class Signed:
    """One Ed25519 signature, 64 bytes, with its key id."""

    key_id: bytes
    value: bytes


@dataclass(frozen=True)
class Entry:
    """A header, its signatures, its parts; an erased part is empty bytes, a declared one is never erased."""

    header: Header
    signatures: tuple[Signed, ...]
    parts: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes that it takes, erased or not."""
        parts = sum(info.length for info in self.header.parts)
        return len(self.header.encoded) + parts + sum(len(s.key_id) + len(s.value) for s in self.signatures)

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the PAE: signatures stay outside."""
        return sha256(self.header.signed)

    @cached_property
    def frame_hash(self) -> bytes:
        """Header and signatures, as a group lists them."""
        return frame_hash(self.header.encoded, self.signatures)

    def signature_of(self, wanted: bytes) -> bytes | None:
        return next((s.value for s in self.signatures if s.key_id == wanted), None)

    def check_parts(self, erased: bool = False) -> None:
        """Raises `Malformed` unless every part is the one the header lists; `erased` allows empty ones."""
        check_parts(self.header.parts, self.parts, erased)

    @property
    def lacks_parts(self) -> bool:
        """True if a sealed part has been erased."""
        return any(info.length and not part for info, part in zip(self.header.parts, self.parts, strict=True))


def is_commit(header: bytes) -> bool:
    """True if an encoded header is an officer's commit; reads one byte behind array head, version and ledger."""
    return header[36:37] == bytes([EntryType.COMMIT])


def author_of(header: bytes) -> bytes:
    """The author's key id of an encoded header that has been read before; looks at a few bytes."""
    at = 37 if header[36] < 24 else 38
    return header[at + 1 : at + 17]


def frame_hash(header: bytes, signatures: tuple[Signed, ...]) -> bytes:
    """SHA-256 of [header, [[key id, signature]…]]."""
    pairs: list[Value] = [[s.key_id, s.value] for s in signatures]
    return hash_of([header, pairs])


def check_parts(infos: tuple[PartInfo, ...], parts: tuple[bytes, ...], erased: bool = False) -> None:
    if len(infos) != len(parts):
        raise Malformed(f"the header lists {len(infos)} parts, {len(parts)} came")
    for info, part in zip(infos, parts, strict=True):
        if erased and not part and info.label is not Label.DECLARED:  # what was judged is judged again
            continue
        if len(part) != info.length or sha256(part) != info.digest:
            raise Malformed(f"the part {info.label.name} is not the one that was signed")


def build(header: Header, parts: tuple[Part, ...], signers: tuple[SigningKey, ...]) -> Entry:
    """Signs; the first signer is the author."""
    message = header.signed
    signatures = tuple(Signed(key.id, key.sign(message)) for key in signers)
    return Entry(header, signatures, tuple(part.value for part in parts))
