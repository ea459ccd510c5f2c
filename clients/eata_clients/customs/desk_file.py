"""A signed-in desk on its own disk, readable by its owner only."""

from dataclasses import dataclass
from pathlib import Path

from eata_host.faults import Fault
from eata_host.vault import read_locked, write_locked
from eata_ledger.log.keys import SigningKey
from eata_ledger.record import CODE, KEY, Record, blob, f

from eata_clients.authoring.clearing import Desk


@dataclass(frozen=True)
class _DeskFile(Record):
    key: bytes = f(KEY)
    office: str = f(CODE)
    certificate: bytes = f(blob(1, 1024))

    def __repr__(self) -> str:
        return f"_DeskFile(office={self.office}, …)"


def write_desk(path: Path, desk: Desk) -> None:
    write_locked(path, _DeskFile(desk.key.seed, desk.office, desk.certificate).to_bytes())


def read_desk(path: Path) -> Desk:
    stored = _DeskFile.from_bytes(read_locked(path))
    return Desk(SigningKey(stored.key), stored.office, stored.certificate)


def signed_in(home: Path) -> Desk:
    """The desk whose officer has signed in here."""
    if not (home / "desk.cbor").exists():
        raise Fault("NOT_SIGNED_IN", "No officer is signed in at this desk.", "Run `eata customs sign-in`.")
    return read_desk(home / "desk.cbor")
