"""Opening sealed parts: checked against the header that binds them, then with whatever keys the reader has."""

from collections.abc import Iterable, Mapping

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.proof.entry import Header, PartInfo
from eata_ledger.seal.aead import CannotOpen, Context, unpack, unseal
from eata_ledger.seal.stanza import Keys, SealingKey
from eata_ledger.state import Transaction
from eata_proto.v1 import reading_pb2

from eata_clients.authoring.content import Counterfoil, Remarks
from eata_clients.errors import Untrusted


def checked(part: reading_pb2.SealedPart) -> tuple[Header, PartInfo]:
    """The header that came with a part, and the part's place in it, its bytes checked. Raises `Untrusted`.

    The header's own signatures stay at the nodes: what it says is pinned by digests the log has judged.
    """
    try:
        header = Header.from_bytes(part.header)
        info = header.parts[part.number]
    except (Malformed, IndexError):
        raise Untrusted("a part names no place in its header") from None
    if sha256(part.value) != info.digest:
        raise Untrusted("a part is not what was signed")
    return header, info


def find(parts: Iterable[reading_pb2.SealedPart], label: Label) -> tuple[Header, PartInfo, bytes] | None:
    """The first part with that label, checked."""
    for part in parts:
        header, info = checked(part)
        if info.label is label:
            return header, info, part.value
    return None


def open_part(
    parts: Iterable[reading_pb2.SealedPart], label: Label, key: bytes, ledger: bytes, carnet_id: int
) -> bytes | None:
    """What a part says, None where there is none. Raises `Untrusted` where the key does not open it."""
    found = find(parts, label)
    if found is None:
        return None
    _, info, value = found
    try:
        return unseal(key, Context(ledger, carnet_id, label, info.slot), value)
    except CannotOpen as error:
        raise Untrusted(str(error)) from None


def open_counterfoil(
    row: reading_pb2.Row, key: bytes, ledger: bytes, carnet_id: int, label: Label = Label.COUNTERFOIL
) -> Counterfoil | None:
    """A row's counterfoil; None where there is none, or it does not open, or tells another act than the row.

    One bad counterfoil must not hide the rest of a carnet: the caller shows the row as not opened.
    """
    record = Transaction.from_bytes(row.record)
    try:
        opened = open_part(row.parts, label, key, ledger, carnet_id)
        found = None if opened is None else Counterfoil.from_bytes(opened)
    except (Untrusted, Malformed):
        return None
    if found is None or (found.office, found.items, found.not_returned) != (
        record.office, record.items, record.not_returned,
    ):  # fmt: skip
        return None
    return found


def open_carnet(parts: Iterable[reading_pb2.SealedPart], key: bytes, ledger: bytes, carnet_id: int) -> bytes:
    """The carnet's content bytes."""
    found = open_part(parts, Label.CARNET, key, ledger, carnet_id)
    if found is None:
        raise Untrusted("the carnet part is missing")
    try:
        return unpack(found)
    except CannotOpen as error:
        raise Untrusted(str(error)) from None


def open_stanza(
    parts: Iterable[reading_pb2.SealedPart], key: SealingKey, key_id: bytes, ledger: bytes, carnet_id: int
) -> Keys | None:
    """The keys wrapped to this organisation or territory, None where there is no stanza for it."""
    failed = ""
    for part in parts:
        header, info = checked(part)
        if info.label is Label.STANZA and info.recipient == key_id:
            context = Context(ledger, carnet_id, Label.STANZA, info.slot)
            try:
                return key.open(context, key_id, header.author, part.value)
            except CannotOpen as error:
                failed = str(error)  # another may have been added since (AddStanza)
    if failed:
        raise Untrusted(failed)
    return None


def open_remarks(
    parts: Iterable[reading_pb2.SealedPart], openers: Mapping[bytes, SealingKey], ledger: bytes, carnet_id: int
) -> Remarks | None:
    """What an officer sealed for the own territory; None where no key here opens it."""
    parts = list(parts)
    for key_id, key in openers.items():
        try:
            found = open_stanza(parts, key, key_id, ledger, carnet_id)
            opened = None if found is None or found.extra is None else open_part(
                parts, Label.REMARKS, found.extra, ledger, carnet_id
            )  # fmt: skip
            if opened is not None:
                return Remarks.from_bytes(opened)
        except (Untrusted, Malformed):
            continue
    return None


class Opener:
    """An administration's opener: holds territory key seeds, opens commits as they arrive."""

    def __init__(self, ledger: bytes, keys: dict[bytes, SealingKey]) -> None:
        self._ledger, self._keys = ledger, keys

    def keys_of(self, row: reading_pb2.Row, carnet_id: int) -> Keys | None:
        """What the commit hands this territory; None where no stanza is for it."""
        for key_id, key in self._keys.items():
            found = open_stanza(row.parts, key, key_id, self._ledger, carnet_id)
            if found is not None:
                return found
        return None

    def counterfoil(self, row: reading_pb2.Row, leaf: bytes, carnet_id: int) -> Counterfoil | None:
        return open_counterfoil(row, leaf, self._ledger, carnet_id)
