"""The genesis file: `ledger` is its SHA-256, so every signature binds it."""

from dataclasses import dataclass
from functools import cached_property

from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.proof.keys import Algorithm, acceptable, key_id
from eata_ledger.record import CODE, KEY, U8, U32, U64, Record, array, blob, enum, f, integer, nested, text


@dataclass(frozen=True)
class NodeKey(Record):
    """A node's key, registered as (purpose, algorithm, key) so that others can join later."""

    purpose: Purpose = f(enum(Purpose))
    algorithm: Algorithm = f(enum(Algorithm))
    raw: bytes = f(blob(32, 2048))


@dataclass(frozen=True)
class NodeRecord(Record):
    """One node and its keys."""

    name: str = f(CODE)
    keys: tuple[NodeKey, ...] = f(array(nested(NodeKey), 16))

    def key(self, purpose: Purpose) -> bytes:
        return next(key.raw for key in self.keys if key.purpose is purpose)

    @property
    def exchange(self) -> bytes | None:
        """The X25519 key behind verification codes; None for a node that gives none."""
        return next((key.raw for key in self.keys if key.purpose is Purpose.EXCHANGE), None)

    @cached_property
    def id(self) -> bytes:
        """The key id of the group key: what names the node in groups."""
        return key_id(self.key(Purpose.GROUP))

    @cached_property
    def kid(self) -> bytes:
        """8 bytes that name the statement key in receipts."""
        return key_id(self.key(Purpose.STATEMENT))[:8]


_NODE_PURPOSES = (Purpose.GROUP, Purpose.STATEMENT)


@dataclass(frozen=True)
class Genesis(Record):
    """Where the ledger starts."""

    version: int = f(integer(1, 1))
    name: str = f(text(64))
    created: int = f(U64)
    root_keys: tuple[bytes, ...] = f(array(KEY, 16))
    root_threshold: int = f(U8)
    operations: bytes = f(KEY)
    nodes: tuple[NodeRecord, ...] = f(array(nested(NodeRecord), 64))
    rules: int = f(U32)
    first_id: int = f(U64)
    suite: int = f(integer(1, 1))

    @cached_property
    def ledger(self) -> bytes:
        return sha256(self.to_bytes())

    @cached_property
    def by_id(self) -> dict[bytes, NodeRecord]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def by_kid(self) -> dict[bytes, NodeRecord]:
        return {node.kid: node for node in self.nodes}

    @classmethod
    def from_bytes(cls, data: bytes) -> "Genesis":
        genesis = super().from_bytes(data)
        if not 1 <= genesis.root_threshold <= len(set(genesis.root_keys)):
            raise Malformed("the root threshold is not met by the root keys")
        genesis._check_nodes()
        return genesis

    def _check_nodes(self) -> None:
        """One name, one group key and one statement key a node, each a safe key and each its own."""
        if not self.nodes or len({node.name for node in self.nodes}) != len(self.nodes):
            raise Malformed("nodes have names of their own")
        keys = [[k.raw for k in node.keys if k.purpose is p] for node in self.nodes for p in _NODE_PURPOSES]
        if any(len(found) != 1 or not acceptable(found[0]) for found in keys):
            raise Malformed("a node has one safe group key and one safe statement key")
        if len({found[0] for found in keys}) != len(keys):
            raise Malformed("node keys must differ")


def origin(ledger: bytes, era: int) -> str:
    """The checkpoint origin of an era's log."""
    return f"eata/{ledger.hex()}/{era}"
