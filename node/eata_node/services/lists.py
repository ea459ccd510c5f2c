"""What a customs administration lists of its own territory: transactions, holds, arrivals, transits, carnets, counts."""

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

from eata_ledger.carnet.dates import LAST_DAY, day_of, iso, local_day
from eata_ledger.carnet.goods.transit import Transit, close
from eata_ledger.carnet.journeys.reconciliation import reconcile
from eata_ledger.carnet.vocabulary import Kind, Label, NoticeKind, NoticeState, VoucherState
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts
from eata_ledger.log.bodies import EntryType, Notify
from eata_ledger.log.entry import Header
from eata_ledger.state import Family, HoldFact, Notice, Transaction, Voucher, of_territory
from eata_proto.v1 import ledger_pb2, lists_pb2, lists_pb2_grpc

from eata_node.replica import logbook, views
from eata_node.replica.replica import Replica
from eata_node.replica.views import Mention
from eata_node.rpc.errors import Context, Trouble, trouble
from eata_node.services.carnets import Carnets, View
from eata_node.services.excerpts import ExcerptsOut, Wanted
from eata_node.services.rights import LOGS, Rights
from eata_node.writing.sessions import Officer

_PAGE, _LARGEST_PAGE = 10, 100
_LOOKED_AT, _COUNTED, _AT_ONCE = 2_000, 50_000, 32
_OWN = frozenset({Label.REMARKS, Label.STANZA})
_OPEN = frozenset({NoticeState.SENT.name, NoticeState.ACKNOWLEDGED.name})


@dataclass
class Asked:
    """A judged request: who asks, for what, of which days; `stopped` is where looking ended before the view did."""

    officer: Officer
    query: lists_pb2.ListQuery
    days: range
    stopped: int = 0

    @property
    def territory(self) -> str:
        return self.officer.territory

    @property
    def page(self) -> int:
        return min(self.query.page_size or _PAGE, _LARGEST_PAGE)

    @property
    def before(self) -> int:
        return self.query.before or 2**64 - 1


class ListsService(lists_pb2_grpc.ListsServicer):
    """Everything here is the officer's own territory's; sealed parts are opened by its opener."""

    def __init__(self, replica: Replica, rights: Rights, carnets: Carnets) -> None:
        self._replica, self._rights, self._carnets = replica, rights, carnets

    async def _asked(self, request: ledger_pb2.SignedRequest, method: str) -> Asked:
        query = lists_pb2.ListQuery.FromString(request.body)
        officer = (await self._rights.require(request, f"/eata.v1.Lists/{method}", query)).desk
        try:
            first, last = day_of(query.from_day or "1970-01-01"), day_of(query.to_day) if query.to_day else LAST_DAY
        except Malformed as error:
            raise trouble(Trouble.REQUEST_MALFORMED, str(error)) from None
        if query.kind and query.kind not in Kind.__members__:
            raise trouble(Trouble.REQUEST_MALFORMED, f"Kinds are {', '.join(Kind.__members__)}.")
        return Asked(officer, query, range(first, last + 1))

    # -- transactions

    async def Transactions(  # noqa: N802
        self, request: ledger_pb2.SignedRequest, context: Context
    ) -> lists_pb2.TransactionsReply:
        """Officers: their own office's last ones (ACC-21); controllers: the territory's log (ACC-51)."""
        asked = await self._asked(request, "Transactions")
        if asked.officer.certificate.role not in LOGS:
            asked.query.office = asked.officer.certificate.office
        reply = lists_pb2.TransactionsReply(session=self._carnets.session())
        keys, excerpts = self._carnets.keys_of(asked.territory), self._carnets.excerpts()
        async for view, index in self._met(asked, EntryType.COMMIT, elsewhere=True):
            if len(reply.transactions) >= asked.page or excerpts.full:
                reply.next = index + 1
                break
            seen = view.seen_by(asked.territory, arriving=False)
            for row in (view.rows[n] for n in reversed(seen)):  # the two rows of one EU exit stay on one page
                if row.index == index and _wanted(asked, view, row):
                    listed = lists_pb2.ListedTransaction(
                        carnet_id=view.carnet.carnet_id, number=view.carnet.number, type=view.carnet.type.name,
                        row=row.to_bytes(),
                    )  # fmt: skip
                    reply.transactions.append(listed)
                    labels = self._carnets.labels(view, row, asked.territory)
                    for wanted in self._carnets.row_wanted(view.carnet.carnet_id, row, labels, keys):
                        excerpts.add(wanted)
        reply.next = reply.next or asked.stopped
        excerpts.into(reply.entries)
        return reply

    async def _met(
        self, asked: Asked, kind: EntryType, most: int = _LOOKED_AT, elsewhere: bool = False
    ) -> AsyncIterator[tuple[View, int]]:  # fmt: skip
        """Carnets mentioned by entries of one type in the territory's view, newest first, with the entry's index.

        `elsewhere`: also by entries of other territories that this one may see.

        Looks at `most` entries and lets others work meanwhile: a list costs little, however long the log is.
        """
        store, places = self._replica.store, [views.in_territory(asked.territory)]
        places += [logbook.elsewhere_seen_by(asked.territory)] if elsewhere else []
        found = heapq.merge(*(store.view_back(place, asked.before) for place in places), reverse=True)
        for looked, (index, data) in enumerate(found, 1):
            mention = Mention.from_bytes(data)
            if looked % _AT_ONCE == 0:
                await asyncio.sleep(0)
            if looked > most:
                asked.stopped = index + 1
                return
            if mention.type is kind and asked.query.carnet_id in (0, mention.carnet_id):
                yield self._carnets.view(mention.carnet_id), index

    # -- holds and arrivals

    async def Holds(self, request: ledger_pb2.SignedRequest, context: Context) -> lists_pb2.HoldsReply:  # noqa: N802
        """On hold in this territory now (ACC-41)."""
        asked = await self._asked(request, "Holds")
        reply = lists_pb2.HoldsReply(session=self._carnets.session())
        keys, excerpts = self._carnets.keys_of(asked.territory), self._carnets.excerpts()
        looked, before = 0, of_territory(asked.territory)
        for key, value in self._replica.store.facts(int(Family.HOLD), before):
            place, hold = key[len(before) :], HoldFact.from_own(value)
            if place <= asked.query.cursor:
                continue
            looked += 1
            if hold.released is None and asked.query.office in ("", hold.office):
                carnet = self._carnets.carnet(hold.carnet_id)
                listed = lists_pb2.ListedHold(number=carnet.number, type=carnet.type.name, record=hold.to_bytes())
                reply.holds.append(listed)
                excerpts.add(Wanted(hold.held, _OWN, to=keys))
            if excerpts.full or looked == _LOOKED_AT:
                reply.next = place
                break
            if looked % _AT_ONCE == 0:
                await asyncio.sleep(0)
        excerpts.into(reply.entries)
        return reply

    async def Arrivals(self, request: ledger_pb2.SignedRequest, context: Context) -> lists_pb2.ArrivalsReply:  # noqa: N802
        """Pre-notifications to this territory's offices, newest first (ACC-43); open ones unless `status` asks."""
        asked = await self._asked(request, "Arrivals")
        reply = lists_pb2.ArrivalsReply(session=self._carnets.session())
        wanted = {asked.query.status} if asked.query.status else _OPEN
        excerpts = self._carnets.excerpts()
        async for view, index in self._met(asked, EntryType.NOTIFY):
            if len(reply.notices) >= asked.page or excerpts.full:
                reply.next = index + 1
                break
            notice = self._notice(index, asked.territory)
            if notice.state.name in wanted and asked.query.office in ("", notice.office):
                reply.notices.append(self._arrival(view, notice, asked.territory, excerpts))
        reply.next = reply.next or asked.stopped
        excerpts.into(reply.entries)
        return reply

    def _notice(self, index: int, territory: str) -> Notice:
        stored = self._replica.store.entry(index)
        body = None if stored is None else Header.from_bytes(stored.header).body
        assert isinstance(body, Notify), "the view says so"
        found = Facts(self._replica.store).get(Notice, of_territory(territory), body.carnet_id, body.notice_id)
        assert found is not None, "an accepted notice is kept"
        return found

    def _arrival(self, view: View, notice: Notice, territory: str, excerpts: ExcerptsOut) -> lists_pb2.ListedNotice:
        """What the notice hands this territory, as long as the voucher is still one of its own."""
        keys = self._carnets.keys_of(territory)
        listed = lists_pb2.ListedNotice(number=view.carnet.number, record=notice.to_bytes())
        excerpts.add(Wanted(notice.entry, frozenset({Label.NOTICE, Label.STANZA}), to=keys))
        if notice.answer is not None:
            excerpts.add(Wanted(notice.answer, frozenset({Label.ANSWER})))
        voucher = Facts(self._replica.store).get(Voucher, notice.carnet_id, notice.slot)
        live = notice.state in (NoticeState.SENT, NoticeState.ACKNOWLEDGED, NoticeState.COMMITTED)
        if voucher is None or voucher.territory != territory or voucher.state is VoucherState.DELETED or not live:
            return listed
        listed.kind = voucher.kind.name
        if notice.kind is not NoticeKind.NOTICE_NO_DETAILS:
            listed.voucher, listed.carnet = voucher.to_bytes(), view.carnet.entry
            excerpts.add(Wanted(voucher.entry, frozenset({Label.DECLARED, Label.DECLARATION}), voucher.slot))
            excerpts.add(Wanted(view.carnet.entry, frozenset({Label.CARNET})))
        return listed

    # -- transits, carnets, counts

    async def Transits(self, request: ledger_pb2.SignedRequest, context: Context) -> lists_pb2.TransitsReply:  # noqa: N802
        """Orange, green, red as of the last daily tick (ACC-45, ACC-46)."""
        asked = await self._asked(request, "Transits")
        today = self._carnets.today()
        reply = lists_pb2.TransitsReply(as_of=iso(today), session=self._carnets.session())
        async for view, newest in self._distinct(asked):
            if len(reply.transits) >= asked.page:
                reply.next = newest + 1
                break
            for listed in _transits(view, asked.territory, today):
                if asked.query.status in ("", listed.state):
                    reply.transits.append(listed)
        reply.next = reply.next or asked.stopped
        return reply

    async def _distinct(self, asked: Asked, most: int = _LOOKED_AT) -> AsyncIterator[tuple[View, int]]:
        """Carnets this territory has met (home: its own), each with the index of its newest transaction here."""
        seen: set[int] = set()
        async for view, _ in self._met(asked, EntryType.COMMIT, most):
            carnet = view.carnet
            if carnet.carnet_id not in seen:
                seen.add(carnet.carnet_id)
                home = carnet.home == asked.territory
                newest = max(row.index for row in view.rows if home or row.territory == asked.territory)
                if newest < asked.before:  # else an earlier page has it
                    yield view, newest

    async def Carnets(self, request: ledger_pb2.SignedRequest, context: Context) -> lists_pb2.CarnetsReply:  # noqa: N802
        """Logs → Carnets (ACC-50), for controllers; home's own, or those the territory has met."""
        asked = await self._asked(request, "Carnets")
        reply = lists_pb2.CarnetsReply(session=self._carnets.session())
        async for view, newest in self._distinct(asked):
            if len(reply.carnets) >= asked.page:
                reply.next = newest + 1
                break
            listed = self._listed(view, asked.territory)
            if asked.query.status in ("", listed.status) and asked.query.type in ("", listed.type):
                reply.carnets.append(listed)
        reply.next = reply.next or asked.stopped
        return reply

    def _listed(self, view: View, territory: str) -> lists_pb2.ListedCarnet:
        """Reasons only of the viewer's own balances, unless it is home."""
        carnet, today = view.carnet, self._carnets.today()
        balances = view.goods.balances
        own = balances if territory == carnet.home else balances.of(territory)
        status, reasons = reconcile(own, carnet.home, carnet.valid_until, today)
        return lists_pb2.ListedCarnet(
            carnet_id=carnet.carnet_id, number=carnet.number, type=carnet.type.name, order_type=carnet.order.name,
            home=carnet.home, issued=iso(carnet.issued), valid_until=iso(carnet.valid_until), status=status.value,
            reasons=self._carnets.reasons(reasons),
        )  # fmt: skip

    async def Statistics(  # noqa: N802
        self, request: ledger_pb2.SignedRequest, context: Context
    ) -> lists_pb2.StatisticsReply:
        """The controller's dashboard (ACC-56): months, issuing territories, potential claims, offices."""
        asked = await self._asked(request, "Statistics")
        months, homes, claims, offices = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        async for view, _ in self._distinct(asked, _COUNTED):
            homes[view.carnet.home] += 1
            claims[self._listed(view, asked.territory).status] += 1
            for row in view.rows:
                if row.territory == asked.territory and row.cancelled is None:
                    months[iso(local_day(row.event_time, row.offset))[:7]] += 1
                    offices[row.office] += 1

        def counts(counter: Counter[str]) -> list[lists_pb2.Count]:
            return [lists_pb2.Count(name=name, count=counter[name]) for name in sorted(counter)]

        return lists_pb2.StatisticsReply(
            months=counts(months), homes=counts(homes), claims=counts(claims), offices=counts(offices),
            session=self._carnets.session(), whole=not asked.stopped,
        )  # fmt: skip


def _wanted(asked: Asked, view: View, row: Transaction) -> bool:
    """One row against the filters."""
    query = asked.query
    return (
        query.office in ("", row.office)
        and query.kind in ("", row.kind.name)
        and query.type in ("", view.carnet.type.name)
        and local_day(row.event_time, row.offset) in asked.days
    )


def _transits(view: View, territory: str, today: int) -> list[lists_pb2.ListedTransit]:
    """Every transit of a carnet through the territory, opened and closed by office-local days (ACC-45)."""
    opened: list[Transaction] = []
    found: tuple[Transit, ...] = ()
    closed_at: dict[int, str] = {}
    for row in view.rows:
        if row.territory != territory or row.cancelled is not None:
            continue
        day = local_day(row.event_time, row.offset)
        if row.kind is Kind.TRANSIT_OPEN:
            final = view.carnet.valid_until if row.final_day is None else row.final_day
            found += (Transit(territory, row.items, day, final, row.items),)
            opened.append(row)
        elif row.kind is Kind.TRANSIT_CLOSE:
            before = found
            found = close(found, territory, row.items, day)
            closed_at |= {n: row.office for n, (a, b) in enumerate(zip(before, found, strict=True)) if a != b}
    return [
        lists_pb2.ListedTransit(
            carnet_id=view.carnet.carnet_id, number=view.carnet.number, type=view.carnet.type.name,
            state=transit.state(today).value, closed_late=transit.closed_late, items=str(transit.items),
            open_day=iso(transit.opened), open_office=opened[n].office, final_day=iso(transit.final_day),
            close_day="" if transit.closed is None else iso(transit.closed), close_office=closed_at.get(n, ""),
            left=str(transit.left),
        )
        for n, transit in enumerate(found)
    ]  # fmt: skip
