"""What each reader gets of a carnet: the node's half of the visibility rule (keys are the other half)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from eata_ledger.carnet.dates import day_of, iso, local_day
from eata_ledger.carnet.goods.balances import EMPTY, NOTHING, Balances
from eata_ledger.carnet.journeys.reconciliation import Reason, reconcile
from eata_ledger.carnet.visibility import Seen, visible
from eata_ledger.carnet.vocabulary import ARRIVALS, Kind, Label, OrderType, Status, VoucherState
from eata_ledger.facts import Facts, key_of
from eata_ledger.log.bodies import Commit, EntryType
from eata_ledger.log.entry import Header
from eata_ledger.log.leaf import Leaf
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.links import REPLACED_BY, REPLACES
from eata_ledger.state import (
    Attached,
    Carnet,
    CarnetState,
    Chain,
    Device,
    Fact,
    GoodsOut,
    Grant,
    Holder,
    HoldFact,
    Incident,
    Link,
    Notice,
    NoticeOfVoucher,
    PinWrapped,
    Repaired,
    Shredded,
    Stay,
    Transaction,
    Voucher,
    of_territory,
)
from eata_ledger.state.holder import NOBODY
from eata_proto.v1 import ledger_pb2, reading_pb2

from eata_node.replica import views
from eata_node.replica.replica import Replica
from eata_node.rpc.errors import Trouble, refusal, trouble
from eata_node.services.excerpts import ExcerptsOut, Item, Wanted, fill, place

F = TypeVar("F", bound=Fact)
_INCIDENTS = 250  # of each kind that a territory, a holder or an issuer may make many of
_REFUSED = 20
_RELATIONS = (
    (OrderType.REPLACEMENT, REPLACES, "REPLACES"), (OrderType.REPLACEMENT, REPLACED_BY, "REPLACED_BY"),
    (OrderType.TWIN, REPLACES, "TWIN"), (OrderType.TWIN, REPLACED_BY, "TWIN"),
)  # fmt: skip
# the order of a reply's sections
_CONTENT, _ROOTS, _LINKS, _VOUCHERS, _ROWS, _INCIDENT, _NOTICES, _REFUSALS, _DEVICES = range(9)
_OWN = frozenset({Label.REMARKS, Label.STANZA})


@dataclass(frozen=True)
class View:
    """A carnet with its state, stays and transactions, as stored now."""

    carnet: Carnet
    state: CarnetState
    stays: list[Stay]
    rows: list[Transaction]

    @property
    def goods(self) -> GoodsOut:
        return GoodsOut.of(self.state, self.stays)

    def balances(self, as_of: int) -> Balances:
        """The balances at the end of the day `as_of`, by office-local event days."""
        balances = EMPTY
        for row in self.rows:
            if row.cancelled is None and local_day(row.event_time, row.offset) <= as_of:
                balances = balances.after(row.kind, row.territory, row.items, row.not_returned)
        return balances

    def seen_by(self, viewer: str, arriving: bool) -> list[int]:
        """The numbers of the rows that a territory sees."""
        seen = [
            Seen(row.kind, row.territory, row.cancelled is not None, row.items | row.not_returned) for row in self.rows
        ]
        return visible(seen, viewer, self.carnet.home, arriving)

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
        return View(carnet, state, self._all(Stay, carnet_id), self._all(Transaction, carnet_id))

    def _all(self, kind: type[F], carnet_id: int) -> list[F]:
        """A carnet's facts of one kind, by their keys."""
        return [kind.from_own(value) for _, value in self._replica.store.facts(int(kind.FAMILY), key_of(carnet_id))]

    def kept(self, carnet_id: int) -> View:
        """A carnet whose contents have not been erased."""
        view = self.view(carnet_id)
        if Facts(self._replica.store).get(Shredded, carnet_id) is not None:
            raise refusal(Outcome.CARNET_ERASED)
        return view

    def keys_of(self, territory: str) -> frozenset[bytes]:
        """Every key generation of a territory there ever was: what its opener may hold the private half of."""
        return frozenset(key for _, key in self._replica.store.view(views.keys_of(territory)))

    def met(self, carnet_id: int, territory: str) -> bool:
        return self.view(carnet_id).met_by(territory)

    def excerpts(self) -> ExcerptsOut:
        return ExcerptsOut(self._replica.store)

    # -- what a reply rests on

    def mended(self, carnet_id: int, index: int, to: frozenset[bytes]) -> Iterator[Wanted]:
        """Stanzas that others have added for the entry at `index`."""
        for _, value in self._replica.store.facts(int(Repaired.FAMILY), key_of(carnet_id, index)):
            for entry in Repaired.from_own(value).entries:
                yield Wanted(entry, frozenset({Label.STANZA}), to=to)

    def attached(self, carnet_id: int) -> tuple[int, ...]:
        """The entries that brought a carnet's documents."""
        found = Facts(self._replica.store).get(Attached, carnet_id)
        return () if found is None else found.entries

    def _pin_entry(self, view: View) -> int:
        """The entry with the newest PIN stanza: issue, amendment, a new PIN."""
        found = Facts(self._replica.store).get(PinWrapped, view.carnet.carnet_id)
        return max(view.carnet.entry, 0 if found is None else found.entry)

    def row_wanted(
        self, carnet_id: int, row: Transaction, labels: frozenset[Label], to: frozenset[bytes] | None = None
    ) -> Iterator[Wanted]:  # fmt: skip
        """A transaction's own parts, and the stanzas that were added to them."""
        yield Wanted(row.index, labels, row.slot, to)
        if Label.STANZA in labels and to is not None:
            yield from self.mended(carnet_id, row.index, to)

    # -- the items of a reply

    def page(self, reply: reading_pb2.CarnetReply, items: Iterable[Item], cursor: bytes) -> None:
        """Tells the items after `cursor`, as many as go on a page."""
        excerpts = self.excerpts()
        fill(reply, excerpts, items, cursor)
        excerpts.into(reply.entries)

    @staticmethod
    def content(*wanted: Wanted, section: int = _CONTENT) -> Item:
        return Item(place(section), lambda: 0, wanted)

    def for_holder(self, view: View, device: Device, reply: reading_pb2.CarnetReply) -> Iterator[Item]:
        """Everything, for an enrolled device; remarks stay with Customs."""
        carnet_id = view.carnet.carnet_id
        labels = frozenset({Label.DECLARED, Label.DECLARATION, Label.PACKET})
        yield self.for_pin(view)
        yield self._roots(view, device)
        for voucher in (vouchers := self._all(Voucher, carnet_id)):
            yield self.voucher(carnet_id, voucher, labels, reply)
        for n, row in enumerate(view.rows):
            yield self._row(n, row, (Wanted(row.index, frozenset({Label.COUNTERFOIL}), row.slot),), reply)
        yield from self.incidents(carnet_id, None, {row.index for row in view.rows}, reply)
        yield from self._notices(vouchers, carnet_id, reply)
        yield from self._refused(carnet_id, reply)
        yield from self._devices(carnet_id, reply)

    def for_pin(self, view: View) -> Item:
        """The carnet, for whoever has its PIN."""
        pin = Wanted(self._pin_entry(view), frozenset({Label.PIN_STANZA}))
        return self.content(Wanted(view.carnet.entry, frozenset({Label.CARNET})), pin)

    def holder(self, carnet_id: int) -> Holder:
        return Facts(self._replica.store).get(Holder, carnet_id) or NOBODY

    def _roots(self, view: View, device: Device) -> Item:
        """What hands a device the holder root, and everything that came before it."""
        holder, to = self.holder(view.carnet.carnet_id), frozenset({device.seal_id})
        labels = frozenset({Label.HOLDER_STANZA, Label.STANZA})
        entries = {device.entry, *(root.entry for root in holder.roots)}
        return self.content(
            *(Wanted(entry, labels, to=to) for entry in sorted(entries)), Wanted(holder.kept, frozenset({Label.KEPT})),
            section=_ROOTS,
        )  # fmt: skip

    def links(self, carnet_id: int) -> Item:
        """What opens earlier counterfoils to whoever has a later journal key."""
        roots = self.holder(carnet_id).roots
        return self.content(*(Wanted(root.entry, frozenset({Label.LINK})) for root in roots), section=_LINKS)

    def for_territory(
        self, view: View, viewer: str, arriving: bool, reply: reading_pb2.CarnetReply
    ) -> Iterator[Item]:  # fmt: skip
        """Counterfoils of what the territory sees, remarks and stanzas of its own, the final one; its own incidents."""
        keys = self.keys_of(viewer)
        seen = view.seen_by(viewer, arriving)
        yield self.links(view.carnet.carnet_id)
        for n in seen:
            row, labels = view.rows[n], self.labels(view, view.rows[n], viewer)
            yield self._row(n, row, tuple(self.row_wanted(view.carnet.carnet_id, row, labels, keys)), reply)
        visible_rows = {view.rows[n].index for n in seen}
        yield from self.incidents(view.carnet.carnet_id, viewer, visible_rows, reply)

    def labels(self, view: View, row: Transaction, viewer: str) -> frozenset[Label]:
        """What of a row goes to a territory that may see it."""
        found = frozenset({Label.COUNTERFOIL})
        if viewer in (row.territory, view.carnet.home):
            found |= _OWN
        if row.kind is Kind.REIMPORTATION and not view.state.home_out:
            found |= {Label.FINAL}
        return found

    def for_issuer(self, view: View, own: frozenset[bytes], reply: reading_pb2.CarnetReply) -> Iterator[Item]:
        """Validations in full, the rest in summary; what the holder has asked (N-07, APP-27)."""
        carnet_id, entry = view.carnet.carnet_id, view.carnet.entry
        labels = frozenset({Label.CARNET, Label.STANZA})
        yield self.content(Wanted(entry, labels, to=own), *self.mended(carnet_id, entry, own))
        for n, row in enumerate(view.rows):
            full = row.kind is Kind.VALIDATION
            labels = frozenset({Label.COUNTERFOIL, Label.STANZA})
            yield self._row(n, row, tuple(self.row_wanted(carnet_id, row, labels, own)) if full else (), reply)
        for incident in self._all(Incident, carnet_id):
            if incident.type is EntryType.ASK:  # the request's own header says what was asked
                yield self._incident(incident, (Wanted(incident.index, bare=True),), reply)

    def voucher(
        self, carnet_id: int, voucher: Voucher, labels: frozenset[Label], reply: reading_pb2.CarnetReply
    ) -> Item:  # fmt: skip
        wanted = [Wanted(voucher.entry, labels, voucher.slot)]
        grant = Facts(self._replica.store).get(Grant, carnet_id, voucher.slot)
        if grant is not None:
            wanted.append(Wanted(grant.entry, frozenset({Label.GRANT}), voucher.slot))
        return Item(place(_VOUCHERS, voucher.slot), _put(reply.vouchers, voucher), tuple(wanted))

    @staticmethod
    def _row(n: int, row: Transaction, wanted: tuple[Wanted, ...], reply: reading_pb2.CarnetReply) -> Item:
        return Item(place(_ROWS, n), _put(reply.rows, row), wanted)

    @staticmethod
    def _incident(incident: Incident, wanted: tuple[Wanted, ...], reply: reading_pb2.CarnetReply) -> Item:
        return Item(place(_INCIDENT, incident.index), _put(reply.incidents, incident), wanted)

    def incidents(
        self, carnet_id: int, viewer: str | None, rows: set[int], reply: reading_pb2.CarnetReply
    ) -> Iterator[Item]:  # fmt: skip
        """What happened around a carnet. A territory sees its own, with the reasons; None is the holder, without.

        A disagreement note goes with its transaction: whoever sees the row gets the note's sealed part.
        """
        keys = frozenset[bytes]() if viewer is None else self.keys_of(viewer)
        for incident in _newest(self._all(Incident, carnet_id)):
            noted = incident.type is EntryType.DISAGREE and incident.about in rows
            if viewer is None or noted or incident.territory == viewer or incident.type is EntryType.RESET_HOLDER:
                wanted: tuple[Wanted, ...] = ()
                if noted:
                    wanted = (Wanted(incident.index, frozenset({Label.NOTE})),)
                elif viewer is not None:
                    own = Wanted(incident.index, _OWN, to=keys)
                    wanted = (own, *self.mended(carnet_id, incident.index, keys))
                yield self._incident(incident, wanted, reply)

    def _notices(
        self, vouchers: Iterable[Voucher], carnet_id: int, reply: reading_pb2.CarnetReply
    ) -> Iterator[Item]:  # fmt: skip
        """The newest pre-notification of each voucher, with details and answer: for the holder."""
        facts = Facts(self._replica.store)
        for voucher in vouchers:
            where = facts.get(NoticeOfVoucher, carnet_id, voucher.slot)
            key = None if where is None else (of_territory(where.territory), carnet_id, where.notice_id)
            notice = None if key is None else facts.get(Notice, *key)
            if notice is not None:
                wanted = [Wanted(notice.entry, frozenset({Label.NOTICE}))]
                wanted += [] if notice.answer is None else [Wanted(notice.answer, frozenset({Label.ANSWER}))]
                yield Item(place(_NOTICES, voucher.slot), _put(reply.notices, notice), tuple(wanted))

    def _refused(self, carnet_id: int, reply: reading_pb2.CarnetReply) -> Iterator[Item]:
        """The newest commits that officers signed and the rules refused."""
        found: list[reading_pb2.RefusedCommit] = []
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
        for refused in reversed(found):
            yield Item(place(_REFUSALS, refused.index), _put(reply.refused, refused))

    def _devices(self, carnet_id: int, reply: reading_pb2.CarnetReply) -> Iterator[Item]:
        """Every device enrolled for the carnet, for its holder."""
        for key, value in self._replica.store.facts(int(Device.FAMILY), key_of(carnet_id)):
            yield Item(place(_DEVICES, key[8:]), _put(reply.devices, Device.from_own(value)))

    # -- what stands on every page

    def head(self, view: View, as_of: str = "") -> reading_pb2.CarnetReply:
        """Record, state, stays and reconciliation: what every authorised reader gets."""
        today = day_of(as_of) if as_of else self.today()
        status, reasons = reconcile(view.balances(today), view.carnet.home, view.carnet.valid_until, today)
        return reading_pb2.CarnetReply(
            record=view.carnet.to_bytes(),
            state=view.state.to_bytes(),
            stays=[stay.to_bytes() for stay in view.stays],
            reconciliation=reading_pb2.Reconciliation(
                status=status.value, as_of=iso(today),
                reasons=self.reasons(reasons),
            ),
            links=self.related(view.carnet.carnet_id),
            documents=len(self.attached(view.carnet.carnet_id)),
            root=self.holder(view.carnet.carnet_id).root,
            session=self.session(),
        )  # fmt: skip

    def redacted(self, view: View, viewer: str, arriving: bool) -> reading_pb2.CarnetReply:
        """For a foreign territory: balances of others, and set counters, are not its business."""
        reply = self.head(view)
        if viewer != view.carnet.home and not arriving:
            narrow(reply, view, viewer)
            reply.ClearField("reconciliation")
        hold = Facts(self._replica.store).get(HoldFact, of_territory(viewer), view.carnet.carnet_id)
        if hold is not None and hold.released is None:
            reply.hold = hold.to_bytes()
        return reply

    @staticmethod
    def reasons(found: Iterable[Reason]) -> list[reading_pb2.Reason]:
        return [reading_pb2.Reason(kind=r.kind.value, territory=r.territory, items=str(r.items)) for r in found]

    def related(self, carnet_id: int) -> list[reading_pb2.CarnetLink]:
        """What it replaces, what replaces it, its twins (CORE-06, NICS-08)."""
        facts, found = Facts(self._replica.store), []
        for relation, direction, name in _RELATIONS:
            link = facts.get(Link, carnet_id, int(relation), direction)
            for other in () if link is None else link.others:
                state = facts.get(CarnetState, other)
                if state is not None and state.status is not Status.CANCELLED:
                    number = self.carnet(other).number
                    found.append(reading_pb2.CarnetLink(relation=name, carnet_id=other, number=number))
        return found

    def session(self) -> ledger_pb2.Session:
        return ledger_pb2.Session(era=self._replica.state.era, position=max(self._replica.position, 0))

    def today(self) -> int:
        """The day of the last tick; log time's day before any tick."""
        chain = Facts(self._replica.store).get(Chain, b"")
        if chain is not None and chain.as_of:
            return chain.as_of
        return local_day(self._replica.state.log_time, 0)


def _put(where: Any, record: Any) -> Callable[[], int]:
    """Appends a record to a reply's list; says how many bytes that takes."""

    def tell() -> int:
        data = record.to_bytes() if isinstance(record, Fact) else record
        where.append(data)
        return len(data) if isinstance(data, bytes) else data.ByteSize()

    return tell


def narrow(reply: reading_pb2.CarnetReply, view: View, viewer: str) -> None:
    """Only the viewer's own stay; sets, rows and what is out of home are the holder's and home's."""
    del reply.stays[:]
    reply.stays.extend(stay.to_bytes() for stay in view.stays if stay.territory == viewer)
    reply.state = replace(
        view.state, rows=0, next_slot=0, sets={}, home_out=NOTHING, abroad=NOTHING, twice=NOTHING, last_met=None
    ).to_bytes()  # fmt: skip


def arriving(voucher: Voucher) -> bool:
    """True while this voucher is an arrival not yet committed: its territory sees everything so far."""
    return voucher.kind in ARRIVALS and voucher.state is VoucherState.PREPARED


def _newest(incidents: list[Incident]) -> list[Incident]:
    """The newest of each territory and type, in their order: nobody's many push another's out of sight."""
    counted, kept = Counter[tuple[str, EntryType]](), list[Incident]()
    for incident in reversed(incidents):
        counted[incident.territory, incident.type] += 1
        if counted[incident.territory, incident.type] <= _INCIDENTS:
            kept.append(incident)
    return kept[::-1]
