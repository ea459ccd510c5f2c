"""The officer's client: scan, see, decide, commit; and what a territory's opener can read afterwards."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from eata_ledger.carnet.dates import local_day
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.goods.sampling import sample
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.encoding import Malformed
from eata_ledger.log import bodies, merkle
from eata_ledger.log.certificate import Certified
from eata_ledger.log.entry import Entry
from eata_ledger.outcomes import Outcome, advice, sentence
from eata_ledger.proof.qr import CodeQr, read_code
from eata_ledger.seal.codes import CodeKeys, CodeKind, code_keys
from eata_ledger.seal.schedule import final_key, leaf_key
from eata_ledger.seal.stanza import Keys
from eata_ledger.state import Carnet, CarnetState, HoldFact, Incident, Stay, Transaction, Voucher
from eata_proto.v1 import ledger_pb2, reading_pb2, reading_pb2_grpc

from eata_clients.authoring import clearing, deciding
from eata_clients.authoring.clearing import Decision, Desk, Presented, Recipient
from eata_clients.authoring.content import CarnetContent, Counterfoil, DeclarationContent, Remarks, Stamp
from eata_clients.customs.desk_file import signed_in
from eata_clients.customs.scanned import Scanned, declared
from eata_clients.customs.verdict import Verdict, stop, verdict
from eata_clients.net.errors import EataError, Untrusted
from eata_clients.net.numbers import carnet_id_of
from eata_clients.net.outbox import Outbox
from eata_clients.net.receipts import Committed, check_statement, receipt
from eata_clients.net.streaming import submit_many
from eata_clients.net.submitting import Told, submit
from eata_clients.net.transport import Transport, now
from eata_clients.opened import documents
from eata_clients.opened.arrivals import Arrival
from eata_clients.opened.documents import Document
from eata_clients.opened.journals import Journals
from eata_clients.opened.lending import lent
from eata_clients.opened.parts import Excerpts, Openers, open_carnet, open_counterfoil, open_remarks
from eata_clients.trust.authors import Authors
from eata_clients.trust.comparing import Agreed, Comparing, seen_by_territory
from eata_clients.trust.registry import Registry
from eata_clients.trust.registry_pages import KeptRegistry
from eata_clients.zones import offset_at

LIFE, AHEAD = 600_000, 60_000


class CustomsDesk:
    """One signed-in desk over one transport."""

    def __init__(self, folder: Path, transport: Transport, desk: Desk, openers: Openers | None = None) -> None:
        """`openers`: the territory's keys, which open what its officers have sealed."""
        self._transport, self._desk, self._openers = transport, desk, openers or {}
        transport.suspicions.folder = folder / "evidence"
        self._outbox = Outbox(folder / "outbox")
        self._registry = KeptRegistry(transport, folder)

    @classmethod
    def signed_in(cls, folder: Path, transport: Transport, openers: Openers | None = None) -> "CustomsDesk":
        """The desk whose officer has signed in there (`eata customs sign-in`). Raises `Fault`."""
        return cls(folder, transport, signed_in(folder), openers)

    async def registry(self) -> Registry:
        """What the nodes have registered, verified; as of a minute ago at most. Raises `EataError`."""
        return await self._registry.get()

    async def scan(self, code: CodeQr | str) -> Scanned:
        """Opens the voucher behind a transaction code, as a QR's text or “ID code” (ACC-21). Raises `EataError`, `Malformed`."""
        qr = read_code(code, CodeKind.TRANSACTION) if isinstance(code, str) else code
        carnet_id = await carnet_id_of(self._transport, qr.carnet)
        voucher_keys = code_keys(qr.code, self._transport.network.ledger, carnet_id)
        agreed = await self._told(carnet_id, voucher_keys)
        carnet, registry = Carnet.from_bytes(agreed.reply.record), await self.registry()
        if registry.attested < agreed.by:  # fewer vouch for the keys that all this is signed with
            agreed = replace(agreed, by=registry.attested)
            self._registry.forget()
        home, authors = registry.territories.get(carnet.home), Authors(registry, carnet.issuer)
        two_step = home is not None and home.two_step_export
        scanned = self._opened(agreed, authors, voucher_keys, two_step)
        if authors.stale:  # a desk that was registered a moment ago: the next scan knows it
            self._registry.forget()
        if not agreed.reply.documents:
            return scanned
        content = scanned.presented.packet.content
        assert content is not None, "looked at before"
        found = await documents.documents(self._transport, authors, carnet_id, self._reader(scanned), content)
        return replace(scanned, documents=found)

    async def _told(self, carnet_id: int, voucher: CodeKeys) -> Agreed:
        """What the nodes tell this desk of a voucher, alike."""
        name = "/eata.v1.Customs/Voucher"

        def ask(cursor: bytes) -> ledger_pb2.SignedRequest:
            query = reading_pb2.VoucherQuery(
                carnet_id=carnet_id, voucher_key=voucher.sign.public, office=self._desk.office, cursor=cursor
            )
            signers = [self._desk.key, voucher.sign]
            return self._transport.signed(name, query.SerializeToString(), signers, self._desk.certificate)

        return await Comparing(
            self._transport, (await self.registry()).charter, lambda c: reading_pb2_grpc.CustomsStub(c).Voucher, name, ask
        ).agreed()  # fmt: skip

    def _reader(self, scanned: Scanned) -> documents.DocumentReader:
        voucher = scanned.presented.voucher.sign
        return documents.DocumentReader([self._desk.key, voucher], self._desk.certificate, voucher.public)

    def _opened(self, agreed: Agreed, authors: Authors, voucher_keys: CodeKeys, two_step: bool) -> Scanned:
        ledger, reply = self._transport.network.ledger, agreed.reply
        excerpts, carnet = Excerpts(reply.entries, ledger, authors), Carnet.from_bytes(reply.record)
        carnet_id, voucher = carnet.carnet_id, Voucher.from_bytes(reply.vouchers[0])
        declaration, digest = declared(excerpts, voucher, voucher_keys.sign.public, ledger, carnet_id)
        sealed, private = (
            excerpts.find(label, voucher.entry, voucher.slot) for label in (Label.PACKET, Label.DECLARATION)
        )
        if sealed is None or private is None:
            raise Untrusted("the voucher's packet or its declaration is missing")
        packet = Keys.from_bytes(sealed.unsealed(voucher_keys.wrap, carnet_id))
        presented = Presented(
            carnet_id, declaration.slot, declaration.kind, declaration.territory, carnet.home, digest,
            declaration.items, declaration.not_returned, voucher_keys, packet,
        )  # fmt: skip
        if packet.content is None:
            raise Untrusted("the packet holds no content key")
        if declaration.content != carnet.content:
            raise EataError("STALE_VERSION", sentence(Outcome.STALE_VERSION), "Ask the holder to prepare it again.")
        content = CarnetContent.from_bytes(open_carnet(excerpts, carnet, packet.content))
        details = DeclarationContent.from_bytes(private.unsealed(presented.leaf, carnet_id))
        rows, own = [Transaction.from_bytes(row) for row in reply.rows], presented.territory
        incidents = [Incident.from_bytes(incident) for incident in reply.incidents]
        stays = {stay.territory: stay for stay in map(Stay.from_bytes, reply.stays)}
        return Scanned(
            presented, carnet, CarnetState.from_bytes(reply.state), stays.get(own, Stay.blank(own)),
            HoldFact.from_bytes(reply.hold) if reply.hold else None, voucher, two_step, content, details,
            [(row, _counterfoil(excerpts, row, presented)) for row in rows],
            incidents,
            [(link.relation, link.number) for link in reply.links],
            (voucher.entry, excerpts.entry_hash(voucher.entry)),
            [(shown.office, shown.time) for shown in reply.presentations], [], reply.root,
            lent(excerpts, voucher.slot, presented.leaf, carnet_id), agreed,
            self._said(excerpts, [*(row.index for row in rows), *(one.index for one in incidents)], carnet_id),
            _notes(excerpts, rows, incidents, presented),
        )  # fmt: skip

    def _said(self, excerpts: Excerpts, indexes: list[int], carnet_id: int) -> dict[int, Remarks]:
        found = {index: open_remarks(excerpts, index, self._openers, carnet_id) for index in indexes}
        return {index: said for index, said in found.items() if said is not None}

    async def office(self) -> bodies.RegisterOffice:
        """The desk's own office, from the registry."""
        found = (await self.registry()).offices.get(self._desk.office)
        if found is None:
            raise EataError("OFFICE_INACTIVE", f"Office {self._desk.office} is not registered.", "Choose another.")
        return found

    async def clock(self) -> tuple[int, int]:
        """Now, ms UTC, and the offset in minutes that the office's clocks show."""
        time = now()
        return time, offset_at(await self.office(), time)

    async def verdict(self, scanned: Scanned, decision: Decision, at: tuple[int, int] | None = None) -> Verdict:
        """May this be committed as it stands, on the office's day now or `at` (ms UTC, offset in minutes)? The log decides."""
        digital = (await self.registry()).digital(scanned.carnet.home, scanned.carnet.issued)
        time, offset = at or await self.clock()
        if scanned.lent is not None and not scanned.lent.valid_from <= time <= scanned.lent.valid_to:
            return stop(Outcome.DELEGATION_OVER)
        return verdict(scanned, decision, local_day(time, offset), digital)

    async def commit(
        self, scanned: Scanned, decision: Decision, at: tuple[int, int] | None = None, controller: Desk | None = None,
        told: Told | None = None,
    ) -> Committed:  # fmt: skip
        """Seals, signs with desk and voucher key (and a controller's), orders; `told` hears of it before it is final.

        `at`: when it happened, if not now: ms UTC, and the offset in minutes that the office's clocks showed.
        """
        registry = await self.registry()
        time, offset = at or await self.clock()
        if time > now() + AHEAD:  # kept and sent again, it would be logged by itself once its time has come
            raise EataError(Outcome.EVENT_AHEAD.name, sentence(Outcome.EVENT_AHEAD), advice(Outcome.EVENT_AHEAD))
        entry = clearing.commit(
            registry.genesis.ledger, self._desk, scanned.presented, decision, registry.live(time),
            registry.issuer(scanned.carnet.issuer), Stamp(time, offset, life=max(now() - time, 0) + LIFE),
            controller,
        )  # fmt: skip
        return await self._submit(entry, told)

    async def _submit(self, entry: Entry, told: Told | None = None) -> Committed:
        try:
            return await submit(self._transport, (await self.registry()).charter, entry, self._outbox, told=told)
        except EataError as error:
            if error.code == "STANZAS_WRONG":  # perhaps a new key generation: the next try knows it
                self._registry.forget()
            raise

    async def document(self, scanned: Scanned, found: Document) -> bytes:
        """One of the carnet's documents, by the voucher that was shown."""
        return await documents.fetch(self._transport, found, scanned.carnet.carnet_id, self._reader(scanned))

    async def sample(self, scanned: Scanned, count: int) -> Items:
        """Items to inspect, drawn from the declaration's leaf and this desk's certificate (U8)."""
        registry = await self.registry()
        found = await receipt(self._transport, registry.charter, *scanned.declared_in)
        leaf = check_statement(found.statement, registry.charter)[0].leaf
        serial = Certified.from_bytes(self._desk.certificate).certificate.serial
        return sample(merkle.leaf_hash(leaf.to_bytes()), serial, scanned.presented.items, count)

    def waiting(self) -> list[Entry]:
        """What this desk has sent that is not final yet."""
        return self._outbox.waiting()

    async def until_final(self) -> str:
        """What to do with the goods while a commit is only ordered: the administration's own rule."""
        administration = (await self.office()).administration
        if (await self.registry()).goods_pass(administration):
            return f"Goods may pass on it: {administration}'s rule. It turns green when enough nodes are back."
        return f"Keep the goods until it is green: {administration}'s rule. It turns green when enough nodes are back."

    # -- the other decisions

    async def _place(self) -> tuple[bytes, Recipient | None, Stamp]:
        """Ledger, the own territory's live key, and the desk's stamp."""
        registry, office, (time, offset) = await self.registry(), await self.office(), await self.clock()
        return registry.genesis.ledger, registry.live(time).get(office.territory), Stamp(time, offset)

    async def reject(self, scanned: Scanned, reason: str) -> Committed:
        """Turns the voucher down; its code stays good (N-04)."""
        ledger, own, stamp = await self._place()
        return await self._submit(
            deciding.reject(ledger, self._desk, scanned.presented, _given(reason), own, stamp)
        )  # fmt: skip

    async def hold(self, carnet_id: int, reason: str) -> Committed:
        """Stops the carnet in this territory until it is released (ACC-40)."""
        ledger, own, stamp = await self._place()
        return await self._submit(deciding.hold(ledger, self._desk, carnet_id, _given(reason), own, stamp))

    async def release(self, carnet_id: int, note: str = "") -> Committed:
        """Ends a hold, by its office or a controller; `note` is sealed for the own territory (ACC-42). Raises `EataError`."""
        ledger, own, stamp = await self._place()
        return await self._submit(deciding.release(ledger, self._desk, carnet_id, note, own, stamp))

    async def cancellable(self, qr: CodeQr) -> list[Transaction]:
        """The live transactions of this territory that a cancellation code may be of; the ledger judges which (ACC-30)."""
        rows, office = await self._rows(await carnet_id_of(self._transport, qr.carnet)), await self.office()
        return [
            row
            for row in rows
            if row.territory == office.territory and row.cancelled is None and row.kind is not Kind.PRE_EXPORTATION
        ]

    async def cancel(self, qr: CodeQr, index: int, reason: str) -> Committed:
        """Undoes the transaction at a ledger index with the holder's cancellation code (ACC-30)."""
        carnet_id = await carnet_id_of(self._transport, qr.carnet)
        ledger, own, stamp = await self._place()
        code = code_keys(qr.code, ledger, carnet_id)
        row = next((row for row in await self._rows(carnet_id) if row.index == index), None)
        if row is None:
            raise EataError("TRANSACTION_UNKNOWN", "No such transaction here.", "See `eata customs transactions`.")
        return await self._submit(
            deciding.cancel(ledger, self._desk, carnet_id, index, row.slot, code, _given(reason), own, stamp)
        )  # fmt: skip

    async def extend(
        self, leaving: Scanned, staying: Scanned, decisions: tuple[Decision, Decision]
    ) -> tuple[Committed, Committed]:
        """A longer stay: the re-exportation and a new importation at one desk (ACC-32)."""
        kinds = (leaving.presented.kind, staying.presented.kind)
        if kinds != (Kind.REEXPORTATION, Kind.IMPORTATION):
            raise Malformed("an extension is a re-exportation and a new importation, in this order")
        until = staying.carnet.valid_until if decisions[1].final_day is None else decisions[1].final_day
        if any(opening.final_day > until for opening in leaving.stay.arrivals if opening.items & decisions[1].items):
            raise Malformed("the goods may stay longer than that already: an extension ends later")
        return await self.commit(leaving, decisions[0]), await self.commit(staying, decisions[1])

    async def answer(self, arrival: Arrival, acknowledged: bool, text: str) -> Committed:
        """Acknowledges or rejects a pre-notification (ACC-44); needs the opener's key for the notice."""
        if arrival.key is None:
            raise EataError("CANNOT_OPEN", "This notice does not open here.", "Use your territory's opener.")
        ledger, _, stamp = await self._place()
        notice = arrival.notice
        return await self._submit(
            deciding.answer(
                ledger, self._desk, notice.carnet_id, notice.slot, notice.notice_id, acknowledged, text, arrival.key, stamp
            )
        )  # fmt: skip

    async def resend(self) -> list[tuple[Entry, Committed | EataError]]:
        """Sends what was not answered, same bytes: a commit of one's own is found, never made twice (P7).

        Oldest first; what a booth decided meanwhile may be refused by the rules, and is told.
        """
        charter = (await self.registry()).charter
        waiting = sorted(self._outbox.waiting(), key=lambda entry: entry.header.event_time)
        answers = submit_many(self._transport, charter, waiting, self._outbox, record=True)
        return [answered async for answered in answers]

    async def _rows(self, carnet_id: int) -> list[Transaction]:
        return [Transaction.from_bytes(row) for row in (await self.carnet(carnet_id)).rows]

    async def carnet(self, carnet_id: int) -> reading_pb2.CarnetReply:
        """What the territory may see of a carnet it has met, for its opener."""
        return await seen_by_territory(self._transport, (await self.registry()).charter, self._desk, carnet_id)


def _notes(
    excerpts: Excerpts, rows: list[Transaction], incidents: list[Incident], presented: Presented
) -> dict[int, list[str]]:
    """What the holder has against a transaction (U12), for whoever may read its counterfoil."""
    slots, found = {row.index: row.slot for row in rows}, dict[int, list[str]]()
    for incident in incidents:
        slot = None if incident.about is None else slots.get(incident.about)
        key = None if slot is None else _leaf(excerpts, presented, slot)
        if incident.about is None or slot is None or key is None:
            continue
        with suppress(Untrusted, Malformed):
            part = excerpts.find(Label.NOTE, incident.index, slot)
            if part is not None:
                said = Remarks.from_bytes(part.unsealed(key, presented.carnet_id)).remarks
                found.setdefault(incident.about, []).append(said)
    return found


def _leaf(excerpts: Excerpts, presented: Presented, slot: int) -> bytes | None:
    """L of a slot, as far as the packet's journal key reaches."""
    journal = presented.packet.journal
    if journal is None or slot > presented.slot:
        return presented.leaf if slot == presented.slot else None
    own = Journals(journal, presented.slot, excerpts, presented.carnet_id).journal(slot)
    return None if own is None else leaf_key(own)


def _counterfoil(excerpts: Excerpts, row: Transaction, presented: Presented) -> Counterfoil | None:
    """Readable as far as the packet's journal key reaches; the final re-importation for all who had C_v."""
    journal, content = presented.packet.journal, presented.packet.content
    if journal is not None and row.slot <= presented.slot:
        own = Journals(journal, presented.slot, excerpts, presented.carnet_id).journal(row.slot)
        return None if own is None else open_counterfoil(excerpts, row, leaf_key(own), presented.carnet_id)
    if content is not None:
        return open_counterfoil(excerpts, row, final_key(content), presented.carnet_id, Label.FINAL)
    return None


def _given(reason: str) -> str:
    if not reason.strip():
        raise EataError("REASON_REQUIRED", "A reason is needed.", "Type at least one word.")
    return reason
