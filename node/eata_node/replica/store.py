"""A replica on disk: entries, sealed parts, facts, Merkle nodes, raw groups, log state, checkpoints.

The engine is the durable truth, so these writes need no fsync of their own; all that one group changes goes
into one WriteBatch.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Value
from eata_ledger.facts import Facts, key_of
from eata_ledger.log import merkle
from eata_ledger.log.bodies import REGISTRY, Attach, Body, Commit
from eata_ledger.log.chartering import Decision
from eata_ledger.log.entry import Entry, Header, Signed
from eata_ledger.log.genesis import Charter, Genesis
from eata_ledger.order import LogState, NodeState
from eata_ledger.record import HASH, U64, Codec, Record, array, blob, f
from eata_ledger.state import CharterFact, Shredded, charter_of

from eata_node.ground.rocks import END, Batch, Rocks, u64
from eata_node.replica import logbook, views

ENTRIES, PARTS, FACTS, TREE, GROUPS, META, CHECKPOINTS, VIEWS = (
    "entries", "parts", "facts", "tree", "groups", "meta", "checkpoints", "views",
)  # fmt: skip
FAMILIES = (ENTRIES, PARTS, FACTS, TREE, GROUPS, META, CHECKPOINTS, VIEWS)
_STATE = b"state"
_NODE = b"node/"
_FINAL = b"final"
_REGISTRATION = b"registration/"
_DECISION = b"decision/"
_LANDMARK = b"landmark/"
_VOUCHED = b"vouched"
_ANCHOR = b"anchor"
_FETCHING = b"fetching"
_OPENING = b"opening/"
_FACTS_KEPT = 20_000  # in memory, about 4 MB
ORPHANED = "orphaned"  # beside the store: one that knew more than the era that came after it


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


def set_aside(folder: Path, name: str = "damaged") -> None:
    """A store becomes evidence beside the new one; only the newest evidence of a name is kept."""
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "store").rename(folder / name)


def _fact_key(family: int, key: bytes) -> bytes:
    return bytes([family]) + key


class Store:
    """One replica's RocksDB. One process per folder: RocksDB holds a lock on it."""

    def __init__(self, rocks: Rocks) -> None:
        self._rocks = rocks
        self._pending: dict[tuple[str, bytes], bytes | None] = {}
        self._kept: dict[bytes, bytes | None] = {}  # facts as RocksDB has them: most entries read the same few

    @classmethod
    def open(cls, folder: Path) -> "Store":
        return cls(Rocks(folder / "store", FAMILIES))

    # -- one batch at a time: reads see what the batch will hold

    def put(self, family: str, key: bytes, value: bytes) -> None:
        self._pending[family, key] = value

    def drop(self, family: str, key: bytes) -> None:
        self._pending[family, key] = None

    def _get(self, family: str, key: bytes) -> bytes | None:
        if (family, key) in self._pending:
            return self._pending[family, key]
        return self._rocks.get(family, key)

    def commit(self) -> None:
        """Everything put since the last commit, at once."""
        batch: Batch = self._rocks.batch()
        for (family, key), value in self._pending.items():
            if family == FACTS:
                self._kept.pop(key, None)
            if value is None:
                batch.delete(family, key)
            else:
                batch.put(family, key, value)
        self._rocks.write(batch)
        self._pending.clear()

    def discard(self) -> None:
        self._pending.clear()

    # -- facts

    def get(self, family: int, key: bytes) -> bytes | None:
        """The `Reader` that `apply` takes."""
        name = _fact_key(family, key)
        if (FACTS, name) in self._pending:
            return self._pending[FACTS, name]
        if name not in self._kept:
            if len(self._kept) >= _FACTS_KEPT:
                self._kept.clear()
            self._kept[name] = self._rocks.get(FACTS, name)
        return self._kept[name]

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

    def charter(self, genesis: Genesis) -> Charter:
        """Root and node set as the facts here have them."""
        return charter_of(genesis, Facts(self).get(CharterFact, b""))

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

    def drop_nodes(self, gone: set[bytes]) -> None:
        for node in gone:
            self.drop(META, _NODE + node)

    def put_group(self, position: int, group: bytes) -> None:
        self.put(GROUPS, u64(position), group)

    def group(self, position: int) -> bytes | None:
        return self._get(GROUPS, u64(position))

    def groups(self, low: int) -> Iterator[tuple[int, bytes]]:
        for key, group in self._rocks.scan(GROUPS, u64(low), END):
            yield int.from_bytes(key, "big"), group

    # -- entries and tree

    def put_entry(
        self, index: int, position: int, entry: Entry, leaf: bytes, facts: bytes, state: Facts | None
    ) -> None:  # fmt: skip
        """With its place in the tree and in the views; `state` as it is after an accepted entry, None for a refused one."""
        accepted = state is not None
        stored = StoredEntry(position, entry.header.encoded, entry.signatures, leaf, facts)
        self.put(ENTRIES, u64(index), stored.to_bytes())
        if state is not None:
            self._put_views(index, entry.header.body, facts, state)
        elif isinstance(entry.header.body, Commit):
            self.put(VIEWS, views.refused_of(entry.header.body.carnet_id) + u64(index), b"")
        for n, (info, part) in enumerate(zip(entry.header.parts, entry.parts, strict=True)):
            if accepted or info.label is Label.DECLARED:  # what was refused nobody reads; an audit judges it again
                self.put(PARTS, u64(index) + n.to_bytes(2, "big"), part)
        for level, number, digest in merkle.append(self.tree_node, index, leaf):
            self.put(TREE, bytes([level]) + u64(number), digest)

    def _put_views(self, index: int, body: Body, facts: bytes, state: Facts) -> None:
        if isinstance(body, REGISTRY):
            self.put(META, _REGISTRATION + u64(index), b"")
        if isinstance(body, Decision):
            self.put(META, _DECISION + u64(index), b"")
        for view, value in views.places(state, body, facts):
            self.put(VIEWS, view + u64(index), value)
        for view, row, value in logbook.revealed(state, body):
            self.put(VIEWS, view + u64(row), value)

    def view(self, prefix: bytes, low: int = 0, high: int = 2**64 - 1) -> Iterator[tuple[int, bytes]]:
        """(ledger index, value) of a view's entries from `low` to before `high`, ascending."""
        for key, value in self._rocks.scan(VIEWS, prefix + u64(low), prefix + u64(high)):
            yield int.from_bytes(key[-8:], "big"), value

    def view_back(self, prefix: bytes, before: int = 2**64 - 1) -> Iterator[tuple[int, bytes]]:
        """The same, from the newest before `before` back."""
        for key, value in self._rocks.scan_back(VIEWS, prefix, prefix + u64(before)):
            yield int.from_bytes(key[-8:], "big"), value

    def registrations(self, low: int = 0) -> Iterator[int]:
        """Indexes of accepted registry entries from `low` on, ascending."""
        return self._indexes(_REGISTRATION, low)

    def decisions(self) -> Iterator[int]:
        """Indexes of the root's decisions on who the nodes are, ascending."""
        return self._indexes(_DECISION)

    def _indexes(self, kind: bytes, low: int = 0) -> Iterator[int]:
        for key, _ in self._rocks.scan(META, kind + u64(low), kind[:-1] + b"0"):
            yield int.from_bytes(key[len(kind) :], "big")

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

    def shred(self, carnet_id: int) -> list[bytes]:
        """Drops every sealed part of a carnet's entries, not what nodes judged; returns the digests of its documents."""
        prefix, documents = views.of_carnet(carnet_id), []
        fresh = [key[-8:] for (family, key) in self._pending if family == VIEWS and key.startswith(prefix)]
        indexes = {index for index, _ in self.view(prefix)} | {int.from_bytes(key, "big") for key in fresh}
        for index in indexes:
            stored = self.entry(index)
            assert stored is not None, "views name entries that exist"
            header = Header.from_bytes(stored.header)
            for number, info in enumerate(header.parts):
                if info.label is not Label.DECLARED:
                    self.drop(PARTS, u64(index) + number.to_bytes(2, "big"))
            if isinstance(header.body, Attach):
                documents.append(header.body.blob)
        return documents

    def forget_erased(self) -> None:
        """Makes erased parts leave the disk, not just the index; call it in a thread."""
        self._rocks.compact(PARTS)

    def attached(self, digest: bytes) -> bool:
        """Some carnet has this document, and has not been erased."""
        carnets = (views.Mention.from_bytes(data).carnet_id for _, data in self.view(views.of_blob(digest)))
        return any(self.get(int(Shredded.FAMILY), key_of(carnet_id)) is None for carnet_id in carnets)

    def tree_node(self, level: int, number: int) -> bytes:
        found = self._get(TREE, bytes([level]) + u64(number))
        if found is None:
            raise KeyError((level, number))
        return found

    def root(self, size: int) -> bytes:
        return merkle.root(self.tree_node, size)

    # -- landmarks, and what a replica without the whole log knows instead

    def put_landmark(self, position: int, landmark: bytes, kept: int) -> None:
        self.put(META, _LANDMARK + u64(position), landmark)
        known = {key for key, _ in self._rocks.scan(META, _LANDMARK, _LANDMARK[:-1] + b"0")}
        for key in sorted(known | {_LANDMARK + u64(position)})[:-kept]:
            self.drop(META, key)

    def landmarks(self) -> list[bytes]:
        """The newest, oldest first."""
        return [landmark for _, landmark in self._rocks.scan(META, _LANDMARK, _LANDMARK[:-1] + b"0")]

    def put_vouched(self, landmark: bytes) -> None:
        """The newest that enough nodes signed: it stays when newer ones, which too few sign, have pushed it out."""
        self.put(META, _VOUCHED, landmark)

    def vouched(self) -> bytes | None:
        return self._get(META, _VOUCHED)

    def begin_era(self, nodes: set[bytes]) -> None:
        """Forgets what only the log of the era before told: groups, landmarks, checkpoints, nodes' states."""
        for family in (GROUPS, CHECKPOINTS):
            for key, _ in self._rocks.scan(family, b"", END):
                self.drop(family, key)
        for key, _ in self._rocks.scan(META, _LANDMARK, _LANDMARK[:-1] + b"0"):
            self.drop(META, key)
        self.drop(META, _FINAL)
        self.drop(META, _VOUCHED)
        self.drop_nodes(nodes)

    def put_anchor(self, position: int, size: int, digest: bytes) -> None:
        """Where this store began to follow: a position whose group it has only the SHA-256 of."""
        self.put(META, _ANCHOR, u64(position) + u64(size) + digest)

    def anchor(self) -> tuple[int, int, bytes]:
        """(position, size there, SHA-256 of its group); (-1, 0, b"") for a store that followed from the era's opening."""
        data = self._get(META, _ANCHOR)
        if data is None:
            return -1, 0, b""
        return int.from_bytes(data[:8], "big"), int.from_bytes(data[8:16], "big"), data[16:]

    def put_opening(self, era: int, opening: bytes) -> None:
        """How an era was opened: who reads the ledger later asks the root's word for it."""
        self.put(META, _OPENING + era.to_bytes(4, "big"), opening)

    def openings(self) -> list[bytes]:
        """Of every era so far, as stored at its position 0; the first is era 1's."""
        return [opening for _, opening in self._rocks.scan(META, _OPENING, _OPENING[:-1] + b"0")]

    def put_fetching(self, size: int | None) -> None:
        """How many entries were fetched from peers so far; None once the store stands at a landmark."""
        if size is None:
            self.drop(META, _FETCHING)
        else:
            self.put(META, _FETCHING, u64(size))

    def fetching(self) -> int | None:
        data = self._get(META, _FETCHING)
        return None if data is None else int.from_bytes(data, "big")

    def drop_groups(self, before_clock: int, clock_of: Callable[[bytes], int], most: int) -> None:
        """Forgets raw groups from the oldest on while they are older than that, never the era's opening."""
        for key, group in itertools.islice(self._rocks.scan(GROUPS, u64(1), END), most):
            if clock_of(group) >= before_clock:
                return
            self.drop(GROUPS, key)

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
        return self._rocks.scan(family, b"", END)

    def copy(self, to: Path) -> None:
        """A whole store at `to`, as of the last commit; hard links where the file system allows."""
        self._rocks.copy(to)

    def sync(self) -> None:
        self._rocks.sync()

    def flush(self) -> None:
        self._rocks.flush()

    def close(self) -> None:
        self._rocks.close()
