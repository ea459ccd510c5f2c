"""What a reply rests on: entries as far as their reader may see them, each once, until the page is full."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.log.entry import Header, PartInfo
from eata_proto.v1 import ledger_pb2, reading_pb2
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from eata_node.replica.store import Store

PAGE = 1 << 20  # bytes after which a page ends


@dataclass(frozen=True)
class Wanted:
    """Parts of one entry by label: of one slot if given, stanzas only to the key ids in `to`.

    `bare`: the entry is told of even where it has no such part.
    """

    index: int
    labels: frozenset[Label] = frozenset()
    slot: int | None = None
    to: frozenset[bytes] | None = None
    bare: bool = False

    def has(self, info: PartInfo) -> bool:
        addressed = info.label is not Label.STANZA or self.to is None or info.recipient in self.to
        return info.label in self.labels and self.slot in (None, info.slot) and addressed


class ExcerptsOut:
    """The entries of one reply."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[int, reading_pb2.Excerpt] = {}
        self._headers: dict[int, Header] = {}
        self._size = 0

    def add(self, wanted: Wanted) -> None:
        """Parts that have been erased are left out."""
        header = self._header(wanted.index)
        known = self._found.get(wanted.index)
        have = set() if known is None else {part.number for part in known.parts}
        for number, info in enumerate(header.parts):
            if wanted.has(info) and number not in have:
                value = self._store.part(wanted.index, number)
                if value:
                    self._excerpt(wanted.index).parts.append(reading_pb2.Part(number=number, value=value))
                    self._size += len(value)
        if wanted.bare:
            self._excerpt(wanted.index)

    def _header(self, index: int) -> Header:
        if index not in self._headers:
            stored = self._store.entry(index)
            assert stored is not None, "facts name entries that exist"
            self._headers[index] = Header.from_bytes(stored.header)
        return self._headers[index]

    def _excerpt(self, index: int) -> reading_pb2.Excerpt:
        if index not in self._found:
            stored = self._store.entry(index)
            assert stored is not None, "facts name entries that exist"
            signatures = [ledger_pb2.Signature(key_id=s.key_id, value=s.value) for s in stored.signatures]
            self._found[index] = reading_pb2.Excerpt(index=index, header=stored.header, signatures=signatures)
            self._size += len(stored.header) + 96 * len(signatures)
        return self._found[index]

    @property
    def full(self) -> bool:
        return self._size > PAGE

    def count(self, size: int) -> None:
        """Bytes of the records beside the entries."""
        self._size += size

    def into(self, entries: "RepeatedCompositeFieldContainer[reading_pb2.Excerpt]") -> None:
        entries.extend(self._found[index] for index in sorted(self._found))


@dataclass(frozen=True)
class Item:
    """One thing that a reply tells: its place among the others, how it is told (bytes it takes), what it rests on."""

    place: bytes
    tell: Callable[[], int]
    wanted: tuple[Wanted, ...] = ()


class Paged(Protocol):
    """A reply in pages."""

    next: bytes


def place(section: int, key: int | bytes = 0) -> bytes:
    """Sections in order, within each by key: what is new goes to the end of its section."""
    return bytes([section]) + (key.to_bytes(8, "big") if isinstance(key, int) else key)


def fill(reply: Paged, excerpts: ExcerptsOut, items: Iterable[Item], cursor: bytes) -> None:
    """Tells the items after `cursor` until the page is full; one at least."""
    last = b""
    for item in _after(items, cursor):
        if last and excerpts.full:
            reply.next = last
            return
        excerpts.count(item.tell())
        for wanted in item.wanted:
            excerpts.add(wanted)
        last = item.place


def _after(items: Iterable[Item], cursor: bytes) -> Iterator[Item]:
    return (item for item in items if item.place > cursor)
