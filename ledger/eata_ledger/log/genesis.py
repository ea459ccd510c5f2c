"""The genesis file: `ledger` is its SHA-256, so every signature binds it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.keys import Algorithm, acceptable, key_id
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
    def cosigns(self) -> bool:
        """True if it has a key for timestamped cosignatures."""
        return any(key.purpose is Purpose.COSIGN for key in self.keys)

    @property
    def tls(self) -> bytes | None:
        """The uncompressed P-256 key that its TLS certificate must have; None for a node registered without."""
        return next((key.raw for key in self.keys if key.purpose is Purpose.TLS), None)

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
MOST_NODES, MOST_ROOTS = 16, 8


@dataclass(frozen=True)
class Charter:
    """Who holds the log together at one moment: the node set and the root, as genesis or the root last set them."""

    ledger: bytes
    nodes: tuple[NodeRecord, ...]
    root_keys: tuple[bytes, ...]
    root_threshold: int
    operations: bytes
    serial: int = 0

    @cached_property
    def by_id(self) -> dict[bytes, NodeRecord]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def by_kid(self) -> dict[bytes, NodeRecord]:
        return {node.kid: node for node in self.nodes}

    @cached_property
    def statement_keys(self) -> dict[bytes, bytes]:
        """kid → the key that signs statements."""
        return {node.kid: node.key(Purpose.STATEMENT) for node in self.nodes}

    @property
    def enough(self) -> int:
        """More than half of the nodes: what so many have signed is final, and no two such sets are disjoint."""
        return len(self.nodes) // 2 + 1

    @property
    def one_honest(self) -> int:
        """Among so many nodes there is an honest one, while fewer than half lie: one more than may."""
        return len(self.nodes) - self.enough + 1

    @cached_property
    def root_ids(self) -> dict[bytes, bytes]:
        """Root keys by key id."""
        return {key_id(raw): raw for raw in self.root_keys}

    def with_node(self, record: NodeRecord) -> "Charter":
        """With this record in the place of the one of its name. Raises `Malformed`."""
        nodes = tuple(record if node.name == record.name else node for node in self.nodes)
        if record not in nodes:
            nodes = (*self.nodes, record)
        return self._with(nodes=nodes)

    def without_node(self, name: str) -> "Charter":
        """Without the node of this name: from here on it counts nowhere. Raises `Malformed`."""
        if all(node.name != name for node in self.nodes):
            raise Malformed(f"no node is called {name}")
        return self._with(nodes=tuple(node for node in self.nodes if node.name != name))

    def with_root(self, keys: tuple[bytes, ...], threshold: int) -> "Charter":
        """Under other root keys. Raises `Malformed`."""
        if not 1 <= threshold <= len(set(keys)) == len(keys) <= MOST_ROOTS or not all(map(acceptable, keys)):
            raise Malformed("the root has safe keys, each once, and a threshold that they can meet")
        return self._with(root_keys=keys, root_threshold=threshold)

    def with_operations(self, key: bytes) -> "Charter":
        """Under another key of ICC operations. Raises `Malformed`."""
        if key == self.operations or not acceptable(key):
            raise Malformed("operations have a new, safe key")
        return self._with(operations=key)

    def _with(self, **changes: Any) -> "Charter":
        changed = replace(self, serial=self.serial + 1, **changes)
        _check_nodes(changed.nodes)
        return changed


def _check_nodes(nodes: tuple[NodeRecord, ...]) -> None:
    """One name, one group key and one statement key a node, each a safe key and each its own."""
    if not 1 <= len(nodes) <= MOST_NODES or len({node.name for node in nodes}) != len(nodes):
        raise Malformed(f"there are 1 to {MOST_NODES} nodes, with names of their own")
    keys = [[k.raw for k in node.keys if k.purpose is p] for node in nodes for p in _NODE_PURPOSES]
    if any(len(found) != 1 or not acceptable(found[0]) for found in keys):
        raise Malformed("a node has one safe group key and one safe statement key")
    if len({found[0] for found in keys}) != len(keys):
        raise Malformed("node keys must differ")


@dataclass(frozen=True)
class Genesis(Record):
    """Where the ledger starts."""

    version: int = f(integer(1, 1))
    name: str = f(text(64))
    created: int = f(U64)
    root_keys: tuple[bytes, ...] = f(array(KEY, MOST_ROOTS))
    root_threshold: int = f(U8)
    operations: bytes = f(KEY)
    nodes: tuple[NodeRecord, ...] = f(array(nested(NodeRecord), MOST_NODES))
    rules: int = f(U32)
    first_id: int = f(U64)
    suite: int = f(integer(1, 1))

    @cached_property
    def ledger(self) -> bytes:
        return sha256(self.to_bytes())

    @cached_property
    def charter(self) -> Charter:
        """As it stood when the ledger began."""
        return Charter(self.ledger, self.nodes, self.root_keys, self.root_threshold, self.operations)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Genesis":
        genesis = super().from_bytes(data)
        if not 1 <= genesis.root_threshold <= len(set(genesis.root_keys)):
            raise Malformed("the root threshold is not met by the root keys")
        _check_nodes(genesis.nodes)
        return genesis


def origin(ledger: bytes, era: int) -> str:
    """The checkpoint origin of an era's log."""
    return f"eata/{ledger.hex()}/{era}"
