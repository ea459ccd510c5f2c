"""What a customs administration lists of its own territory: transactions, holds, arrivals, transits, carnets, counts."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from eata_ledger.carnet.dates import day_of, iso, local_day
from eata_ledger.carnet.reconciliation import reconcile
from eata_ledger.carnet.transit import Transit, close
from eata_ledger.carnet.vocabulary import Kind, Label, NoticeKind, Role
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts
from eata_ledger.outcomes import Outcome
from eata_ledger.state import Carnet, Family, HoldFact, Notice, Transaction, Voucher, of_territory
from eata_proto.v1 import ledger_pb2, lists_pb2, lists_pb2_grpc

from eata_node import views
from eata_node.guarding import Context, Trouble, refusal, trouble
from eata_node.replica import Replica
from eata_node.services.carnets import Carnets, View
from eata_node.services.reader import Officer, Readers

F = TypeVar("F")

_PAGE, _LARGEST_PAGE = 10, 100
_LOOKED_AT = 5_000
_LOGS = frozenset({Role.CONTROLLER, Role.ADMIN})
_STATISTICS = frozenset({Role.CONTROLLER, Role.REGIONAL_MANAGER, Role.ADMIN})


@dataclass(frozen=True)
class Asked:
    """A judged request: who asks, for what."""

    officer: Officer
    query: lists_pb2.ListQuery

    @property
    def territory(self) -> str:
        return self.officer.territory

    @property
    def page(self) -> int:
        return min(self.query.page_size or _PAGE, _LARGEST_PAGE)

    @property
    def before(self) -> int:
        return self.query.before or 2**64 - 1

    def require(self, roles: frozenset[Role]) -> None:
        if self.officer.certificate.role not in roles:
            raise refusal(Outcome.ROLE_FORBIDDEN)


class Lists(lists_pb2_grpc.ListsServicer):
    """Everything here is the officer's own territory's; sealed parts are opened by its opener."""

    def __init__(self, replica: Replica, readers: Readers, carnets: Carnets) -> None:
        self._replica, self._readers, self._carnets = replica, readers, carnets

    async def _asked(self, request: ledger_pb2.SignedRequest, method: str) -> Asked:
        query = lists_pb2.ListQuery.FromString(request.body)
        signers = self._readers.open(request, f"/eata.v1.Lists/{method}")
        await self._readers.session(request.session)
        officer = self._readers.officer(request, signers)
        self._readers.spend(request)
        for day in (query.from_day, query.to_day):
            try:
                day_of(day or "1970-01-01")
            except Malformed as error:
                raise trouble(Trouble.REQUEST_MALFORMED, str(error)) from None
        if query.kind and query.kind not in Kind.__members__:
            raise trouble(Trouble.REQUEST_MALFORMED, f"Kinds are {', '.join(Kind.__members__)}.")
        return Asked(officer, query)

    # -- transactions

    async def Transactions(  # noqa: N802
        self, request: ledger_pb2.SignedRequest, context: Context
    ) -> lists_pb2.TransactionsReply:
        """Officers: their own office's last ones (ACC-21); controllers: the territory's log (ACC-51)."""
        asked = await self._asked(request, "Transactions")
        if asked.officer.certificate.role not in _LOGS:
            asked.query.office = asked.officer.certificate.office
        reply = lists_pb2.TransactionsReply(session=self._carnets.session())
        keys, last = self._carnets.live_keys(asked.territory), 0
        for carnet, row in self._rows(asked):
            if len(reply.transactions) >= asked.page and row.index != last:
                reply.next = row.index + 1
                break
            last = row.index  # the two rows of one EU exit stay on one page
            labels = {Label.COUNTERFOIL, Label.REMARKS, Label.STANZA}
            listed = lists_pb2.ListedTransaction(
                carnet_id=carnet.carnet_id, number=carnet.number, type=carnet.type.name,
                row=self._carnets.row(row, labels, keys),
            )  # fmt: skip
            reply.transactions.append(listed)
        return reply

    def _rows(self, asked: Asked) -> Iterator[tuple[Carnet, Transaction]]:
        """The territory's transactions that the filters let through, newest first."""
        query = asked.query
        low, high = day_of(query.from_day or "1970-01-01"), day_of(query.to_day or "9999-12-31")
        for view, index in self._views_back(asked):
            for row in reversed(view.rows):
                if row.index != index or row.territory != asked.territory:
                    continue
                if (
                    query.office in ("", row.office)
                    and query.kind in ("", row.kind.name)
                    and query.type in ("", view.carnet.type.name)
                    and low <= local_day(row.event_time, row.offset) <= high
                ):
                    yield view.carnet, row

    def _views_back(self, asked: Asked) -> Iterator[tuple[View, int]]:
        for index, about in self._replica.store.view_back(views.in_territory(asked.territory), asked.before):
            carnet_id = int.from_bytes(about, "big")
            if asked.query.carnet_id in (0, carnet_id):
                yield self._carnets.view(carnet_id), index

    # -- holds and arrivals

    async def Holds(self, request: ledger_pb2.SignedRequest, context: Context) -> lists_pb2.HoldsReply:  # noqa: N802
        """On hold in this territory now (ACC-41)."""
        asked = await self._asked(request, "Holds")
        reply = lists_pb2.HoldsReply(session=self._carnets.session())
        keys = self._carnets.live_keys(asked.territory)
        for hold in self._facts(HoldFact.from_own, Family.HOLD, asked.territory):
            if hold.released is None and asked.query.office in ("", hold.office):
                carnet = self._carnets.carnet(hold.carnet_id)
                parts = self._carnets.parts(hold.held, {Label.REMARKS, Label.STANZA}, to=keys)
                reply.holds.append(
                    lists_pb2.ListedHold(
                        number=carnet.number, type=carnet.type.name, record=hold.to_bytes(), parts=parts
                    )
                )
        return reply

    def _facts(self, read: Callable[[bytes], F], family: Family, territory: str) -> Iterator[F]:
        for _, value in self._replica.store.facts(int(family), of_territory(territory)):
            yield read(value)

    async def Arrivals(self, request: ledger_pb2.SignedRequest, context: Context) -> lists_pb2.ArrivalsReply:  # noqa: N802
        """Pre-notifications to this territory's offices (ACC-43); `status` narrows to one state."""
        asked = await self._asked(request, "Arrivals")
        reply = lists_pb2.ArrivalsReply(session=self._carnets.session())
        for notice in self._facts(Notice.from_own, Family.NOTICE, asked.territory):
            if asked.query.office in ("", notice.office) and asked.query.status in ("", notice.state.name):
                reply.notices.append(self._arrival(notice, asked.territory))
        return reply

    def _arrival(self, notice: Notice, territory: str) -> lists_pb2.ListedNotice:
        carnet = self._carnets.carnet(notice.carnet_id)
        voucher = Facts(self._replica.store).get(Voucher, notice.carnet_id, notice.slot)
        assert voucher is not None, "a notice names its voucher"
        labels, keys = {Label.NOTICE, Label.STANZA}, self._carnets.live_keys(territory)
        listed = lists_pb2.ListedNotice(number=carnet.number, record=notice.to_bytes(), voucher=voucher.to_bytes())
        listed.parts.extend(self._carnets.parts(notice.entry, labels, to=keys))
        if notice.answer is not None:
            listed.parts.extend(self._carnets.parts(notice.answer, {Label.ANSWER}))
        if notice.kind is not NoticeKind.NOTICE_NO_DETAILS:
            listed.parts.extend(self._carnets.parts(voucher.entry, {Label.DECLARATION}, voucher.slot))
            listed.carnet.extend(self._carnets.parts(carnet.entry, {Label.CARNET}))
        return listed

    # -- transits, carnets, counts

    async def Transits(self, request: ledger_pb2.SignedRequest, context: Context) -> lists_pb2.TransitsReply:  # noqa: N802
        """Orange, green, red as of the last daily tick (ACC-45, ACC-46)."""
        asked = await self._asked(request, "Transits")
        today = self._carnets.today()
        reply = lists_pb2.TransitsReply(as_of=iso(today), session=self._carnets.session())
        for view in self._distinct(asked):
            for listed in _transits(view, asked.territory, today):
                if asked.query.status in ("", listed.state):
                    reply.transits.append(listed)
        return reply

    def _distinct(self, asked: Asked) -> Iterator[View]:
        """Carnets this territory has met, the one it met last first."""
        seen: set[int] = set()
        for view, _ in self._views_back(asked):
            if view.carnet.carnet_id in seen or all(row.territory != asked.territory for row in view.rows):
                continue
            seen.add(view.carnet.carnet_id)
            newest = max(row.index for row in view.rows if row.territory == asked.territory)
            if newest < asked.before:  # a later page has met it before
                yield view
            if len(seen) >= _LOOKED_AT:
                return

    async def Carnets(self, request: ledger_pb2.SignedRequest, context: Context) -> lists_pb2.CarnetsReply:  # noqa: N802
        """Logs → Carnets (ACC-50), for controllers; home's own, or those the territory has met."""
        asked = await self._asked(request, "Carnets")
        asked.require(_LOGS)
        reply = lists_pb2.CarnetsReply(session=self._carnets.session())
        for view in self._distinct(asked):
            listed = self._listed(view, asked.territory)
            if asked.query.status in ("", listed.status) and asked.query.type in ("", listed.type):
                if len(reply.carnets) == asked.page:
                    reply.next = 1 + max(row.index for row in view.rows if row.territory == asked.territory)
                    break
                reply.carnets.append(listed)
        return reply

    def _listed(self, view: View, territory: str) -> lists_pb2.ListedCarnet:
        """Reasons only of the viewer's own balances, unless it is home."""
        carnet, today = view.carnet, self._carnets.today()
        own = view.state.balances if territory == carnet.home else view.state.balances.of(territory)
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
        asked.require(_STATISTICS)
        months, homes, claims, offices = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        for view in self._distinct(asked):
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
            session=self._carnets.session(),
        )  # fmt: skip


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
