"""What an administration lists, opened as far as its opener's keys reach; and the streams of what happens."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Any

import grpc.aio
from eata_ledger.log.keys import Algorithm, SigningKey, key_id
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.state import HoldFact, Transaction
from eata_proto.v1 import lists_pb2, lists_pb2_grpc, reading_pb2

from eata_clients.authoring.clearing import Desk
from eata_clients.authoring.content import Remarks
from eata_clients.net.errors import EataError, Untrusted, from_rpc
from eata_clients.net.transport import Transport
from eata_clients.opened.arrivals import Arrival, read_arrival
from eata_clients.opened.parts import Excerpts, Openers, open_remarks
from eata_clients.trust.authors import Authors
from eata_clients.trust.registry_pages import KeptRegistry

_LONGEST_PAUSE = 5.0


def openers(*seeds: bytes) -> dict[bytes, SealingKey]:
    """Territory key seeds by the id of their public key."""
    keys = [SealingKey(seed) for seed in seeds]
    return {key_id(key.public, Algorithm.XWING): key for key in keys}


@dataclass(frozen=True)
class ListedTransaction:
    """A transaction of the territory; `remarks` None where the opener has no key for it."""

    carnet_id: int
    number: str
    type: str
    row: Transaction
    remarks: Remarks | None


@dataclass(frozen=True)
class Held:
    """A hold in force, with its reason where the opener has the key."""

    number: str
    hold: HoldFact
    reason: str | None


class Lists:
    """One desk's lists over one transport."""

    def __init__(self, transport: Transport, desk: Desk, keys: Openers) -> None:
        self._transport, self._desk, self._keys = transport, desk, keys
        self._registry = KeptRegistry(transport)

    async def _ask(self, method: str, query: lists_pb2.ListQuery) -> Any:
        request = self._transport.signed(
            f"/eata.v1.Lists/{method}", query.SerializeToString(), [self._desk.key], self._desk.certificate
        )
        return await self._transport.call(lambda c: getattr(lists_pb2_grpc.ListsStub(c), method), request)

    async def transactions(self, query: lists_pb2.ListQuery) -> tuple[list[ListedTransaction], int]:
        """A page, and `before` for the next one (0: no more)."""
        reply: lists_pb2.TransactionsReply = await self._ask("Transactions", query)
        found, excerpts = [], await self._excerpts(reply.entries)
        for listed in reply.transactions:
            row = Transaction.from_bytes(listed.row)
            said = open_remarks(excerpts, row.index, self._keys, listed.carnet_id)
            found.append(ListedTransaction(listed.carnet_id, listed.number, listed.type, row, said))
        return found, reply.next

    async def holds(self, office: str = "") -> list[Held]:
        query, found = lists_pb2.ListQuery(office=office), []
        while True:
            reply: lists_pb2.HoldsReply = await self._ask("Holds", query)
            excerpts = await self._excerpts(reply.entries)
            for listed in reply.holds:
                hold = HoldFact.from_bytes(listed.record)
                said = open_remarks(excerpts, hold.held, self._keys, hold.carnet_id)
                found.append(Held(listed.number, hold, None if said is None else said.reason))
            if not reply.next or reply.next <= query.cursor:
                return found
            query.cursor = reply.next

    async def _excerpts(self, entries: Iterable[reading_pb2.Excerpt]) -> Excerpts:
        return Excerpts(entries, self._transport.network.ledger, Authors(await self._registry.get()))

    async def arrivals(self, office: str = "", state: str = "", most: int = 500) -> list[Arrival]:
        """Pre-notifications, newest first; the open ones unless a state is asked for."""
        query = lists_pb2.ListQuery(office=office, status=state, page_size=50)
        found: list[Arrival] = []
        while len(found) < most:
            reply: lists_pb2.ArrivalsReply = await self._ask("Arrivals", query)
            excerpts = await self._excerpts(reply.entries)
            found += [read_arrival(listed, excerpts, self._keys) for listed in reply.notices]
            query.before = reply.next
            if not reply.next:
                break
        return found

    async def transits(self, state: str = "") -> lists_pb2.TransitsReply:
        found: lists_pb2.TransitsReply = await self._ask("Transits", lists_pb2.ListQuery(status=state))
        return found

    async def carnets(self, query: lists_pb2.ListQuery) -> lists_pb2.CarnetsReply:
        found: lists_pb2.CarnetsReply = await self._ask("Carnets", query)
        return found

    async def statistics(self) -> lists_pb2.StatisticsReply:
        found: lists_pb2.StatisticsReply = await self._ask("Statistics", lists_pb2.ListQuery())
        return found


async def follow(
    transport: Transport, method: str, key: SigningKey, from_index: int, carnet_id: int = 0, certificate: bytes = b""
) -> AsyncGenerator[lists_pb2.Event, None]:
    """Events from a ledger index on, for ever: on another node when one fails, each event once.

    `method` is Carnet, Territory or Issued. Raises `EataError` when the right to read is refused.
    """
    pause = 0.0
    if not transport.last_node:
        await transport.measure()
    while True:
        for name in transport.nearest:
            body = lists_pb2.FollowQuery(from_index=from_index, carnet_id=carnet_id).SerializeToString()
            request = transport.signed(f"/eata.v1.Follow/{method}", body, [key], certificate)
            stub = lists_pb2_grpc.FollowStub(transport.channel(name))
            try:
                async for event in getattr(stub, method)(request):
                    pause = 0.0
                    if event.index and event.index < from_index:
                        raise Untrusted("a stream went back")
                    from_index = max(from_index, event.index + 1) if event.index else from_index
                    yield event
            except grpc.aio.AioRpcError as error:
                known: EataError = from_rpc(error)
                if not known.retryable:
                    raise known from None
        await asyncio.sleep(pause)  # every node was asked: they may all be restarting
        pause = min(_LONGEST_PAUSE, 2 * pause + 0.1)
