"""The officer's client: scan, see, decide, commit; and what a territory's opener can read afterwards."""

from dataclasses import dataclass
from pathlib import Path

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.carnet.warnings import warnings
from eata_ledger.proof.qr import CodeQr
from eata_ledger.seal.codes import CodeKeys, code_keys
from eata_ledger.seal.schedule import earlier, leaf_key
from eata_ledger.seal.stanza import Keys
from eata_ledger.state import Carnet, CarnetState, Transaction, Voucher
from eata_proto.v1 import reading_pb2, reading_pb2_grpc

from eata_clients.authoring import clearing
from eata_clients.authoring.clearing import Decision, Desk, Presented
from eata_clients.authoring.content import CarnetContent, Counterfoil, DeclarationContent, Stamp
from eata_clients.errors import EataError, Untrusted
from eata_clients.opening import open_carnet, open_part
from eata_clients.registry import Registry, fetch
from eata_clients.submitting import Committed, Outbox, carnet_id_of, submit
from eata_clients.transport import Transport, now


@dataclass(frozen=True)
class Scanned:
    """A voucher as opened at the desk: what Customs may see at this moment, and no more."""

    presented: Presented
    carnet: Carnet
    state: CarnetState
    content: CarnetContent
    details: DeclarationContent
    history: list[tuple[Transaction, Counterfoil | None]]

    def warnings(self, decision: Decision, day: int) -> list[str]:
        """What the rules will want acknowledged (C-20)."""
        finals = self.state.transit_finals if self.presented.kind.name == "TRANSIT_CLOSE" else self.state.finals
        late = day > finals.get(self.presented.territory, self.carnet.valid_until)
        found = warnings(
            decision.kind or self.presented.kind, self.presented.territory, self.state.balances,
            decision.items, decision.not_returned, late,
        )  # fmt: skip
        return sorted(warning.name for warning in found)


class CustomsClient:
    """One signed-in desk over one transport."""

    def __init__(self, folder: Path, transport: Transport, desk: Desk) -> None:
        self._transport, self._desk = transport, desk
        self._outbox = Outbox(folder / "outbox")
        self._registry: Registry | None = None

    async def registry(self) -> Registry:
        if self._registry is None:
            self._registry = await fetch(self._transport)
        return self._registry

    async def scan(self, qr: CodeQr) -> Scanned:
        """Opens the voucher behind a transaction code (ACC-21)."""
        carnet_id = await carnet_id_of(self._transport, qr.carnet)
        voucher_keys = code_keys(qr.code, self._transport.network.ledger, carnet_id)
        body = reading_pb2.VoucherQuery(
            voucher_key=voucher_keys.sign.public, office=self._desk.office
        ).SerializeToString()
        request = self._transport.signed(
            "/eata.v1.Customs/Voucher", body, [self._desk.key, voucher_keys.sign], self._desk.certificate
        )
        reply = await self._transport.call(lambda c: reading_pb2_grpc.CustomsStub(c).Voucher, request)
        return self._opened(reply, voucher_keys, carnet_id)

    def _opened(self, reply: reading_pb2.CarnetReply, voucher_keys: CodeKeys, carnet_id: int) -> Scanned:
        ledger = self._transport.network.ledger
        voucher = Voucher.from_bytes(reply.vouchers[0].record)
        parts = reply.vouchers[0].parts
        packet_bytes = open_part(parts, Label.PACKET, voucher_keys.wrap, ledger, carnet_id)
        if packet_bytes is None or voucher.voucher_key != voucher_keys.sign.public:
            raise Untrusted("the voucher's packet is missing")
        packet = Keys.from_bytes(packet_bytes)
        carnet = Carnet.from_bytes(reply.record)
        presented = Presented(
            carnet_id, voucher.slot, voucher.kind, voucher.territory, carnet.home, voucher.declaration,
            voucher.items, voucher.not_returned, voucher_keys, packet,
        )  # fmt: skip
        if packet.content is None:
            raise Untrusted("the packet holds no content key")
        content = CarnetContent.from_bytes(open_carnet(reply.parts, packet.content, ledger, carnet_id))
        details = open_part(parts, Label.DECLARATION, presented.leaf, ledger, carnet_id)
        if details is None:
            raise Untrusted("the declaration is missing")
        history = [(Transaction.from_bytes(row.record), self._counterfoil(row, presented)) for row in reply.rows]
        return Scanned(
            presented, carnet, CarnetState.from_bytes(reply.state), content,
            DeclarationContent.from_bytes(details), history,
        )  # fmt: skip

    def _counterfoil(self, row: reading_pb2.Row, presented: Presented) -> Counterfoil | None:
        """Readable as far as the packet's journal key reaches; later slots stay sealed."""
        slot, journal = Transaction.from_bytes(row.record).slot, presented.packet.journal
        if journal is None or slot > presented.slot:
            return None
        leaf = leaf_key(earlier(journal, presented.slot, slot))
        opened = open_part(row.parts, Label.COUNTERFOIL, leaf, self._transport.network.ledger, presented.carnet_id)
        return None if opened is None else Counterfoil.from_bytes(opened)

    async def commit(self, scanned: Scanned, decision: Decision, event_time: int | None = None) -> Committed:
        """Seals, signs with desk and voucher key, orders. The office's offset is the registry's."""
        registry = await self.registry()
        office = registry.offices.get(self._desk.office)
        if office is None:
            raise EataError("OFFICE_INACTIVE", f"Office {self._desk.office} is not registered.", "Choose another.")
        time = now() if event_time is None else event_time
        entry = clearing.commit(
            registry.genesis.ledger, self._desk, scanned.presented, decision, registry.live(time),
            registry.issuer(scanned.carnet.issuer), Stamp(time, office.offsets[0]),
        )  # fmt: skip
        return await submit(self._transport, registry.genesis, entry, self._outbox)

    async def carnet(self, carnet_id: int) -> reading_pb2.CarnetReply:
        """What the territory may see of a carnet it has met, for its opener."""
        body = reading_pb2.CarnetQuery(carnet_id=carnet_id).SerializeToString()
        request = self._transport.signed("/eata.v1.Customs/Carnet", body, [self._desk.key], self._desk.certificate)
        return await self._transport.call(lambda c: reading_pb2_grpc.CustomsStub(c).Carnet, request)
