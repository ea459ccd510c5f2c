"""What each reader gets of a carnet: the node's half of the visibility rule (keys are the other half)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from eata_ledger.carnet.balances import EMPTY, NOTHING, Balances
from eata_ledger.carnet.dates import day_of, iso, local_day
from eata_ledger.carnet.reconciliation import Reason, reconcile
from eata_ledger.carnet.visibility import Seen, visible
from eata_ledger.carnet.vocabulary import ARRIVALS, Kind, Label, OrderType, VoucherState
from eata_ledger.facts import Facts, key_of
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.bodies import Commit, EntryType
from eata_ledger.proof.entry import Header, PartInfo
from eata_ledger.proof.leaf import Leaf
from eata_ledger.rules.links import REPLACED_BY, REPLACES
from eata_ledger.state import (
    Attached,
    Carnet,
    CarnetState,
    Chain,
    Device,
    Family,
    Grant,
    Incident,
    Link,
    Notice,
    NoticeOfVoucher,
    PinWrapped,
    Repaired,
    RevokedDevice,
    Shredded,
    Territory,
    Transaction,
    Voucher,
    of_territory,
)
from eata_proto.v1 import ledger_pb2, reading_pb2

from eata_node import views
from eata_node.guarding import Trouble, refusal, trouble
from eata_node.replica import Replica

T = TypeVar("T")
_INCIDENTS = 250
_REFUSED = 20
_RELATIONS = (
    (OrderType.REPLACEMENT, REPLACES, "REPLACES"), (OrderType.REPLACEMENT, REPLACED_BY, "REPLACED_BY"),
    (OrderType.TWIN, REPLACES, "TWIN"), (OrderType.TWIN, REPLACED_BY, "TWIN"),
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """A carnet with its state and transactions, as stored now."""

    carnet: Carnet
    state: CarnetState
    rows: list[Transaction]

    def balances(self, as_of: int) -> Balances:
        """The balances at the end of the day `as_of`, by office-local event days."""
        balances = EMPTY
        for row in self.rows:
            if row.cancelled is None and local_day(row.event_time, row.offset) <= as_of:
                balances = balances.after(row.kind, row.territory, row.items, row.not_returned)
        return balances

    def seen_by(self, viewer: str, arriving: bool) -> list[Transaction]:
        seen = [Seen(row.kind, row.territory, row.cancelled is not None) for row in self.rows]
        return [self.rows[n] for n in visible(seen, viewer, self.carnet.home, arriving)]

    def met_by(self, territory: str) -> bool:
        """Home, or a territory that has a transaction of its own on it."""
        return territory == self.carnet.home or any(row.territory == territory for row in self.rows)


class Carnets:
    """Assembles replies from a replica's store."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def carnet(self, carnet_id: int) -> Carnet:
        found = Facts(self._replica.store).get(Carnet, carnet_id)
        assert found is not None, "facts name carnets that exist"
        return found

    def view(self, carnet_id: int) -> View:
        facts = Facts(self._replica.store)
        carnet, state = facts.get(Carnet, carnet_id), facts.get(CarnetState, carnet_id)
        if carnet is None or state is None:
            raise trouble(Trouble.NOT_VISIBLE)  # the same answer as for a carnet that is not the reader's
        rows = [
            Transaction.from_bytes(value)
            for _, value in self._replica.store.facts(int(Family.TRANSACTION), key_of(carnet_id))
        ]
        return View(carnet, state, rows)

    def kept(self, carnet_id: int) -> View:
        """A carnet whose contents have not been erased."""
        view = self.view(carnet_id)
        if Facts(self._replica.store).get(Shredded, carnet_id) is not None:
            raise refusal(Outcome.CARNET_ERASED)
        return view

    def vouchers(self, carnet_id: int) -> list[Voucher]:
        pairs = self._replica.store.facts(int(Family.VOUCHER), key_of(carnet_id))
        return [Voucher.from_bytes(value) for _, value in pairs]

    def live_keys(self, territory: str) -> set[bytes]:
        """Every key generation of a territory: what its opener may hold the private half of."""
        found = Facts(self._replica.store).get(Territory, territory)
        return set() if found is None else {key.id for key in found.keys}

    def parts(self, index: int, labels: Iterable[Label], slot: int | None = None, to: set[bytes] | None = None) -> (
        list[reading_pb2.SealedPart]
    ):  # fmt: skip
        """Parts of an entry by label; of one slot; stanzas only to the key ids in `to`."""
        stored = self._replica.store.entry(index)
        assert stored is not None, "facts name entries that exist"
        wanted = set(labels)
        found = []
        for number, info in enumerate(Header.from_bytes(stored.header).parts):
            if info.label in wanted and slot in (None, info.slot) and _addressed(info, to):
                value = self._replica.store.part(index, number)
                if value:
                    found.append(reading_pb2.SealedPart(header=stored.header, number=number, value=value))
        return found

    def mended(self, carnet_id: int, index: int, to: set[bytes] | None) -> list[reading_pb2.SealedPart]:
        """Stanzas that others have added for the entry at `index`."""
        found = Facts(self._replica.store).get(Repaired, carnet_id, index)
        entries = () if found is None else found.entries
        return [part for entry in entries for part in self.parts(entry, {Label.STANZA}, to=to)]

    def documents(self, carnet_id: int) -> list[reading_pb2.SealedPart]:
        """Names and keys of a carnet's attachments, for whoever has its content key."""
        found = Facts(self._replica.store).get(Attached, carnet_id)
        entries = () if found is None else found.entries
        return [part for entry in entries for part in self.parts(entry, {Label.ATTACHMENT})]

    def pin_entry(self, view: View) -> int:
        """The entry with the newest PIN stanza: issue, amendment, signature, rotation, or a device's wrapping."""
        found = Facts(self._replica.store).get(PinWrapped, view.carnet.carnet_id)
        return max(view.carnet.entry, view.state.signed or 0, 0 if found is None else found.entry)

    def met(self, carnet_id: int, territory: str) -> bool:
        return self.view(carnet_id).met_by(territory)

    def row(
        self, carnet_id: int, row: Transaction, labels: Iterable[Label], to: set[bytes] | None = None
    ) -> reading_pb2.Row:
        wanted = set(labels)
        parts = self.parts(row.index, wanted, row.slot, to)
        if Label.STANZA in wanted:
            parts += self.mended(carnet_id, row.index, to)
        return reading_pb2.Row(index=row.index, record=row.to_bytes(), parts=parts)

    def rows_for(self, view: View, viewer: str, arriving: bool) -> list[reading_pb2.Row]:
        """A territory's rows: counterfoils of what it sees, remarks and stanzas of its own, the final one."""
        keys, home = self.live_keys(viewer), viewer == view.carnet.home
        nothing_out = not view.state.home_out
        rows = []
        for row in view.seen_by(viewer, arriving):
            labels = {Label.COUNTERFOIL}
            if row.territory == viewer or home:
                labels |= {Label.REMARKS, Label.STANZA}
            if row.kind is Kind.REIMPORTATION and nothing_out:
                labels.add(Label.FINAL)
            rows.append(self.row(view.carnet.carnet_id, row, labels, keys))
        return rows

    def voucher(self, carnet_id: int, voucher: Voucher, labels: Iterable[Label]) -> reading_pb2.Voucher:
        parts = self.parts(voucher.entry, labels, voucher.slot)
        grant = Facts(self._replica.store).get(Grant, carnet_id, voucher.slot)
        if grant is not None:
            parts += self.parts(grant.entry, {Label.GRANT}, voucher.slot)
        given = b"" if grant is None else grant.to_bytes()
        return reading_pb2.Voucher(slot=voucher.slot, record=voucher.to_bytes(), parts=parts, grant=given)

    def reply(self, view: View, as_of: str = "") -> reading_pb2.CarnetReply:
        """Record, state and reconciliation: what every authorised reader gets."""
        today = day_of(as_of) if as_of else self.today()
        status, reasons = reconcile(view.balances(today), view.carnet.home, view.carnet.valid_until, today)
        return reading_pb2.CarnetReply(
            record=view.carnet.to_bytes(),
            state=view.state.to_bytes(),
            reconciliation=reading_pb2.Reconciliation(
                status=status.value, as_of=iso(today),
                reasons=self.reasons(reasons),
            ),
            links=self.links(view.carnet.carnet_id),
            session=self.session(),
        )  # fmt: skip

    @staticmethod
    def reasons(found: Iterable[Reason]) -> list[reading_pb2.Reason]:
        return [reading_pb2.Reason(kind=r.kind.value, territory=r.territory, items=str(r.items)) for r in found]

    def links(self, carnet_id: int) -> list[reading_pb2.CarnetLink]:
        """What it replaces, what replaces it, its twins (CORE-06, NICS-08)."""
        facts, found = Facts(self._replica.store), []
        for relation, direction, name in _RELATIONS:
            link = facts.get(Link, carnet_id, int(relation), direction)
            for other in () if link is None else link.others:
                number = self.carnet(other).number
                found.append(reading_pb2.CarnetLink(relation=name, carnet_id=other, number=number))
        return found

    def incidents(
        self, carnet_id: int, viewer: str | None, rows: Iterable[reading_pb2.Row]
    ) -> list[reading_pb2.Incident]:
        """What happened around a carnet. A territory sees its own, with the reasons; None is the holder, without.

        A disagreement note goes with its transaction: whoever sees the row gets the note's sealed part.
        """
        keys = set() if viewer is None else self.live_keys(viewer)
        visible = {row.index for row in rows}
        found = []
        stored = [value for _, value in self._replica.store.facts(int(Family.INCIDENT), key_of(carnet_id))]
        for value in stored[-_INCIDENTS:]:
            incident = Incident.from_own(value)
            noted = incident.type is EntryType.DISAGREE and incident.about in visible
            if viewer is None or noted or incident.territory == viewer:
                labels = {Label.NOTE} if noted else set() if viewer is None else {Label.REMARKS, Label.STANZA}
                parts = self.parts(incident.index, labels, to=keys)
                if Label.STANZA in labels:
                    parts += self.mended(carnet_id, incident.index, keys)
                found.append(reading_pb2.Incident(index=incident.index, record=value, parts=parts))
        return found

    def asks(self, carnet_id: int) -> list[reading_pb2.Incident]:
        """What the holder has asked of the issuer (APP-27)."""
        stored = self._replica.store.facts(int(Family.INCIDENT), key_of(carnet_id))
        found = [Incident.from_own(value) for _, value in stored]
        return [
            reading_pb2.Incident(index=i.index, record=i.to_bytes(), parts=self._asked(i.index))
            for i in found if i.type is EntryType.ASK
        ]  # fmt: skip

    def _asked(self, index: int) -> list[reading_pb2.SealedPart]:
        """The request's own header says what was asked; it has no sealed part."""
        stored = self._replica.store.entry(index)
        return [] if stored is None else [reading_pb2.SealedPart(header=stored.header)]

    def refused(self, carnet_id: int) -> list[reading_pb2.RefusedCommit]:
        """The newest commits that officers signed and the rules refused."""
        found = []
        for index, _ in self._replica.store.view_back(views.refused_of(carnet_id)):
            stored = self._replica.store.entry(index)
            header = None if stored is None else Header.from_bytes(stored.header)
            if stored is not None and header is not None and isinstance(header.body, Commit):
                code = Outcome(Leaf.from_bytes(stored.leaf).outcome).name
                found.append(reading_pb2.RefusedCommit(
                    index=index, code=code, office=header.body.office, slot=header.body.slot,
                    event_time=header.event_time,
                ))  # fmt: skip
            if len(found) == _REFUSED:
                break
        return found

    def devices(self, carnet_id: int) -> list[reading_pb2.DeviceState]:
        """Every device enrolled for the carnet, for its holder."""
        facts, found = Facts(self._replica.store), []
        for key, value in self._replica.store.facts(int(Family.DEVICE), key_of(carnet_id)):
            kid, device = key[8:], Device.from_own(value)
            revoked = facts.get(RevokedDevice, carnet_id, kid) is not None
            found.append(reading_pb2.DeviceState(key_id=kid, role=device.role.name, revoked=revoked))
        return found

    def notices(self, vouchers: Iterable[Voucher], carnet_id: int) -> list[reading_pb2.NoticeState]:
        """The newest pre-notification of each voucher, with details and answer: for the holder."""
        facts, found = Facts(self._replica.store), []
        for voucher in vouchers:
            place = facts.get(NoticeOfVoucher, carnet_id, voucher.slot)
            notice = None if place is None else facts.get(Notice, of_territory(place.territory), place.notice_id)
            if notice is not None:
                parts = self.parts(notice.entry, {Label.NOTICE})
                parts += [] if notice.answer is None else self.parts(notice.answer, {Label.ANSWER})
                found.append(reading_pb2.NoticeState(record=notice.to_bytes(), parts=parts))
        return found

    def session(self) -> ledger_pb2.Session:
        return ledger_pb2.Session(era=self._replica.state.era, position=max(self._replica.position, 0))

    def today(self) -> int:
        """The day of the last tick; log time's day before any tick."""
        chain = Facts(self._replica.store).get(Chain, b"")
        if chain is not None and chain.as_of:
            return chain.as_of
        return local_day(self._replica.state.log_time, 0)

    def redacted(self, view: View, viewer: str, arriving: bool) -> reading_pb2.CarnetReply:
        """For a foreign territory: balances of others, and set counters, are not its business."""
        reply = self.reply(view)
        if viewer != view.carnet.home and not arriving:
            reply.state = narrowed(view.state, viewer).to_bytes()
            reply.ClearField("reconciliation")
        return reply


def narrowed(state: CarnetState, viewer: str) -> CarnetState:
    """Only the viewer's own balances; sets, rows and what is out of home are the holder's and home's."""

    def own(table: dict[str, T]) -> dict[str, T]:
        return {territory: held for territory, held in table.items() if territory == viewer}

    return replace(
        state, rows=0, next_slot=0, sets={}, home_out=NOTHING, admitted=own(state.admitted),
        transit=own(state.transit), arrivals=own(state.arrivals), transits=own(state.transits),
    )  # fmt: skip


def _addressed(info: PartInfo, to: set[bytes] | None) -> bool:
    return info.label is not Label.STANZA or to is None or info.recipient in to


def arriving(voucher: Voucher) -> bool:
    """True while this voucher is an arrival not yet committed: its territory sees everything so far."""
    return voucher.kind in ARRIVALS and voucher.state is VoucherState.PREPARED
