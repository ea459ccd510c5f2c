"""Entries that are not final yet, one file each; sending the same bytes again is always safe (P7)."""

import logging
from pathlib import Path

from eata_host.files import write_secret
from eata_ledger.encoding import Malformed, decode, encode
from eata_ledger.log.entry import Entry
from eata_ledger.wire import entry_from_proto, entry_to_proto
from eata_proto.v1 import ledger_pb2
from google.protobuf.message import DecodeError

from eata_clients.net.errors import EataError

log = logging.getLogger(__name__)


class Outbox:
    """One folder; its entries outlive the process that made them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, entry: Entry) -> Path:
        return self._folder / f"{entry.hash.hex()}.entry"

    def keep(self, entry: Entry) -> None:
        write_secret(self._path(entry), entry_to_proto(entry).SerializeToString())

    def _said_path(self, entry: Entry) -> Path:
        return self._path(entry).with_suffix(".said")

    def keep_word(self, entry: Entry, node: str, statement: bytes) -> None:
        """What one node said alone, for the day the others are there to compare."""
        words = {**self.words(entry), node: statement}
        write_secret(self._said_path(entry), encode([[name, said] for name, said in sorted(words.items())]))

    def words(self, entry: Entry) -> dict[str, bytes]:
        """Node → the statement it gave of an entry that was not final then."""
        path = self._said_path(entry)
        try:
            match decode(path.read_bytes()) if path.exists() else None:
                case list(rows):
                    return {row[0]: row[1] for row in rows}  # type: ignore[index,misc]
                case _:
                    return {}
        except (Malformed, TypeError, IndexError):
            return {}  # what a node said alone, and nobody knows any more: nothing rests on it

    def final(self, entry: Entry) -> None:
        """More than half of the nodes have signed it: nothing is left to send."""
        self._path(entry).unlink(missing_ok=True)
        self._said_path(entry).unlink(missing_ok=True)

    def refused(self, entry: Entry, error: EataError) -> None:
        """A settled refusal ends the sending, and destroys nothing; any other leaves the entry waiting."""
        if error.settled and self._path(entry).exists():
            self._path(entry).replace(self._path(entry).with_suffix(".refused"))

    def waiting(self) -> list[Entry]:
        """What is not final yet. A file that does not read is named, set aside, and stops no other."""
        found = []
        for path in sorted(self._folder.glob("*.entry")):
            try:
                found.append(entry_from_proto(ledger_pb2.Entry.FromString(path.read_bytes())))
            except (Malformed, DecodeError):
                aside = path.with_suffix(".unreadable")
                path.replace(aside)
                log.warning("%s does not read: it is set aside as %s", path.name, aside)
        return found
