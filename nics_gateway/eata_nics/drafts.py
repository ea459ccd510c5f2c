"""Drafts on the gateway's own disk (N-01): saved in stages, issued when complete. Nodes never see them."""

from pathlib import Path

from eata_clients.net.errors import EataError
from eata_host.vault import read_locked, write_locked
from eata_ledger.encoding import Malformed, sha256
from eata_proto.v1 import gateway_pb2

_MOST, _ISSUED = 10_000, ".issued"


class Drafts:
    """One file a draft, readable by the gateway alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, draft_id: str) -> Path:
        if not 1 <= len(draft_id) <= 58:
            raise Malformed("draft_id has 1 to 58 characters")
        return self._folder / f"{sha256(draft_id.encode()).hex()}.draft"

    def save(self, draft: gateway_pb2.Draft) -> None:
        path = self._path(draft.draft_id)
        if path.with_suffix(_ISSUED).exists():
            raise EataError("REQUEST_ID_REUSED", "This draft has been issued.", "Give the next draft another id.")
        if not path.exists() and sum(1 for _ in self._folder.glob("*.draft")) >= _MOST:
            raise EataError("TOO_MANY_DRAFTS", "There are 10,000 drafts already.", "Issue or delete some.")
        write_locked(path, draft.SerializeToString())

    def read(self, draft_id: str) -> gateway_pb2.Draft:
        path = self._path(draft_id)
        if not path.exists():
            path = path.with_suffix(_ISSUED)
        if not path.exists():
            raise EataError("NOT_FOUND", "No such draft.", "See the list of drafts.")
        return gateway_pb2.Draft.FromString(read_locked(path))

    def all(self) -> list[gateway_pb2.Draft]:
        """By id."""
        found = [gateway_pb2.Draft.FromString(read_locked(path)) for path in self._folder.glob("*.draft")]
        return sorted(found, key=lambda draft: draft.draft_id)

    def issued(self, draft_id: str) -> None:
        """No draft any more, but kept: a caller who lost the answer asks again."""
        path = self._path(draft_id)
        if path.exists():
            path.rename(path.with_suffix(_ISSUED))

    def delete(self, draft_id: str) -> None:
        self.read(draft_id)
        self._path(draft_id).unlink(missing_ok=True)
