"""What an issuer has made, by the caller's own request id: on disk before anything is sent."""

from contextlib import suppress
from pathlib import Path

from eata_host.vault import read_locked, write_locked
from eata_ledger.encoding import Malformed, decode, encode, sha256
from eata_ledger.seal.codes import Code, CodeKind
from eata_ledger.wire import entry_from_proto, entry_to_proto
from eata_proto.v1 import ledger_pb2

from eata_clients.authoring.issuing import Issued, Order
from eata_clients.net.errors import EataError


class IssuedFiles:
    """Entries and PINs in an issuer's folder: the same request id finds the same carnet again, also after a crash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("issued", "pins"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, request_id: str) -> Path:
        return self._folder / "issued" / f"{sha256(request_id.encode()).hex()}.issue"

    def knows(self, request_id: str) -> bool:
        """A carnet was issued, or is being issued, under it."""
        return self._path(request_id).exists()

    def read(self, request_id: str, order: Order) -> Issued | None:
        """None for a request id that is new. Raises `EataError` where it was used for another order."""
        path = self._path(request_id)
        if not path.exists():
            return None
        match decode(read_locked(path)):
            case [str(kept_id), bytes(fingerprint), int(carnet_id), str(pin), bytes(data)] if kept_id == request_id:
                if fingerprint != _fingerprint(order):
                    raise EataError(
                        "REQUEST_ID_REUSED", "This request id was used for another carnet.", "Make a new request id."
                    )
                with suppress(Malformed):
                    entry = entry_from_proto(ledger_pb2.Entry.FromString(data))
                    return Issued(entry, carnet_id, Code.read(CodeKind.PIN, pin))
        raise EataError("STORE_DAMAGED", "The gateway's own record is damaged.", "Restore it from backup.")

    def keep(self, request_id: str, order: Order, issued: Issued) -> None:
        kept = encode([
            request_id, _fingerprint(order), issued.carnet_id, issued.pin.text,
            entry_to_proto(issued.entry).SerializeToString(),
        ])  # fmt: skip
        write_locked(self.pin_path(issued.carnet_id), issued.pin.text.encode())
        write_locked(self._path(request_id), kept)

    def refused(self, request_id: str) -> None:
        """Settled: the request id is free for another try."""
        path = self._path(request_id)
        path.rename(path.with_suffix(".refused"))

    def pin_path(self, carnet_id: int) -> Path:
        """Where the PIN of a carnet is kept."""
        return self._folder / "pins" / str(carnet_id)

    def pin(self, carnet_id: int) -> Code:
        """The PIN this gateway made for a carnet: today's, if it was rotated since."""
        path = self.pin_path(carnet_id)
        if not path.exists():
            raise EataError("NOT_FOUND", "This gateway did not issue the carnet.", "Amend it where it was issued.")
        return Code.read(CodeKind.PIN, read_locked(path).decode("ascii"))


def _fingerprint(order: Order) -> bytes:
    """The same order has the same fingerprint."""
    return sha256(
        encode([
            order.number, order.home, list(order.box_p), order.valid_until,
            [[int(kind), order.sets[kind]] for kind in sorted(order.sets)], order.content.to_value(), order.test,
            int(order.type), int(order.order), [list(link) for link in order.links],
        ])
    )  # fmt: skip
