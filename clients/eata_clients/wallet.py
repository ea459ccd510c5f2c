"""The wallet: download by ID and PIN, enrol, sign, prepare travels, show codes and history."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from eata_ledger.carnet.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label, Role, VoucherState
from eata_ledger.encoding import sha256
from eata_ledger.proof.entry import Entry, Header
from eata_ledger.proof.keys import SigningKey
from eata_ledger.proof.qr import CodeQr
from eata_ledger.seal.aead import CannotOpen, Context, unseal
from eata_ledger.seal.codes import code_keys
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import Keys
from eata_ledger.state import Carnet, CarnetState, Transaction, Voucher
from eata_proto.v1 import reading_pb2, reading_pb2_grpc

from eata_clients.authoring import holding
from eata_clients.authoring.content import NO_DETAILS, CarnetContent, Counterfoil, DeclarationContent, Stamp
from eata_clients.authoring.holding import Holding, Wish
from eata_clients.errors import EataError, Untrusted
from eata_clients.keystore import Kept, Keystore
from eata_clients.opening import find, open_carnet, open_counterfoil, open_part
from eata_clients.registry import Kept as KeptRegistry
from eata_clients.registry import Registry
from eata_clients.submitting import Committed, Outbox, carnet_id_of, submit
from eata_clients.transport import Transport, now


@dataclass(frozen=True)
class Downloaded:
    """A carnet as its holder sees it."""

    carnet: Carnet
    state: CarnetState
    content: CarnetContent
    rows: list[tuple[Transaction, Counterfoil | None]]
    vouchers: list[Voucher]
    reply: reading_pb2.CarnetReply

    @property
    def entries(self) -> dict[int, bytes]:
        """Ledger index → entry hash: what fetches a receipt."""
        headers = {row.index: row.parts[0].header for row in self.reply.rows if row.parts}
        return {index: sha256(Header.from_bytes(header).signed) for index, header in headers.items()}


class WalletClient(Keystore):
    """One wallet folder over one transport."""

    def __init__(self, folder: Path, transport: Transport) -> None:
        super().__init__(folder)
        self._transport = transport
        self._outbox = Outbox(folder / "outbox")
        self._registry = KeptRegistry(transport)

    async def registry(self) -> Registry:
        return await self._registry.get()

    # -- steps

    async def download(self, qr: CodeQr) -> Downloaded:
        """ID + PIN: opens the carnet and enrols this device (APP-06). The PIN itself is not kept."""
        carnet_id = await carnet_id_of(self._transport, qr.carnet)
        ledger = self._transport.network.ledger
        pin = code_keys(qr.code, ledger, carnet_id)
        reply = await self._read(carnet_id, pin.sign)
        if self._path(carnet_id).exists() and await self._enrolled(carnet_id, ledger):
            return await self.show(carnet_id)
        secret = _pin_stanza(reply, pin.wrap, ledger, carnet_id)
        assert secret.content is not None, "a PIN stanza holds the content key"
        device = SigningKey(self._device_seed(ledger, carnet_id))
        stamp = Stamp(now())
        entry = holding.enrol(ledger, carnet_id, pin.sign, device, Role.HOLDER, stamp)
        carnet = Carnet.from_bytes(reply.record)
        self._keep(Kept(ledger, carnet_id, carnet.content, device.seed, pin.wrap, secret.content, secret.holder_root))
        await self.submit(entry)
        return await self.show(carnet_id)

    async def _enrolled(self, carnet_id: int, ledger: bytes) -> bool:
        """This wallet's device is the carnet's already: nothing to enrol again."""
        try:
            await self._read(carnet_id, SigningKey(self.kept(carnet_id).device))
        except EataError as error:
            if error.code != "NOT_VISIBLE":
                raise
            return False
        return self.kept(carnet_id).ledger == ledger

    def _device_seed(self, ledger: bytes, carnet_id: int) -> bytes:
        """The key this wallet has for the carnet already: a second download must not lose it."""
        if self._path(carnet_id).exists():
            kept = self.kept(carnet_id)
            if kept.ledger == ledger:
                return kept.device
        return os.urandom(32)

    async def _read(self, carnet_id: int, key: SigningKey, as_of: str = "") -> reading_pb2.CarnetReply:
        body = reading_pb2.CarnetQuery(carnet_id=carnet_id, as_of=as_of).SerializeToString()
        request = self._transport.signed("/eata.v1.Wallet/Carnet", body, [key])
        return await self._transport.call(lambda c: reading_pb2_grpc.WalletStub(c).Carnet, request)

    async def show(self, carnet_id: int, as_of: str = "") -> Downloaded:
        """The carnet now, every counterfoil opened."""
        kept = self.kept(carnet_id)
        reply = await self._read(carnet_id, SigningKey(kept.device), as_of)
        kept = self._learn(kept, reply)
        content = CarnetContent.from_bytes(open_carnet(reply.parts, kept.content_key, kept.ledger, carnet_id))
        rows = [(Transaction.from_bytes(row.record), self._counterfoil(kept, row)) for row in reply.rows]
        vouchers = [Voucher.from_bytes(voucher.record) for voucher in reply.vouchers]
        self.remember(carnet_id, (await self.registry()).genesis, vouchers)
        return Downloaded(
            Carnet.from_bytes(reply.record), CarnetState.from_bytes(reply.state), content, rows,
            vouchers, reply,
        )  # fmt: skip

    def _learn(self, kept: Kept, reply: reading_pb2.CarnetReply) -> Kept:
        """Another device may have signed, or the issuer amended: root and content key are in the PIN stanza.

        The stanza's root wins over the one kept: every device shows the same codes.
        """
        secret = _pin_stanza(reply, kept.pin_wrap, kept.ledger, kept.carnet_id)
        assert secret.content is not None, "a PIN stanza holds the content key"
        learned = replace(
            kept, content_version=Carnet.from_bytes(reply.record).content, content_key=secret.content,
            root=secret.holder_root or kept.root,
        )  # fmt: skip
        if learned != kept:
            self._keep(learned)
        return learned

    def _counterfoil(self, kept: Kept, row: reading_pb2.Row) -> Counterfoil | None:
        if kept.root is None:
            return None
        slot = Transaction.from_bytes(row.record).slot
        leaf = leaf_key(self.holding(kept.carnet_id).journal(slot))
        return open_counterfoil(row, leaf, kept.ledger, kept.carnet_id)

    async def sign(self, carnet_id: int) -> Committed | None:
        """The holder's signature (N-03); None where another device had signed first."""
        await self.show(carnet_id)
        kept = self.kept(carnet_id)
        root = kept.root or os.urandom(32)
        held = Holding(kept.ledger, carnet_id, kept.content_version, SigningKey(kept.device), kept.content_key, root)
        entry = holding.sign(held, kept.pin_wrap, Stamp(now()))
        try:
            done = await self.submit(entry)
        except EataError as error:
            if error.code != "ALREADY_SIGNED":
                raise
            await self.show(carnet_id)
            return None
        self._keep(replace(kept, root=root))
        return done

    async def travel(self, carnet_id: int, wishes: tuple[Wish, ...]) -> list[tuple[int, Kind, str]]:
        """Prepares a travel; rebuilds when another device took the slots. Returns (slot, kind, territory)."""
        for _ in range(3):
            shown = await self.show(carnet_id)
            first = shown.state.next_slot
            entry, _ = holding.travel(self.holding(carnet_id), first, wishes, Stamp(now()))
            try:
                await self.submit(entry)
            except EataError as error:
                if error.code != "SLOT_TAKEN":
                    raise
                continue
            return [(first + n, wish.kind, wish.territory) for n, wish in enumerate(wishes)]
        raise EataError("SLOT_TAKEN", "Other devices keep preparing travels.", "Wait a moment and try again.")

    async def edit(self, carnet_id: int, travel_id: bytes, wishes: tuple[Wish, ...]) -> Committed:
        """Other contents for a travel's vouchers; their codes stay (C-28)."""
        open_states = (VoucherState.PREPARED, VoucherState.COMMITTED)
        vouchers = (await self.show(carnet_id)).vouchers
        slots = [v.slot for v in vouchers if v.travel_id == travel_id and v.state in open_states]
        if not slots:
            raise EataError("TRAVEL_UNKNOWN", "No such travel.", "See `eata wallet show`.")
        return await self.submit(holding.edit(self.holding(carnet_id), travel_id, slots, wishes, Stamp(now())))

    async def delete(self, carnet_id: int, travel_id: bytes) -> Committed:
        """Gives an untransacted travel's sets back (APP-14)."""
        return await self.submit(holding.delete(self.holding(carnet_id), travel_id, Stamp(now())))

    async def renew(self, carnet_id: int, slot: int, items: Items | None = None) -> int:
        """A new voucher for slot `slot`, with new codes: to redo what was cancelled, or to revoke what was shared.

        `items` corrects the declaration. Returns the new slot.
        """
        shown = await self.show(carnet_id)
        old = next((v for v in shown.vouchers if v.slot == slot), None)
        if old is None:
            raise EataError("TRAVEL_UNKNOWN", "No such voucher.", "See `eata wallet show`.")
        wish = Wish(old.kind, old.territory, items or old.items, old.not_returned, self.details(shown, slot))
        first = shown.state.next_slot
        await self.submit(holding.renew(self.holding(carnet_id), slot, first, wish, Stamp(now())))
        return first

    def details(self, shown: Downloaded, slot: int) -> DeclarationContent:
        """What was declared privately for a slot, empty where it does not open."""
        held = self.holding(shown.carnet.carnet_id)
        parts: Iterable[reading_pb2.SealedPart] = next((v.parts for v in shown.reply.vouchers if v.slot == slot), ())
        try:
            opened = open_part(parts, Label.DECLARATION, leaf_key(held.journal(slot)), held.ledger, held.carnet_id)
        except Untrusted:
            opened = None
        return NO_DETAILS if opened is None else DeclarationContent.from_bytes(opened)

    async def revoke_device(self, carnet_id: int, device: bytes) -> Committed:
        """A lost phone reads and signs nothing any more; have the issuer block the carnet if its codes may be used."""
        return await self.submit(holding.revoke_device(self.holding(carnet_id), device, Stamp(now())))

    async def submit(self, entry: Entry) -> Committed:
        """Kept in the outbox until it is answered."""
        return await submit(self._transport, (await self.registry()).genesis, entry, self._outbox)

    async def resend(self) -> int:
        """Sends what was kept after an ambiguous failure, same bytes; returns how many were answered."""
        genesis, waiting = (await self.registry()).genesis, self._outbox.waiting()
        for entry in waiting:
            try:
                await submit(self._transport, genesis, entry, self._outbox)
            except EataError as error:
                if not error.settled:
                    raise
        return len(waiting)


def _pin_stanza(reply: reading_pb2.CarnetReply, wrap: bytes, ledger: bytes, carnet_id: int) -> Keys:
    found = find(reply.parts, Label.PIN_STANZA)
    if found is None:
        raise Untrusted("the PIN stanza is missing")
    _, info, value = found
    try:
        return Keys.from_bytes(unseal(wrap, Context(ledger, carnet_id, Label.PIN_STANZA, info.slot), value))
    except CannotOpen as error:
        raise Untrusted(str(error)) from None
