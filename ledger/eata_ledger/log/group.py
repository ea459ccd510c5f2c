"""Groups: what a node proposes at once, in a lane of its own, chained to the lane's previous group.

Beats included, a group also carries the node's clock, fsynced position, highest rules version and newest
checkpoint signature, so log time, low water and cosignatures are read from the log.
"""

from dataclasses import dataclass
from enum import IntEnum

from eata_ledger.encoding import sha256
from eata_ledger.log.keys import SigningKey, pae, verify
from eata_ledger.record import (
    BOOL,
    HASH,
    KEY_ID,
    RANDOM16,
    U32,
    U64,
    Record,
    array,
    blob,
    enum,
    f,
    integer,
    nested,
    optional,
)

PAYLOAD_TYPE = "application/vnd.eata.group.v1+cbor"
ERA_PAYLOAD_TYPE = "application/vnd.eata.era.v1+cbor"
MAX_GROUP = 2**20
MAX_ENTRIES = 1024
NO_HASH = bytes(32)
LANES, MAX_LANES = 2, 64


class GroupKind(IntEnum):
    """ENTRIES may be empty (a beat); OPEN starts an incarnation."""

    ENTRIES = 1
    OPEN = 2


@dataclass(frozen=True)
class Cosignature(Record):
    """A node's signature of the checkpoint text of (size, root)."""

    size: int = f(U64)
    root: bytes = f(HASH)
    signature: bytes = f(blob(64))


@dataclass(frozen=True)
class GroupHeader(Record):
    """What a node signs of a group; `frames` are the entries' frame hashes.

    `clock` is its own reading (ms UTC); `doubted`: it believes its clock wrong, so log time goes by the reading before.
    """

    version: int = f(integer(1, 1))
    ledger: bytes = f(HASH)
    era: int = f(U32)
    kind: GroupKind = f(enum(GroupKind))
    node: bytes = f(KEY_ID)
    incarnation: int = f(U64)
    lane: int = f(integer(0, MAX_LANES - 1))
    n: int = f(U64)
    previous: bytes = f(HASH)
    clock: int = f(U64)
    doubted: bool = f(BOOL)
    synced: int = f(U64)
    rules: int = f(U32)
    cosignature: Cosignature | None = f(optional(nested(Cosignature)))
    frames: tuple[bytes, ...] = f(array(HASH, MAX_ENTRIES))

    def sign(self, key: SigningKey) -> bytes:
        return key.sign(pae(PAYLOAD_TYPE, self.to_bytes()))


@dataclass(frozen=True)
class Group:
    """A group as ordered: header bytes as signed, the signature, the entries beside."""

    header: GroupHeader
    header_bytes: bytes
    signature: bytes

    @property
    def hash(self) -> bytes:
        """What the lane's next group chains to: it binds every entry's header and signatures."""
        return sha256(self.header_bytes)

    def genuine(self, node_key: bytes) -> bool:
        return verify(node_key, self.signature, pae(PAYLOAD_TYPE, self.header_bytes))

    def holds(self, frames: tuple[bytes, ...]) -> bool:
        """True if the entries' frame hashes are those that were signed, in order."""
        return self.header.frames == frames


@dataclass(frozen=True)
class OpenEra(Record):
    """Position 0 of an era's log, signed by the ICC root; `id` is random, so eras never mix.

    `log_time` (ms UTC) sets log time right where wrong clocks had moved it; None: it goes on from the last leaf.
    """

    version: int = f(integer(1, 1))
    ledger: bytes = f(HASH)
    era: int = f(integer(1, 2**32 - 1))
    id: bytes = f(RANDOM16)
    previous_era: int = f(U32)
    size: int = f(U64)
    root: bytes = f(HASH)
    log_time: int | None = f(optional(U64))

    def signed(self) -> bytes:
        return pae(ERA_PAYLOAD_TYPE, self.to_bytes())
