"""What a node told a reader, as one digest: readers compare it between nodes, and a lie is kept with its signature."""

from google.protobuf.message import Message

from eata_ledger.encoding import Value, encode, hash_of
from eata_ledger.log.keys import pae

PAYLOAD_TYPE = "application/vnd.eata.told.v1+cbor"
_NOT_TOLD = frozenset({"session", "attestation", "presentations"})  # each node's own, not the log's


def to_sign(ledger: bytes, asked: bytes, digest: bytes, era: int, position: int) -> bytes:
    """What a node's statement key signs; `asked` is the SHA-256 of what the reader signed."""
    return pae(PAYLOAD_TYPE, encode([ledger, asked, digest, era, position]))


def digest_of(reply: Message) -> bytes:
    """Of everything in a reply that comes from the log: SHA-256 of its fields as CBOR."""
    return hash_of(_value(reply))


def _value(message: Message) -> Value:
    """[[field number, value]…] of the fields that are set, ascending."""
    return [
        [field.number, _field(value)] for field, value in message.ListFields() if field.name not in _NOT_TOLD
    ]  # fmt: skip


def _field(value: object) -> Value:
    if isinstance(value, Message):
        return _value(value)
    if isinstance(value, int | str | bytes):
        return value
    return [_field(item) for item in value]  # type: ignore[attr-defined]
