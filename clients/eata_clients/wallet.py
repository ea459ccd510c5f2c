"""The wallet: download by ID and PIN, enrol, sign, prepare travels, show codes and history."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from eata_ledger.carnet.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label, Role, VoucherState
from eata_ledger.proof.entry import Entry
from eata_ledger.proof.keys import SigningKey
from eata_ledger.proof.qr import CodeQr
from eata_ledger.proof.travelled import facts_of
from eata_ledger.seal.codes import CodeKeys, code_keys
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import Keys
from eata_ledger.state import Carnet, CarnetState, Goods, Stay, Transaction, Voucher
from eata_proto.v1 import ledger_pb2, reading_pb2, reading_pb2_grpc

from eata_clients import documents
from eata_clients.authoring import holding, keeping
from eata_clients.authoring.content import NO_DETAILS, CarnetContent, Counterfoil, DeclarationContent, Stamp
from eata_clients.authoring.holding import Holding, Wish
from eata_clients.authoring.keeping import GrantContent
from eata_clients.authors import Authors
from eata_clients.comparing import Agreed, Comparing
from eata_clients.documents import Document
from eata_clients.errors import EataError, Untrusted
from eata_clients.keystore import Kept, Keystore
from eata_clients.lent import lent
from eata_clients.numbers import carnet_id_of
from eata_clients.opening import Excerpts, open_carnet, open_counterfoil
from eata_clients.outbox import Outbox
from eata_clients.receipts import Committed, check_statement, receipt
from eata_clients.registry import Kept as KeptRegistry
from eata_clients.registry import Registry
from eata_clients.streaming import submit_many
from eata_clients.submitting import submit
from eata_clients.transport import Transport, now

_TRUST_KEPT = 3_600_000  # ms


@dataclass(frozen=True)
class Downloaded:
    """A carnet as its holder sees it."""

    carnet: Carnet
    state: CarnetState
    content: CarnetContent
    rows: list[tuple[Transaction, Counterfoil | None]]
    vouchers: list[Voucher]
    reply: reading_pb2.CarnetReply
    excerpts: Excerpts
    agreed: Agreed
    lent: dict[int, str] = field(default_factory=dict)

    @property
    def goods(self) -> Goods:
        """Where the goods are, as the log has them now."""
        return Goods.of(self.state, map(Stay.from_bytes, self.reply.stays))

    @property
    def entries(self) -> dict[int, bytes]:
        """Ledger index → entry hash: what fetches a receipt."""
        return {row.index: self.excerpts.entry_hash(row.index) for row, _ in self.rows if row.index in self.excerpts}


@dataclass(frozen=True)
class Travelled:
    """A prepared travel: (slot, kind, territory) of each voucher, and what became of it."""

    slots: tuple[tuple[int, Kind, str], ...]
    done: Committed


class WalletClient(Keystore):
    """One wallet folder over one transport."""

    def __init__(self, folder: Path, transport: Transport) -> None:
        super().__init__(folder)
        self._transport = transport
        transport.suspicions.folder = folder / "evidence"
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
        reply = (await self._read(carnet_id, pin.sign)).reply
        excerpts = await self._excerpts(reply)
        if self._path(carnet_id).exists() and await self._enrolled(carnet_id, ledger):
            await self._take_pin(carnet_id, pin, reply, excerpts)
            return await self.show(carnet_id)
        secret = _pin_stanza(excerpts, pin.wrap, carnet_id)
        assert secret.content is not None, "a PIN stanza holds the content key"
        device = SigningKey(self._device_seed(ledger, carnet_id))
        stamp = Stamp(now())
        entry = holding.enrol(ledger, carnet_id, pin.sign, device, Role.HOLDER, stamp)
        carnet = Carnet.from_bytes(reply.record)
        self._keep(
            Kept(
                ledger,
                carnet_id,
                carnet.content,
                device.seed,
                pin.wrap,
                secret.content,
                secret.holder_root,
                pin.sign.seed,
            )
        )
        await self.submit(entry)
        return await self.show(carnet_id)

    async def _excerpts(self, reply: reading_pb2.CarnetReply) -> Excerpts:
        registry = await self.registry()
        authors = Authors(registry, Carnet.from_bytes(reply.record).issuer)
        return Excerpts(reply.entries, registry.genesis.ledger, authors)

    async def _take_pin(
        self, carnet_id: int, pin: CodeKeys, reply: reading_pb2.CarnetReply, excerpts: Excerpts
    ) -> None:  # fmt: skip
        """A PIN that the issuer has made anew: the holder root is wrapped for it, so that other devices find it."""
        kept = replace(self.kept(carnet_id), pin_wrap=pin.wrap, pin_sign=pin.sign.seed)
        secret = _pin_stanza(excerpts, pin.wrap, carnet_id)
        if secret.content is None:
            raise Untrusted("the PIN stanza holds no content key")
        version = Carnet.from_bytes(reply.record).content
        self._keep(replace(kept, content_key=secret.content, content_version=version))
        signed = CarnetState.from_bytes(reply.state).signed is not None
        if signed and kept.root is not None and secret.holder_root is None:
            await self.submit(keeping.rewrap_pin(self.holding(carnet_id), pin, Stamp(now())))

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

    async def _read(self, carnet_id: int, key: SigningKey, as_of: str = "") -> Agreed:
        name = "/eata.v1.Wallet/Carnet"

        def ask(cursor: bytes) -> ledger_pb2.SignedRequest:
            query = reading_pb2.CarnetQuery(carnet_id=carnet_id, as_of=as_of, cursor=cursor)
            return self._transport.signed(name, query.SerializeToString(), [key])

        return await Comparing(
            self._transport, (await self.registry()).charter, lambda c: reading_pb2_grpc.WalletStub(c).Carnet, name, ask
        ).agreed()  # fmt: skip

    async def show(self, carnet_id: int, as_of: str = "") -> Downloaded:
        """The carnet now, every counterfoil opened."""
        kept = self.kept(carnet_id)
        agreed = await self._read(carnet_id, SigningKey(kept.device), as_of)
        reply = agreed.reply
        carnet, excerpts = Carnet.from_bytes(reply.record), await self._excerpts(reply)
        kept = self._learn(kept, carnet, excerpts)
        content = CarnetContent.from_bytes(open_carnet(excerpts, carnet, kept.content_key))
        rows = [(row, self._counterfoil(kept, row, excerpts)) for row in map(Transaction.from_bytes, reply.rows)]
        vouchers = [Voucher.from_bytes(voucher) for voucher in reply.vouchers]
        self.remember(carnet_id, vouchers)
        await self._keep_trust(kept.ledger)
        return Downloaded(
            carnet, CarnetState.from_bytes(reply.state), content, rows, vouchers, reply, excerpts, agreed,
            self._lent(kept, vouchers, excerpts),
        )  # fmt: skip

    def _lent(self, kept: Kept, vouchers: list[Voucher], excerpts: Excerpts) -> dict[int, str]:
        """Slot → to whom the holder has lent it."""
        if kept.root is None:
            return {}
        held = self.holding(kept.carnet_id)
        found = {v.slot: lent(excerpts, v.slot, leaf_key(held.journal(v.slot)), kept.carnet_id) for v in vouchers}
        return {slot: one.content.name for slot, one in found.items() if one is not None}

    async def _keep_trust(self, ledger: bytes) -> None:
        """Refreshed once an hour of use, so that codes and receipts are checked without a network later."""
        keeper = self.trust(ledger)
        try:
            if now() - keeper.read().vouched_at < _TRUST_KEPT:
                return
        except EataError as error:
            if error.code != "TRUST_MISSING":
                raise
        try:
            await keeper.refresh(self._transport, await self.registry())
        except EataError as error:
            if error.code != "TRUST_MISSING":  # no checkpoint is final yet: the next look finds one
                raise

    async def cards(self, carnet_id: int) -> list[int]:
        """Fetches what makes each open voucher's QR prove itself with no network (U2); their slots."""
        shown, charter, made = await self.show(carnet_id), (await self.registry()).charter, []
        labels = (Label.DECLARED, Label.DECLARATION, Label.PACKET)
        for voucher in shown.vouchers:
            declared, details, packet = (shown.excerpts.find(label, voucher.entry, voucher.slot) for label in labels)
            if voucher.state is not VoucherState.PREPARED or declared is None or details is None or packet is None:
                continue
            entry_hash = shown.excerpts.entry_hash(voucher.entry)
            found = await receipt(self._transport, charter, voucher.entry, entry_hash)
            facts_of(check_statement(found.statement, charter)[0].facts)
            parts = (declared.value, details.info.digest, packet.value)
            self.keep_card(carnet_id, voucher.slot, found.statement, parts)
            made.append(voucher.slot)
        return made

    def _learn(self, kept: Kept, carnet: Carnet, excerpts: Excerpts) -> Kept:
        """Another device may have signed, or the issuer amended: root and content key are in the PIN stanza.

        The stanza's root wins over the one kept: every device shows the same codes.
        """
        if kept.pin_sign is not None and SigningKey(kept.pin_sign).public != carnet.pin_key:
            if carnet.content != kept.content_version:
                raise EataError("PIN_CHANGED", "The issuer has made a new PIN.", "Download the carnet with it.")
            return kept
        secret = _pin_stanza(excerpts, kept.pin_wrap, kept.carnet_id)
        assert secret.content is not None, "a PIN stanza holds the content key"
        learned = replace(
            kept, content_version=carnet.content, content_key=secret.content,
            root=secret.holder_root or kept.root,
        )  # fmt: skip
        if learned != kept:
            self._keep(learned)
        return learned

    def _counterfoil(self, kept: Kept, row: Transaction, excerpts: Excerpts) -> Counterfoil | None:
        if kept.root is None:
            return None
        leaf = leaf_key(self.holding(kept.carnet_id).journal(row.slot))
        return open_counterfoil(excerpts, row, leaf, kept.carnet_id)

    async def sign(self, carnet_id: int) -> Committed | None:
        """The holder's signature (N-03); None where another device had signed first."""
        shown = await self.show(carnet_id)
        kept = self.kept(carnet_id)
        if kept.pin_sign is not None and SigningKey(kept.pin_sign).public != shown.carnet.pin_key:
            raise EataError("PIN_CHANGED", "The issuer has made a new PIN.", "Download the carnet with it, then sign.")
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

    async def travel(self, carnet_id: int, wishes: tuple[Wish, ...]) -> Travelled:
        """Prepares a travel; rebuilds when another device took the slots."""
        for _ in range(3):
            shown = await self.show(carnet_id)
            first = shown.state.next_slot
            entry, _ = holding.travel(self.holding(carnet_id), first, wishes, Stamp(now()))
            try:
                done = await self.submit(entry)
            except EataError as error:
                if error.code != "SLOT_TAKEN":
                    raise
                continue
            return Travelled(tuple((first + n, wish.kind, wish.territory) for n, wish in enumerate(wishes)), done)
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

    async def renew(self, carnet_id: int, slot: int, items: Items | None = None) -> tuple[int, Committed]:
        """A new voucher for slot `slot`, with new codes: to redo what was cancelled, or to revoke what was shared.

        `items` corrects the declaration. Returns the new slot, and what became of it.
        """
        shown = await self.show(carnet_id)
        old = next((v for v in shown.vouchers if v.slot == slot), None)
        if old is None:
            raise EataError("TRAVEL_UNKNOWN", "No such voucher.", "See `eata wallet show`.")
        wish = Wish(old.kind, old.territory, items or old.items, old.not_returned, self.details(shown, slot))
        first = shown.state.next_slot
        entry = holding.renew(self.holding(carnet_id), [slot], first, (wish,), Stamp(now()))
        return first, await self.submit(entry)

    def details(self, shown: Downloaded, slot: int) -> DeclarationContent:
        """What was declared privately for a slot, empty where it does not open."""
        held = self.holding(shown.carnet.carnet_id)
        entry = next((v.entry for v in shown.vouchers if v.slot == slot), None)
        try:
            part = None if entry is None else shown.excerpts.find(Label.DECLARATION, entry, slot)
            opened = None if part is None else part.unsealed(leaf_key(held.journal(slot)), held.carnet_id)
        except Untrusted:
            opened = None
        return NO_DETAILS if opened is None else DeclarationContent.from_bytes(opened)

    async def attach(self, carnet_id: int, name: str, data: bytes) -> Committed:
        """A PDF or JPEG beside the carnet, for whoever may open the carnet (APP-22)."""
        documents.check_document(name, data)
        await self.show(carnet_id)
        held, charter = self.holding(carnet_id), (await self.registry()).charter
        content, blob = keeping.seal_document(held.ledger, carnet_id, held.content_version, name, data)
        receipts = await documents.store(self._transport, charter, [held.device], carnet_id, blob)
        entry = keeping.attach(
            held.ledger, held.device, carnet_id, held.content_version, held.content_key, content, blob, receipts,
            Stamp(now()),
        )  # fmt: skip
        return await self.submit(entry)

    async def documents(self, carnet_id: int) -> list[Document]:
        """The carnet's documents."""
        kept = self.kept(carnet_id)
        authors, reader = Authors(await self.registry()), documents.Reader([SigningKey(kept.device)])
        return await documents.documents(self._transport, authors, carnet_id, reader, kept.content_key)

    async def document(self, carnet_id: int, found: Document) -> bytes:
        """One document's bytes."""
        reader = documents.Reader([SigningKey(self.kept(carnet_id).device)])
        return await documents.fetch(self._transport, found, carnet_id, reader)

    async def lend(
        self, carnet_id: int, slot: int, to: GrantContent, window: tuple[int, int], authority: bytes | None = None
    ) -> Committed:
        """One voucher lent for a while (U11); renewing it takes it back. `authority`: the blob of a document."""
        entry = keeping.delegate(self.holding(carnet_id), slot, to, window, authority, Stamp(now()))
        return await self.submit(entry)

    async def revoke_device(self, carnet_id: int, device: bytes) -> Committed:
        """A lost phone reads and signs nothing any more; have the issuer block the carnet if its codes may be used."""
        return await self.submit(holding.revoke_device(self.holding(carnet_id), device, Stamp(now())))

    async def submit(self, entry: Entry) -> Committed:
        """Kept in the outbox until it is final."""
        return await submit(self._transport, (await self.registry()).charter, entry, self._outbox)

    async def resend(self) -> int:
        """Sends what is not final yet, same bytes; returns how many are settled now."""
        charter, waiting = (await self.registry()).charter, self._outbox.waiting()
        answers = [answer async for _, answer in submit_many(self._transport, charter, waiting, self._outbox)]
        for answer in answers:
            if isinstance(answer, EataError) and not answer.settled:
                raise answer
        return sum(isinstance(answer, EataError) or answer.final for answer in answers)


def _pin_stanza(excerpts: Excerpts, wrap: bytes, carnet_id: int) -> Keys:
    found = excerpts.find(Label.PIN_STANZA)
    if found is None:
        raise Untrusted("the PIN stanza is missing")
    return Keys.from_bytes(found.unsealed(wrap, carnet_id))
