"""Opening sealed parts: each is the one that its author's header lists, then with whatever keys the reader has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log import bodies
from eata_ledger.log.entry import Header, PartInfo, UnknownType
from eata_ledger.seal.aead import CannotOpen, Context, unpack, unseal
from eata_ledger.seal.stanza import Keys, SealingKey
from eata_ledger.state import Carnet, Transaction
from eata_proto.v1 import reading_pb2

from eata_clients.authoring.content import Counterfoil, Remarks
from eata_clients.net.errors import Outdated, Untrusted
from eata_clients.trust.authors import Authors

Openers = Mapping[bytes, SealingKey]  # by key id


@dataclass(frozen=True)
class Sealed:
    """One part of an entry, with the header that lists it."""

    index: int
    header: Header
    info: PartInfo
    value: bytes

    def unsealed(self, key: bytes, carnet_id: int) -> bytes:
        """What it says. Raises `Untrusted` where the key does not open it."""
        place = Context(self.header.ledger, carnet_id, self.info.label, self.info.slot)
        try:
            return unseal(key, place, self.value)
        except CannotOpen as error:
            raise Untrusted(str(error)) from None


class _Shown:
    """One entry as a node has shown it."""

    def __init__(self, index: int, header: bytes) -> None:
        self.index, self.data = index, header
        self.signatures: dict[bytes, bytes] = {}
        self.values: dict[int, bytes] = {}

    @cached_property
    def header(self) -> Header:
        try:
            return Header.from_bytes(self.data)
        except UnknownType as error:
            raise Outdated(str(error)) from None
        except Malformed as error:
            raise Untrusted(f"an entry does not read: {error}") from None

    @cached_property
    def parts(self) -> list[Sealed]:
        """Raises `Untrusted` unless each is the one that was signed."""
        found = []
        for number, value in sorted(self.values.items()):
            if number >= len(self.header.parts) or sha256(value) != self.header.parts[number].digest:
                raise Untrusted("a part is not what was signed")
            found.append(Sealed(self.index, self.header, self.header.parts[number], value))
        return found


class Excerpts:
    """What nodes have shown of entries. Every part that is given out was checked, and its author's signature."""

    def __init__(self, entries: Iterable[reading_pb2.Excerpt], ledger: bytes, authors: Authors) -> None:
        self.ledger, self._authors = ledger, authors
        self._entries: dict[int, _Shown] = {}
        self._checked: set[int] = set()
        for one in entries:
            shown = self._entries.setdefault(one.index, _Shown(one.index, one.header))
            if shown.data != one.header:
                raise Untrusted("one entry is shown in two ways")
            shown.signatures |= {s.key_id: s.value for s in one.signatures}
            shown.values |= {part.number: part.value for part in one.parts}

    def __contains__(self, index: int) -> bool:
        return index in self._entries

    def _shown(self, index: int) -> _Shown:
        """Raises `Untrusted` where the entry is missing, or not its author's."""
        shown = self._entries.get(index)
        if shown is None:
            raise Untrusted(f"entry {index} is missing")
        if index not in self._checked:
            if shown.header.ledger != self.ledger:
                raise Untrusted("an entry is of another ledger")
            self._authors.require(shown.header, shown.signatures)
            self._checked.add(index)
        return shown

    def header(self, index: int) -> Header:
        """Raises `Untrusted`."""
        return self._shown(index).header

    def entry_hash(self, index: int) -> bytes:
        """What fetches the entry's receipt."""
        return sha256(self.header(index).signed)

    def find(self, label: Label, index: int | None = None, slot: int | None = None) -> Sealed | None:
        """A part by label: of one entry or of the newest that has one; of one slot. Raises `Untrusted`."""
        found = [part for part in self.every(label) if index in (None, part.index) and slot in (None, part.info.slot)]
        return max(found, key=lambda part: part.index, default=None)

    def every(self, label: Label) -> list[Sealed]:
        """Every part with that label, in ledger order. Raises `Untrusted`."""
        found = [part for shown in self._entries.values() for part in shown.parts if part.info.label is label]
        return sorted((part for part in found if self._shown(part.index)), key=lambda part: part.index)

    def stanzas(self, index: int) -> list[Sealed]:
        """An entry's stanzas, and those that were added to it since. One that is not its author's is left out."""
        found = []
        for place, shown in sorted(self._entries.items()):
            body = shown.header.body
            if place == index or (isinstance(body, bodies.AddStanza) and body.index == index):
                try:
                    found += [part for part in self._shown(place).parts if part.info.label is Label.STANZA]
                except Untrusted:
                    continue
        return found


def open_counterfoil(
    excerpts: Excerpts, row: Transaction, key: bytes, carnet_id: int, label: Label = Label.COUNTERFOIL
) -> Counterfoil | None:
    """A row's counterfoil; None where there is none, or it does not open, or tells another act than the row.

    One bad counterfoil must not hide the rest of a carnet: the caller shows the row as not opened.
    """
    try:
        part = excerpts.find(label, row.index, row.slot)
        found = None if part is None else Counterfoil.from_bytes(part.unsealed(key, carnet_id))
    except (Untrusted, Malformed):
        return None
    if found is None or (found.office, found.items, found.not_returned) != (row.office, row.items, row.not_returned):
        return None
    return found


def open_carnet(excerpts: Excerpts, carnet: Carnet, key: bytes) -> bytes:
    """The carnet's content bytes. Raises `Untrusted`."""
    found = excerpts.find(Label.CARNET, carnet.entry)
    if found is None or getattr(found.header.body, "carnet_id", None) != carnet.carnet_id:
        raise Untrusted("the carnet part is missing")
    try:
        return unpack(found.unsealed(key, carnet.carnet_id))
    except CannotOpen as error:
        raise Untrusted(str(error)) from None


def open_keys(excerpts: Excerpts, index: int, openers: Openers, carnet_id: int) -> Keys | None:
    """The keys that an entry hands one of `openers`, None where it has no stanza for them.

    Raises `Untrusted` where there is one and none opens.
    """
    failed = ""
    for part in excerpts.stanzas(index):
        recipient = part.info.recipient
        opener = None if recipient is None else openers.get(recipient)
        if opener is None or recipient is None:
            continue
        place = Context(part.header.ledger, carnet_id, Label.STANZA, part.info.slot)
        try:
            return opener.open(place, recipient, part.header.author, part.value)
        except CannotOpen as error:
            failed = str(error)  # another may have been added since (AddStanza)
    if failed:
        raise Untrusted(failed)
    return None


def open_remarks(excerpts: Excerpts, index: int, openers: Openers, carnet_id: int) -> Remarks | None:
    """What an officer sealed for the own territory; None where no key here opens it."""
    try:
        keys = open_keys(excerpts, index, openers, carnet_id)
        part = excerpts.find(Label.REMARKS, index)
        if keys is None or keys.extra is None or part is None:
            return None
        return Remarks.from_bytes(part.unsealed(keys.extra, carnet_id))
    except (Untrusted, Malformed):
        return None
