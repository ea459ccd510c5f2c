"""Streams of what has happened, for holders, desks and issuers; they resume where the reader stopped."""

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from eata_ledger.encoding import encode
from eata_ledger.facts import Facts
from eata_ledger.log.bodies import EntryType
from eata_ledger.log.entry import Header
from eata_ledger.log.keys import key_id
from eata_ledger.log.leaf import Leaf
from eata_ledger.rules.desk import CONTROLLERS
from eata_ledger.state import Carnet, KeyFact
from eata_proto.v1 import ledger_pb2, lists_pb2, lists_pb2_grpc

from eata_node.replica import views
from eata_node.replica.replica import Replica
from eata_node.replica.views import Mention
from eata_node.rpc.errors import Context, Trouble, trouble
from eata_node.services.presentations import Collision, Presentations
from eata_node.services.rights import Rights, by_device
from eata_node.writing.sessions import Officer

_PATIENCE = 5.0
_STREAMS_A_KEY, _STREAMS_A_PARTY, _STREAMS, _AT_ONCE = 8, 500, 2_000, 64


class Follow(lists_pb2_grpc.FollowServicer):
    """A stream reads its view of the log; nothing is kept for a reader, so any node can go on with it."""

    def __init__(
        self, replica: Replica, rights: Rights, presentations: Presentations, clock: Callable[[], int]
    ) -> None:
        self._replica, self._rights, self._clock = replica, rights, clock
        self._presentations = presentations
        self._open: Counter[bytes] = Counter()

    async def Carnet(  # noqa: N802
        self, request: ledger_pb2.SignedRequest, context: Context
    ) -> AsyncIterator[lists_pb2.Event]:
        query = lists_pb2.FollowQuery.FromString(request.body)
        signers = (await self._rights.require(request, "/eata.v1.Follow/Carnet", query)).signers

        def may() -> bool:
            return by_device(self._replica, signers, query.carnet_id) is not None

        carnet, view = Facts(self._replica.store).get(Carnet, query.carnet_id), views.of_carnet(query.carnet_id)
        issuer = "" if carnet is None else f"issuer {carnet.issuer}"
        with self._counted(view, issuer):
            async for event in self._events(view, query.from_index, may, None):
                yield event

    async def Issued(  # noqa: N802
        self, request: ledger_pb2.SignedRequest, context: Context
    ) -> AsyncIterator[lists_pb2.Event]:
        query = lists_pb2.FollowQuery.FromString(request.body)
        issuer = (await self._rights.require(request, "/eata.v1.Follow/Issued", query)).party

        def may() -> bool:
            key = Facts(self._replica.store).get(KeyFact, key_id(issuer.sign_key))
            return key is not None and key.revoked is None

        view = views.of_issuer(issuer.code)
        with self._counted(view):
            async for event in self._events(view, query.from_index, may, None, views.announcements()):
                yield event

    async def Territory(  # noqa: N802
        self, request: ledger_pb2.SignedRequest, context: Context
    ) -> AsyncIterator[lists_pb2.Event]:
        query = lists_pb2.FollowQuery.FromString(request.body)
        officer = (await self._rights.require(request, "/eata.v1.Follow/Territory", query)).desk

        def may() -> bool:
            authority = Facts(self._replica.store).get(KeyFact, officer.certificate.authority)
            live = authority is not None and authority.revoked is None
            return live and self._clock() <= officer.certificate.valid_to

        with self._counted(officer.certificate.key, officer.administration):
            async for event in self._events(views.in_territory(officer.territory), query.from_index, may, officer):
                yield event

    @contextmanager
    def _counted(self, key: bytes, party: str = "") -> Iterator[None]:
        """A few streams a carnet, issuer or desk, more an administration or an issuer's carnets, many a node, and no more."""
        most = {key: _STREAMS_A_KEY, b"": _STREAMS}
        if party:
            most[party.encode()] = _STREAMS_A_PARTY
        if any(self._open[one] >= limit for one, limit in most.items()):
            raise trouble(Trouble.RATE_LIMITED, "Too many streams are open.")
        self._open.update(most.keys())
        try:
            yield
        finally:
            for one in most:
                self._open[one] -= 1
                if not self._open[one]:
                    del self._open[one]

    async def _events(
        self, view: bytes, low: int, may: Callable[[], bool], officer: Officer | None, *others: bytes
    ) -> AsyncIterator[lists_pb2.Event]:
        """Everything in the views from `low` on, then as it is applied, while the reader `may` read and the node serves."""
        collisions = None if officer is None else self._presentations.listen()
        caught_up = self._replica.state.size
        try:
            while self._replica.serving and may():
                end = self._replica.state.size
                found = heapq.merge(*(self._replica.store.view(one, low, end) for one in (view, *others)))
                for looked, (index, mention) in enumerate(found, 1):
                    low = index + 1
                    if looked % _AT_ONCE == 0:
                        await asyncio.sleep(0)
                    event = self._event(index, Mention.from_bytes(mention), index >= caught_up, officer)
                    if event is not None:
                        yield event
                while collisions is not None and officer is not None and not collisions.empty():
                    event = self._collision(collisions.get_nowait(), officer)
                    if event is not None:
                        yield event
                while (
                    self._replica.state.size == end
                    and self._replica.serving
                    and (collisions is None or collisions.empty())
                ):  # groups without entries bring no event
                    if not await self._replica.reach(self._replica.position + 1, _PATIENCE):
                        break
                await asyncio.sleep(0)
        finally:
            if collisions is not None:
                self._presentations.forget(collisions)

    def _event(self, index: int, mention: Mention, live: bool, officer: Officer | None) -> lists_pb2.Event | None:
        """An officer is told of the own office and of holds; a controller of the whole territory (ACC-05)."""
        stored = self._replica.store.entry(index)
        assert stored is not None, "a view names entries that exist"
        leaf, header = Leaf.from_bytes(stored.leaf), Header.from_bytes(stored.header)
        if officer is not None and officer.certificate.role not in CONTROLLERS:
            elsewhere = getattr(header.body, "office", "") != officer.certificate.office
            if elsewhere and mention.type not in (EntryType.HOLD, EntryType.RELEASE):
                return None
        return lists_pb2.Event(
            index=index, log_time=leaf.log_time, type=mention.type.name, carnet_id=mention.carnet_id,
            facts=stored.facts, entry_hash=leaf.entry_hash, live=live,
        )  # fmt: skip

    def _collision(self, found: Collision, officer: Officer) -> lists_pb2.Event | None:
        """For the two offices it concerns; each learns of the other."""
        if officer.certificate.office not in (found.first.office, found.second.office):
            return None
        code, first, second = found.code, found.first, found.second
        facts = encode([code.slot, first.office, first.time, second.office, second.time])
        return lists_pb2.Event(type="SECOND_PRESENTATION", carnet_id=code.carnet_id, facts=facts, live=True)
