"""Entries and groups between protobuf and the ledger's own types. Signed bytes stay the bytes they were."""

from dataclasses import dataclass
from functools import cached_property

from eata_proto.v1 import ledger_pb2
from google.protobuf.message import DecodeError

from eata_ledger.encoding import Malformed
from eata_ledger.log.entry import MAX_ENTRY, SIGNATURE, Entry, Header, Signed, frame_hash
from eata_ledger.log.group import Group, GroupHeader

MAX_SIGNATURES = 8
MAX_GROUP_HEADER = 64 * 1024


def entry_to_proto(entry: Entry) -> ledger_pb2.Entry:
    return ledger_pb2.Entry(
        header=entry.header.encoded,
        signatures=[ledger_pb2.Signature(key_id=s.key_id, value=s.value) for s in entry.signatures],
        parts=entry.parts,
    )


def entry_from_proto(message: ledger_pb2.Entry, erased: bool = False) -> Entry:
    """Raises `Malformed`; parts are checked against the header. `erased`: empty ones may have been erased."""
    if message.ByteSize() > MAX_ENTRY:
        raise Malformed("the entry is larger than 512 KiB")
    entry = Entry(Header.from_bytes(message.header), _signatures(message), tuple(message.parts))
    entry.check_parts(erased)
    return entry


def _signatures(message: ledger_pb2.Entry) -> tuple[Signed, ...]:
    signatures = tuple(Signed(s.key_id, s.value) for s in message.signatures)
    ids = {s.key_id for s in signatures}
    if not 1 <= len(signatures) <= MAX_SIGNATURES or len(ids) != len(signatures):
        raise Malformed("an entry has one to eight signatures, one a key")
    if any(len(signed.key_id) != 16 or len(signed.value) != SIGNATURE for signed in signatures):
        raise Malformed("a signature has 64 bytes and a 16-byte key id")
    return signatures


def frame_of(message: ledger_pb2.Entry) -> bytes:
    """The entry's frame hash, as groups list it, without reading the entry."""
    return frame_hash(message.header, tuple(Signed(s.key_id, s.value) for s in message.signatures))


@dataclass(frozen=True)
class ReceivedGroup:
    """A group off the log."""

    group: Group
    entries: tuple[ledger_pb2.Entry, ...]

    @cached_property
    def frames(self) -> tuple[bytes, ...]:
        """Computed from the entries that came with it."""
        return tuple(frame_of(entry) for entry in self.entries)


def group_to_bytes(group: Group, entries: tuple[ledger_pb2.Entry, ...]) -> bytes:
    message = ledger_pb2.Group(header=group.header_bytes, signature=group.signature, entries=entries)
    return message.SerializeToString(deterministic=True)


def group_from_bytes(data: bytes) -> ReceivedGroup:
    """Raises `Malformed`."""
    message = ledger_pb2.Group()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise Malformed("not a group") from None
    if len(message.header) > MAX_GROUP_HEADER:
        raise Malformed("the group header is larger than 64 KiB")
    header = GroupHeader.from_bytes(message.header)
    return ReceivedGroup(Group(header, message.header, message.signature), tuple(message.entries))
