"""A replica on disk: entries, sealed parts, facts, Merkle nodes, raw groups, log state, checkpoints.

The engine is the durable truth, so these writes need no fsync of their own; all that one group changes goes
into one WriteBatch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eata_ledger.encoding import Value
from eata_ledger.order import LogState, NodeState
from eata_ledger.outcomes import Outcome
from eata_ledger.proof import merkle
from eata_ledger.proof.bodies import REGISTRY, Body
from eata_ledger.proof.entry import Entry, Header, Signed
from eata_ledger.proof.leaf import Leaf
from eata_ledger.record import HASH, U64, Codec, Record, array, blob, f

from eata_node import views
from eata_node.rocks import Batch, Rocks, u64

ENTRIES, PARTS, FACTS, TREE, GROUPS, META, CHECKPOINTS, VIEWS = (
    "entries", "parts", "facts", "tree", "groups", "meta", "checkpoints", "views",
)  # fmt: skip
FAMILIES = (ENTRIES, PARTS, FACTS, TREE, GROUPS, META, CHECKPOINTS, VIEWS)
_STATE = b"state"
_NODE = b"node/"
_FINAL = b"final"
_REGISTRATION = b"registration/"
_VIEWS_KEPT = b"views"


def _pair(value: Value) -> Signed:
    match value:
        case [bytes(key_id), bytes(signature)]:
            return Signed(key_id, signature)
        case _:
            raise ValueError("not a stored signature")


_SIGNED = Codec(lambda s: [s.key_id, s.value], _pair)


@dataclass(frozen=True)
class StoredEntry(Record):
    """An entry by index, without its parts."""

    position: int = f(U64)
    header: bytes = f(blob(1, 1 << 20))
    signatures: tuple[Signed, ...] = f(array(_SIGNED, 8))
    leaf: bytes = f(blob(119))
    facts: bytes = f(blob(1, 1 << 20))


@dataclass(frozen=True)
class StoredCheckpoint(Record):
    """A closed checkpoint and the signatures the log has brought: node key id → signature."""

    root: bytes = f(HASH)
    signatures: tuple[Signed, ...] = f(array(_SIGNED, 64))


def _fact_key(family: int, key: bytes) -> bytes:
    return bytes([family]) + key


class Store:
    """One replica's RocksDB. One process per folder: RocksDB holds a lock on it."""

    def __init__(self, folder: Path) -> None:
        self._rocks = Rocks(folder / "store", FAMILIES)
        self._pending: dict[tuple[str, bytes], bytes] = {}
        self._complete_views()

    # -- one batch at a time: reads see what the batch will hold

    def put(self, family: str, key: bytes, value: bytes) -> None:
        self._pending[family, key] = value

    def _get(self, family: str, key: bytes) -> bytes | None:
        found = self._pending.get((family, key))
        return self._rocks.get(family, key) if found is None else found

    def commit(self) -> None:
        """Everything put since the last commit, at once."""
        batch: Batch = self._rocks.batch()
        for (family, key), value in self._pending.items():
            batch.put(family, key, value)
        self._rocks.write(batch)
        self._pending.clear()

    def discard(self) -> None:
        self._pending.clear()

    # -- facts

    def get(self, family: int, key: bytes) -> bytes | None:
        """The `Reader` that `apply` takes."""
        return self._get(FACTS, _fact_key(family, key))

    def put_facts(self, effects: dict[tuple[int, bytes], bytes]) -> None:
        for (family, key), value in effects.items():
            self.put(FACTS, _fact_key(family, key), value)

    def facts(self, family: int, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Committed facts of a family whose key starts with `prefix`, ascending."""
        low = _fact_key(family, prefix)
        high = low.rstrip(b"\xff")
        high = high[:-1] + bytes([high[-1] + 1])
        for key, value in self._rocks.scan(FACTS, low, high):
            yield key[1:], value

    # -- log state

    def log_state(self) -> tuple[LogState, dict[bytes, NodeState]] | None:
        data = self._rocks.get(META, _STATE)
        if data is None:
            return None
        nodes = {
            key[len(_NODE) :]: NodeState.from_own(value)
            for key, value in self._rocks.scan(META, _NODE, _NODE[:-1] + b"0")
        }
        return LogState.from_own(data), nodes

    def put_log_state(self, state: LogState, nodes: dict[bytes, NodeState], changed: set[bytes]) -> None:
        self.put(META, _STATE, state.to_bytes())
        for node in changed:
            self.put(META, _NODE + node, nodes[node].to_bytes())

    def put_group(self, position: int, group: bytes) -> None:
        self.put(GROUPS, u64(position), group)

    def group(self, position: int) -> bytes | None:
        return self._get(GROUPS, u64(position))

    def groups(self, low: int) -> Iterator[tuple[int, bytes]]:
        for key, group in self._rocks.scan(GROUPS, u64(low), b"\xff" * 9):
            yield int.from_bytes(key, "big"), group

    # -- entries and tree

    def put_entry(self, index: int, position: int, entry: Entry, leaf: bytes, facts: bytes, accepted: bool) -> None:
        stored = StoredEntry(position, entry.header.encoded, entry.signatures, leaf, facts)
        self.put(ENTRIES, u64(index), stored.to_bytes())
        if accepted:
            self._put_views(index, entry.header.body, facts)
        for n, part in enumerate(entry.parts):
            self.put(PARTS, u64(index) + n.to_bytes(2, "big"), part)
        for level, number, digest in merkle.append(self.tree_node, index, leaf):
            self.put(TREE, bytes([level]) + u64(number), digest)

    def _put_views(self, index: int, body: Body, facts: bytes) -> None:
        if isinstance(body, REGISTRY):
            self.put(META, _REGISTRATION + u64(index), b"")
        for view, value in views.places(self, body, facts):
            self.put(VIEWS, view + u64(index), value)

    def _complete_views(self) -> None:
        """Views are derived: a store written before they were kept gets them once."""
        if self._rocks.get(META, _VIEWS_KEPT) is not None:
            return
        state = self.log_state()
        for index in range(0 if state is None else state[0].size):
            stored = self.entry(index)
            if stored is not None and Leaf.from_bytes(stored.leaf).outcome == Outcome.ACCEPTED:
                self._put_views(index, Header.from_bytes(stored.header).body, stored.facts)
        self.put(META, _VIEWS_KEPT, b"1")
        self.commit()

    def view(self, prefix: bytes, low: int = 0, high: int = 2**64 - 1) -> Iterator[tuple[int, bytes]]:
        """(ledger index, value) of a view's entries from `low` to before `high`, ascending."""
        for key, value in self._rocks.scan(VIEWS, prefix + u64(low), prefix + u64(high)):
            yield int.from_bytes(key[-8:], "big"), value

    def view_back(self, prefix: bytes, before: int = 2**64 - 1) -> Iterator[tuple[int, bytes]]:
        """The same, from the newest before `before` back."""
        for key, value in self._rocks.scan_back(VIEWS, prefix, prefix + u64(before)):
            yield int.from_bytes(key[-8:], "big"), value

    def registrations(self) -> Iterator[int]:
        """Indexes of accepted registry entries, ascending."""
        for key, _ in self._rocks.scan(META, _REGISTRATION, _REGISTRATION[:-1] + b"0"):
            yield int.from_bytes(key[len(_REGISTRATION) :], "big")

    def entry(self, index: int) -> StoredEntry | None:
        data = self._get(ENTRIES, u64(index))
        return None if data is None else StoredEntry.from_own(data)

    def whole_entry(self, index: int) -> tuple[StoredEntry, Entry]:
        """An entry with the parts that have not been erased."""
        stored = self.entry(index)
        if stored is None:
            raise KeyError(index)
        header = Header.from_bytes(stored.header)
        parts = tuple(self.part(index, n) or b"" for n in range(len(header.parts)))
        return stored, Entry(header, stored.signatures, parts)

    def part(self, index: int, number: int) -> bytes | None:
        return self._get(PARTS, u64(index) + number.to_bytes(2, "big"))

    def tree_node(self, level: int, number: int) -> bytes:
        found = self._get(TREE, bytes([level]) + u64(number))
        if found is None:
            raise KeyError((level, number))
        return found

    def root(self, size: int) -> bytes:
        return merkle.root(self.tree_node, size)

    # -- checkpoints

    def put_checkpoint(self, size: int, checkpoint: StoredCheckpoint) -> None:
        self.put(CHECKPOINTS, u64(size), checkpoint.to_bytes())

    def put_newest_final(self, size: int) -> None:
        self.put(META, _FINAL, u64(size))

    def newest_final(self) -> int:
        """The newest checkpoint that enough nodes signed, 0 before any."""
        return int.from_bytes(self._get(META, _FINAL) or b"", "big")

    def checkpoint(self, size: int) -> StoredCheckpoint | None:
        data = self._get(CHECKPOINTS, u64(size))
        return None if data is None else StoredCheckpoint.from_own(data)

    # -- maintenance

    def everything(self, family: str) -> Iterator[tuple[bytes, bytes]]:
        """All committed pairs of a column family, checksums verified."""
        return self._rocks.scan(family, b"", b"\xff" * 64)

    def sync(self) -> None:
        self._rocks.sync()

    def flush(self) -> None:
        self._rocks.flush()

    def close(self) -> None:
        self._rocks.close()
