"""The wallet's keystore: derived keys of each carnet, never the PIN; what works with no network at all."""

import os
from dataclasses import dataclass
from pathlib import Path

from eata_host.files import write_secret
from eata_host.vault import read_locked, write_locked
from eata_ledger.carnet.goods.items import ITEMS, Items
from eata_ledger.carnet.vocabulary import Kind, VoucherState
from eata_ledger.encoding import decode, encode
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.card import Card
from eata_ledger.proof.qr import CodeQr
from eata_ledger.proof.statement import Statement
from eata_ledger.record import CODE, HASH, KEY, U16, U64, Record, array, enum, f, nested, optional, table
from eata_ledger.seal.codes import Code, CodeKind
from eata_ledger.seal.schedule import verify_key_seed
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.seal.verification import Occurrence, verified_by
from eata_ledger.state import Voucher
from eata_ledger.state.holder import MOST_ROOTS

from eata_clients.authoring.devices import TERMS, DeviceKeys
from eata_clients.authoring.holding import Holding, RootKey
from eata_clients.net.errors import EataError
from eata_clients.trust.trust_file import TrustKeeper


@dataclass(frozen=True)
class KeptCarnet(Record):
    """What the wallet's keystore holds of a carnet: never the PIN nor its signing key, never the holder code."""

    ledger: bytes = f(HASH)
    carnet_id: int = f(U64)
    content_version: int = f(U16)
    device: bytes = f(KEY)
    seal: bytes = f(KEY)
    content_key: bytes = f(KEY)
    pin_wrap: bytes | None = f(optional(KEY))
    roots: tuple[RootKey, ...] = f(array(nested(RootKey), MOST_ROOTS))

    def __repr__(self) -> str:
        return f"Kept(carnet_id={self.carnet_id}, …)"

    @property
    def keys(self) -> DeviceKeys:
        """The device's own."""
        return DeviceKeys(SigningKey(self.device), SealingKey(self.seal))

    @property
    def holding(self) -> Holding:
        """As whoever makes entries needs it."""
        device = SigningKey(self.device)
        return Holding(self.ledger, self.carnet_id, self.content_version, device, self.content_key, self.roots)


@dataclass(frozen=True)
class Joining(Record):
    """A device's keys for a carnet that it has asked to be admitted to."""

    ledger: bytes = f(HASH)
    carnet_id: int = f(U64)
    device: bytes = f(KEY)
    seal: bytes = f(KEY)

    def __repr__(self) -> str:
        return f"Joining(carnet_id={self.carnet_id}, …)"

    @property
    def keys(self) -> DeviceKeys:
        return DeviceKeys(SigningKey(self.device), SealingKey(self.seal))


@dataclass(frozen=True)
class SeenVoucher(Record):
    """A voucher as this wallet last saw it, with the digest of its declaration."""

    declaration: bytes = f(HASH)
    kind: Kind = f(enum(Kind))
    territory: str = f(CODE)
    items: Items = f(ITEMS)
    state: VoucherState = f(enum(VoucherState))


@dataclass(frozen=True)
class Vouchers(Record):
    """Those of one carnet, by slot."""

    seen: dict[int, SeenVoucher] = f(table(U16, nested(SeenVoucher), 1_024))


class Keystore:
    """One wallet folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, carnet_id: int) -> Path:
        return self._folder / f"{carnet_id}.keys"

    def kept(self, carnet_id: int) -> KeptCarnet:
        """What this device keeps of a carnet. Raises `EataError` where it holds none of that ID."""
        path = self._path(carnet_id)
        if not path.exists():
            raise EataError(
                "NOT_HELD", f"This device does not hold carnet {carnet_id}.",
                "Sign it with its PIN (`eata wallet sign`), or join its other devices (`eata wallet join`).",
            )  # fmt: skip
        return KeptCarnet.from_bytes(read_locked(path))

    def holds(self, carnet_id: int) -> bool:
        """True where this device holds the carnet."""
        return self._path(carnet_id).exists()

    def keep(self, kept: KeptCarnet) -> None:
        """Writes it to disk, locked."""
        write_locked(self._path(kept.carnet_id), kept.to_bytes())
        self._joining_path(kept.carnet_id).unlink(missing_ok=True)

    def drop(self, carnet_id: int) -> None:
        """A carnet that this device does not hold after all."""
        self._path(carnet_id).unlink(missing_ok=True)

    def set_aside(self, carnet_id: int) -> None:
        """Keys of a carnet that this device holds no more: kept, for what they once opened, under another name."""
        path = self._path(carnet_id)
        path.replace(path.with_suffix(f".held-{int(path.stat().st_mtime)}"))

    def stop_joining(self, carnet_id: int) -> None:
        """Forgets the keys that asked to be admitted."""
        self._joining_path(carnet_id).unlink(missing_ok=True)

    def _joining_path(self, carnet_id: int) -> Path:
        return self._folder / f"{carnet_id}.joining"

    def joining(self, ledger: bytes, carnet_id: int) -> Joining:
        """This device's keys for a carnet it would join: the same ones each time they are asked for."""
        path = self._joining_path(carnet_id)
        if path.exists():
            found = Joining.from_bytes(read_locked(path))
            if found.ledger == ledger:
                return found
        made = Joining(ledger, carnet_id, os.urandom(32), os.urandom(32))
        write_locked(path, made.to_bytes())
        return made

    def waits(self, carnet_id: int) -> bool:
        """True where this device has asked to be admitted."""
        return self._joining_path(carnet_id).exists()

    def carnets(self) -> list[int]:
        """The IDs of the carnets that this device holds, ascending."""
        return sorted(int(path.stem) for path in self._folder.glob("*.keys"))

    def holding(self, carnet_id: int) -> Holding:
        """What signs and seals for a carnet on this device. Raises `EataError` where it holds none of that ID."""
        return self.kept(carnet_id).holding

    def code(self, carnet_id: int, slot: int, kind: CodeKind = CodeKind.TRANSACTION) -> CodeQr:
        """What the desk scans; works offline. Cancellation codes come from the root in force."""
        held = self.holding(carnet_id)
        number = held.newest.number if kind is CodeKind.CANCELLATION else None
        return CodeQr(str(carnet_id), held.code(kind, slot, number))

    def verify(self, carnet_id: int, slot: int, code: Code) -> tuple[str, ...]:
        """The nodes, more than half, that say this voucher was processed; with no network. Empty: not so many do.

        Uses the trust file and the declarations this wallet saw when it last showed the carnet.
        """
        held, declaration = self.holding(carnet_id), self.voucher(carnet_id, slot).declaration
        charter = self.trust(held.ledger).read().charter
        nodes = [(node.name, node.exchange) for node in charter.nodes if node.exchange is not None]
        seed = verify_key_seed(held.root_of(slot), held.ledger, carnet_id, slot)
        of = Occurrence(held.ledger, carnet_id, slot, declaration, int(Outcome.ACCEPTED))
        return verified_by(code, seed, nodes, charter.enough, of)

    def remember(self, carnet_id: int, vouchers: list[Voucher]) -> None:
        """What codes are shown and checked by when there is no network."""
        self._remember(
            carnet_id, {v.slot: SeenVoucher(v.declaration, v.kind, v.territory, v.items, v.state) for v in vouchers}
        )

    def remember_prepared(self, carnet_id: int, prepared: dict[int, SeenVoucher]) -> None:
        """The vouchers of a travel that has just been made."""
        self._remember(carnet_id, {**self._seen(carnet_id), **prepared})

    def voucher(self, carnet_id: int, slot: int) -> SeenVoucher:
        """A voucher as last seen. Raises `EataError` for one that there was not."""
        found = self._seen(carnet_id).get(slot)
        if found is None:
            raise EataError(
                "TRAVEL_UNKNOWN", f"This wallet has seen no voucher in slot {slot}.",
                "`eata wallet show` looks again and lists them.",
            )  # fmt: skip
        return found

    def _seen(self, carnet_id: int) -> dict[int, SeenVoucher]:
        path = self._vouchers_path(carnet_id)
        return Vouchers.from_bytes(read_locked(path)).seen if path.exists() else {}

    def _remember(self, carnet_id: int, seen: dict[int, SeenVoucher]) -> None:
        if seen != self._seen(carnet_id):
            write_locked(self._vouchers_path(carnet_id), Vouchers(seen).to_bytes())

    def _vouchers_path(self, carnet_id: int) -> Path:
        return self._folder / f"{carnet_id}.vouchers"

    def accept(self, carnet_id: int) -> None:
        """The holder has accepted the terms on this device."""
        write_secret(self._folder / f"{carnet_id}.terms", TERMS.encode())

    def accepted(self, carnet_id: int) -> bool:
        """These very terms, for this carnet."""
        path = self._folder / f"{carnet_id}.terms"
        return path.exists() and path.read_bytes() == TERMS.encode()

    def trust(self, ledger: bytes) -> TrustKeeper:
        """The trust file this wallet keeps."""
        return TrustKeeper(self._folder, ledger)

    # -- declaration cards (U2)

    def _card_path(self, carnet_id: int, slot: int) -> Path:
        return self._folder / "cards" / f"{carnet_id}-{slot}.card"

    def keep_card(self, carnet_id: int, slot: int, statement: bytes, parts: tuple[bytes, bytes, bytes]) -> None:
        """What the QR of a declaration shows, without its code: that is derived when it is shown.

        `parts`: the declared part, the digest of the details, the packet.
        """
        write_secret(self._card_path(carnet_id, slot), encode([statement, *parts]))

    def card(self, carnet_id: int, slot: int) -> Card:
        """A declaration that proves itself, for a booth with no network; works offline."""
        path = self._card_path(carnet_id, slot)
        if not path.exists():
            raise EataError("CARD_MISSING", "This voucher has no card yet.", "Run `eata wallet cards` while on line.")
        match decode(path.read_bytes()):
            case [bytes(statement), bytes(declared), bytes(details), bytes(packet)]:
                code = self.code(carnet_id, slot).code
                return Card(Statement.from_bytes(statement), slot, declared, details, packet, code)
            case _:
                raise EataError("STORE_DAMAGED", "The wallet's card is damaged.", "Run `eata wallet cards` on line.")
