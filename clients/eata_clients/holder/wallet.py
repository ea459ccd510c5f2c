"""The wallet: look at a carnet by ID and PIN, sign it, prepare travels, show codes and history."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label, VoucherState
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.qr import CodeQr
from eata_ledger.proof.travelled import facts_of
from eata_ledger.seal.codes import Code, CodeKeys, CodeKind, code_keys
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import Keys
from eata_ledger.state import Carnet, CarnetState, Holder, Transaction, Voucher
from eata_ledger.wording import Audience
from eata_proto.v1 import ledger_pb2, reading_pb2, reading_pb2_grpc

from eata_clients.authoring import devices, holding, keeping
from eata_clients.authoring.content import NO_DETAILS, CarnetContent, Counterfoil, DeclarationContent, Stamp
from eata_clients.authoring.devices import DeviceKeys
from eata_clients.authoring.holding import RootKey, Wish
from eata_clients.authoring.keeping import GrantContent
from eata_clients.holder.downloaded import Downloaded
from eata_clients.holder.keystore import KeptCarnet, Keystore
from eata_clients.holder.learning import learned
from eata_clients.holder.travelling import WantedTravel, plan
from eata_clients.holder.unsent import is_of, seen_of, slots_of, unsent, waits
from eata_clients.net.errors import EataError, Untrusted
from eata_clients.net.numbers import carnet_id_of
from eata_clients.net.outbox import Outbox
from eata_clients.net.receipts import Committed, check_statement, receipt
from eata_clients.net.streaming import submit_many
from eata_clients.net.submitting import submit
from eata_clients.net.transport import Transport, now
from eata_clients.opened import documents
from eata_clients.opened.documents import Document
from eata_clients.opened.lending import lent
from eata_clients.opened.parts import Excerpts, open_carnet, open_counterfoil
from eata_clients.today import own_day
from eata_clients.trust.authors import Authors
from eata_clients.trust.comparing import Agreed, Comparing
from eata_clients.trust.registry import Registry
from eata_clients.trust.registry_pages import KeptRegistry

_TRUST_KEPT = 3_600_000  # ms
_WAITS = 7 * DAY  # how long a travel that no node could take may wait (trust §2)
Told = Callable[[Code], None]  # gets a holder code, to show it


def untold(code: Code) -> None:
    """For holders who want no code: a lost device is then replaced by another device's admission only."""


# what to prepare, or how to tell from the carnet as it is then
Wishes = tuple[Wish, ...] | Callable[[Downloaded], tuple[Wish, ...]]


@dataclass(frozen=True)
class Travelled:
    """A prepared travel: (slot, kind, territory) of each voucher, and what became of it."""

    slots: tuple[tuple[int, Kind, str], ...]
    done: Committed


class Wallet(Keystore):
    """One wallet folder over one transport."""

    def __init__(self, folder: Path, transport: Transport) -> None:
        super().__init__(folder)
        self.transport = transport
        transport.suspicions.folder = folder / "evidence"
        self._outbox = Outbox(folder / "outbox")
        self._registry = KeptRegistry(transport, folder)

    async def registry(self) -> Registry:
        """What the nodes have registered, verified; as of a minute ago at most. Raises `EataError`."""
        return await self._registry.get()

    # -- steps

    async def download(self, qr: CodeQr) -> Downloaded:
        """ID + PIN: the carnet for whoever looks at it (APP-06); it enrols nothing, and the PIN is not kept."""
        carnet_id, pin = await self.pin_keys(qr)
        agreed = await self._read(carnet_id, pin.sign)
        if self.holds(carnet_id):
            kept, secret = self.kept(carnet_id), _pin_stanza(await self._excerpts(agreed.reply), pin.wrap, carnet_id)
            version = Carnet.from_bytes(agreed.reply.record).content
            self.keep(replace(kept, pin_wrap=pin.wrap, content_key=secret, content_version=version))
            return await self.show(carnet_id)
        return await self._by_pin(agreed, pin)

    async def pin_keys(self, qr: CodeQr) -> tuple[int, CodeKeys]:
        """The carnet's ID, and what its PIN derives: 60 to 200 ms."""
        carnet_id = await carnet_id_of(self.transport, qr.carnet)
        return carnet_id, code_keys(qr.code, self.transport.network.ledger, carnet_id)

    async def _by_pin(self, agreed: Agreed, pin: CodeKeys) -> Downloaded:
        reply = agreed.reply
        carnet, excerpts = Carnet.from_bytes(reply.record), await self._excerpts(reply)
        secret = _pin_stanza(excerpts, pin.wrap, carnet.carnet_id)
        content = CarnetContent.from_bytes(open_carnet(excerpts, carnet, secret))
        return Downloaded(carnet, CarnetState.from_bytes(reply.state), content, [], [], reply, excerpts, agreed)

    async def _excerpts(self, reply: reading_pb2.CarnetReply) -> Excerpts:
        registry = await self.registry()
        authors = Authors(registry, Carnet.from_bytes(reply.record).issuer)
        return Excerpts(reply.entries, registry.genesis.ledger, authors)

    async def _read(self, carnet_id: int, key: SigningKey, as_of: str = "") -> Agreed:
        name = "/eata.v1.Wallet/Carnet"

        def ask(cursor: bytes) -> ledger_pb2.SignedRequest:
            query = reading_pb2.CarnetQuery(carnet_id=carnet_id, as_of=as_of, cursor=cursor)
            return self.transport.signed(name, query.SerializeToString(), [key])

        return await Comparing(
            self.transport, (await self.registry()).charter, lambda c: reading_pb2_grpc.WalletStub(c).Carnet, name, ask
        ).agreed()  # fmt: skip

    async def looked_up(self, carnet_id: int, key: SigningKey) -> tuple[Carnet, reading_pb2.CarnetReply, Excerpts]:
        """What the nodes tell whoever has this key, an honest one among them."""
        agreed = await self._read(carnet_id, key)
        _require_sure(agreed)
        reply = agreed.reply
        return Carnet.from_bytes(reply.record), reply, await self._excerpts(reply)

    async def show(self, carnet_id: int, as_of: str = "") -> Downloaded:
        """The carnet now, every counterfoil opened. A device that has asked to be admitted learns that it is."""
        waits = not self.holds(carnet_id) and self.waits(carnet_id)
        own = self.joining(self.transport.network.ledger, carnet_id).keys if waits else self.kept(carnet_id).keys
        try:
            agreed = await self._read(carnet_id, own.sign, as_of)
        except EataError as error:
            if not waits or error.code != "NOT_VISIBLE":
                raise
            raise EataError(
                "NOT_ADMITTED", "This device has not been admitted yet.",
                "Show its QR (`eata wallet join`) to a device that holds the carnet (`eata wallet admit`).",
            ) from None  # fmt: skip
        reply = agreed.reply
        carnet, excerpts = Carnet.from_bytes(reply.record), await self._excerpts(reply)
        known = None if waits else self.kept(carnet_id)
        kept = learned(known, own, carnet, reply, excerpts)
        content = CarnetContent.from_bytes(open_carnet(excerpts, carnet, kept.content_key))
        if kept != known:
            _require_sure(agreed)  # a root or a content key is learned from no node alone
            self.keep(kept)
        rows = [(row, self._counterfoil(kept, row, excerpts)) for row in map(Transaction.from_bytes, reply.rows)]
        vouchers = [Voucher.from_bytes(voucher) for voucher in reply.vouchers]
        self.remember(carnet_id, vouchers)
        await self._keep_trust(kept.ledger)
        return Downloaded(
            carnet, CarnetState.from_bytes(reply.state), content, rows, vouchers, reply, excerpts, agreed,
            self._lent(kept, vouchers, excerpts),
        )  # fmt: skip

    def _lent(self, kept: KeptCarnet, vouchers: list[Voucher], excerpts: Excerpts) -> dict[int, str]:
        """Slot → to whom the holder has lent it."""
        held = kept.holding
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
            await keeper.refresh(self.transport, await self.registry())
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
            found = await receipt(self.transport, charter, voucher.entry, entry_hash)
            facts_of(check_statement(found.statement, charter)[0].facts)
            parts = (declared.value, details.info.digest, packet.value)
            self.keep_card(carnet_id, voucher.slot, found.statement, parts)
            made.append(voucher.slot)
        return made

    def _counterfoil(self, kept: KeptCarnet, row: Transaction, excerpts: Excerpts) -> Counterfoil | None:
        return open_counterfoil(excerpts, row, leaf_key(kept.holding.journal(row.slot)), kept.carnet_id)

    async def sign(self, qr: CodeQr, told: Told = untold) -> Committed | None:
        """The holder's signature (N-03), on the carnet's first device: makes the holder root and the holder code.

        `told` gets the code before anything is sent: it is shown once and kept nowhere. None where this device has signed
        before. Raises `ALREADY_HELD`, `ALREADY_SIGNED` where another has: join it.
        """
        carnet_id, pin = await self.pin_keys(qr)
        if self.holds(carnet_id) and await self.still_holds(carnet_id):
            return await self.sign_again(carnet_id)
        shown = await self._by_pin(await self._read(carnet_id, pin.sign), pin)
        ledger, own, code = self.transport.network.ledger, DeviceKeys.new(), Code.random(CodeKind.HOLDER)
        number = Holder.from_bytes(shown.reply.holder).next_root
        root = RootKey(number, max(shown.state.next_slot, 1), os.urandom(32))
        content_key = _pin_stanza(shown.excerpts, pin.wrap, carnet_id)
        kept = KeptCarnet(
            ledger, carnet_id, shown.carnet.content, own.sign.seed, own.seal.seed, content_key, pin.wrap, (root,)
        )  # fmt: skip
        entry = devices.sign(kept.holding, pin, own.seal.public, code_keys(code, ledger, carnet_id), Stamp(now()))
        self.keep(kept)
        told(code)
        try:
            return await self.submit(entry)
        except EataError as error:
            if error.settled:
                self.drop(carnet_id)
            raise

    async def still_holds(self, carnet_id: int) -> bool:
        """False where this device was taken back, or never came to hold it: its keys are set aside, it may sign or join anew."""
        await self.resend()
        try:
            agreed = await self._read(carnet_id, self.kept(carnet_id).keys.sign)
        except EataError as error:
            if error.code != "NOT_VISIBLE":
                raise
            self.set_aside(carnet_id)
            return False
        return agreed.by > 0

    async def sign_again(self, carnet_id: int) -> Committed | None:
        """The holder's signature of an amended carnet, by any of its devices; None where one has signed before."""
        shown = await self.show(carnet_id)
        if shown.state.signed is not None:
            return None
        kept = self.kept(carnet_id)
        return await self.submit(devices.sign_again(kept.holding, kept.pin_wrap, Stamp(now())))

    async def travel_to(self, carnet_id: int, trip: WantedTravel) -> Travelled:
        """The vouchers that the way there needs, and the validation with the first of them (APP-15).

        Raises `EataError` and `Malformed` in the holder's words before anything is written.
        """
        registry = await self.registry()

        def wishes(shown: Downloaded) -> tuple[Wish, ...]:
            return plan(shown, trip, own_day(), registry.digital(shown.carnet.home, shown.carnet.issued))

        return await self.travel(carnet_id, wishes)

    async def travel(self, carnet_id: int, wishes: Wishes) -> Travelled:
        """Prepares a travel; rebuilds when another device took the slots.

        Where no node can take it, it is kept and waits: asked again, it is sent again, and no second one is made. Raises
        `TRAVEL_WAITS` then.
        """
        for _ in range(3):
            shown = await self.show(carnet_id)
            wanted = wishes(shown) if callable(wishes) else wishes
            earlier = unsent(self._outbox, carnet_id)
            entry = earlier[0] if earlier else self._travel(shown, wanted)
            try:
                done = await self.submit(entry)
            except EataError as error:
                if error.retryable:
                    raise waits(error) from None
                if not earlier and error.code != "SLOT_TAKEN":
                    raise
                continue
            self.remember_prepared(carnet_id, seen_of(entry))
            if is_of(entry, wanted):
                return Travelled(slots_of(entry), done)
        raise EataError("SLOT_TAKEN", "Other devices keep preparing travels.", "Wait a moment and try again.")

    def _travel(self, shown: Downloaded, wishes: tuple[Wish, ...]) -> Entry:
        held, first = self.holding(shown.carnet.carnet_id), shown.state.next_slot
        return holding.travel(held, first, wishes, Stamp(now(), life=_WAITS))[0]

    async def edit(self, carnet_id: int, travel_id: bytes, wishes: tuple[Wish, ...]) -> Committed:
        """Other contents for a travel's vouchers; their codes stay (C-28)."""
        open_states = (VoucherState.PREPARED, VoucherState.COMMITTED)
        shown = await self.show(carnet_id)
        slots = [v.slot for v in shown.vouchers if v.travel_id == travel_id and v.state in open_states]
        if not slots:
            raise EataError("TRAVEL_UNKNOWN", "No such travel.", "See `eata wallet show`.")
        wishes = tuple(  # what was said of the journey stays, where nothing else is said
            replace(wish, details=self.details(shown, slot)) if wish.details == NO_DETAILS else wish
            for slot, wish in zip(slots, wishes, strict=False)
        )
        return await self._change(
            carnet_id, holding.edit(self.holding(carnet_id), travel_id, slots, wishes, Stamp(now()))
        )

    async def delete(self, carnet_id: int, travel_id: bytes) -> Committed:
        """Gives an untransacted travel's sets back (APP-14)."""
        return await self._change(carnet_id, holding.delete(self.holding(carnet_id), travel_id, Stamp(now())))

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
        return first, await self._change(carnet_id, entry)

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
        receipts = await documents.store(self.transport, charter, [held.device], carnet_id, blob)
        entry = keeping.attach(
            held.ledger, held.device, carnet_id, held.content_version, held.content_key, content, blob, receipts,
            Stamp(now()),
        )  # fmt: skip
        return await self.submit(entry)

    async def documents(self, carnet_id: int) -> list[Document]:
        """The carnet's documents."""
        kept = self.kept(carnet_id)
        authors, reader = Authors(await self.registry()), documents.DocumentReader([SigningKey(kept.device)])
        return await documents.documents(self.transport, authors, carnet_id, reader, kept.content_key)

    async def document(self, carnet_id: int, found: Document) -> bytes:
        """One document's bytes."""
        reader = documents.DocumentReader([SigningKey(self.kept(carnet_id).device)])
        return await documents.fetch(self.transport, found, carnet_id, reader)

    async def lend(
        self, carnet_id: int, slot: int, to: GrantContent, window: tuple[int, int], authority: bytes | None = None
    ) -> Committed:
        """One voucher lent for a while (U11); renewing it takes it back. `authority`: the blob of a document."""
        entry = keeping.delegate(self.holding(carnet_id), slot, to, window, authority, Stamp(now()))
        return await self.submit(entry)

    async def submit(self, entry: Entry) -> Committed:
        """Kept in the outbox until it is final."""
        try:
            return await submit(self.transport, (await self.registry()).charter, entry, self._outbox)
        except EataError as error:
            raise error.told_to(Audience.HOLDER) from None

    async def _change(self, carnet_id: int, entry: Entry) -> Committed:
        """Submits what changes vouchers and looks at them again: codes are shown with no network too."""
        done = await self.submit(entry)
        with suppress(EataError):  # it is done, whether or not a node tells of it now
            await self.show(carnet_id)
        return done

    async def resend(self) -> int:
        """Sends what is not final yet, same bytes; returns how many are settled now."""
        charter, waiting = (await self.registry()).charter, self._outbox.waiting()
        answers = [answer async for _, answer in submit_many(self.transport, charter, waiting, self._outbox)]
        for answer in answers:
            if isinstance(answer, EataError) and not answer.settled:
                raise answer
        return sum(isinstance(answer, EataError) or answer.final for answer in answers)


def _require_sure(agreed: Agreed) -> None:
    if not agreed.sure:
        raise EataError("TOO_FEW_NODES", "Too few nodes tell this alike.", "Try again in a moment.", retryable=True)


def _pin_stanza(excerpts: Excerpts, wrap: bytes, carnet_id: int) -> bytes:
    """The content key, for whoever has the PIN."""
    found = excerpts.find(Label.PIN_STANZA)
    content = None if found is None else Keys.from_bytes(found.unsealed(wrap, carnet_id)).content
    if content is None:
        raise Untrusted("the PIN stanza is missing, or holds no content key")
    return content
