"""The etcd engine: Raft, elections, quorum and fsync are etcd's; lanes, eras and positions are ours (docs/design.md).

Every revision of the store is one position of the era: position = revision - revision of the era's opening. A group is
one transaction on its lane's key, which is overwritten: etcd's own `version` of that key is the lane's n, so an append
that was answered by nobody is settled by sending the same bytes again. What any other writer leaves is a void position.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
import structlog
from eata_ledger.encoding import Malformed
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.opening import check_opening
from eata_proto.etcd import rpc_pb2, rpc_pb2_grpc

from eata_node.engine import etcd_room
from eata_node.engine.access import WHOLE, lanes_of, prefix_of
from eata_node.engine.endpoints import Doors, Endpoint
from eata_node.engine.interface import Appended, EngineDown, Head, MustBootstrap, Placed, Room
from eata_node.rpc.tls import Identity

_APPEND_SECONDS, _READ_SECONDS, _HEAD_SECONDS = 1.5, 1.0, 2.0
_STALLED = 5.0  # seconds that a watch may show nothing while the log is ahead of it
_BATCH_BYTES = 2 << 20
_WITH_LEADER = (("hasleader", "true"),)  # a member that has lost its leader ends the watch, rather than show nothing
log = structlog.get_logger()


class EtcdEngine:
    """Keeps the `Engine` contract over an etcd cluster; any member answers, the one that leads is asked."""

    def __init__(
        self, endpoints: Sequence[str], identity: Identity, genesis: Genesis, quota: int, keeper: Identity | None = None
    ) -> None:  # fmt: skip
        """`keeper`: etcd's root, for a node that makes room as well."""
        self._endpoints, self._quota, self._keeper = endpoints, quota, keeper
        self._genesis, self._prefix = genesis, prefix_of(genesis.ledger)
        self.doors = Doors(endpoints, identity)
        self.doors.on_silent = self._doubt
        self._opened: tuple[int, int, bytes] | None = None  # (revision of the era's opening, era, the opening)
        self._leader = ""
        self._watched: Endpoint | None = None
        self._shown, self._waiting, self._enough = -1, 0.0, asyncio.Event()

    async def close(self) -> None:
        await self.doors.close()

    # -- eras

    @property
    def _era_key(self) -> bytes:
        return self._prefix + b"era"

    async def open_era(self, opening: bytes) -> None:
        """Puts position 0, once; a store that has an opening keeps it. Only etcd's root may."""
        check_opening(self._genesis, opening)
        if await self._at_zero() is not None:  # asked first: a full etcd takes no put
            return
        put = rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=self._era_key, value=opening))
        request = rpc_pb2.TxnRequest(compare=[_version_is(self._era_key, 0)], success=[put])
        await self.doors.first(lambda to: rpc_pb2_grpc.KVStub(to).Txn(request, timeout=_APPEND_SECONDS))

    async def _era(self) -> tuple[int, int, bytes]:
        """(revision of the opening, era, the opening). Raises `Malformed` where another ledger's root opened it."""
        if self._opened is None:
            found = await self._at_zero()
            if found is None:
                raise EngineDown("no era has been opened")
            opening = check_opening(self._genesis, found.value)
            if found.version != 1:
                raise Malformed("the era's opening has been overwritten")
            self._opened = found.create_revision, opening.era, found.value
        return self._opened

    async def _at_zero(self) -> rpc_pb2.KeyValue | None:
        """The era's opening, None in an empty store."""
        request = rpc_pb2.RangeRequest(key=self._era_key)
        reply = await self.doors.first(lambda to: rpc_pb2_grpc.KVStub(to).Range(request, timeout=_READ_SECONDS))
        return reply.kvs[0] if reply.kvs else None

    # -- appending

    def _lane_key(self, node: bytes, lane: int) -> bytes:
        return lanes_of(self._genesis.ledger, node)[0] + b"%03d" % lane

    async def append(self, node: bytes, lane: int, n: int, group: bytes) -> Appended:
        base, _, _ = await self._era()
        key = self._lane_key(node, lane)
        request = rpc_pb2.TxnRequest(
            compare=[_version_is(key, n - 1)],
            success=[rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=key, value=group))],
            failure=[rpc_pb2.RequestOp(request_range=rpc_pb2.RangeRequest(key=key))],
        )
        reply = await self.doors.first(lambda to: rpc_pb2_grpc.KVStub(to).Txn(request, timeout=_APPEND_SECONDS))
        if reply.succeeded:
            return Appended(True, reply.header.revision - base, n, group)
        found = reply.responses[0].response_range.kvs
        if not found:
            return Appended(False, -1, 0, b"")
        there = found[0]
        if there.value == group:  # sent before: it has its place
            return Appended(True, there.mod_revision - base, n, group)
        return Appended(False, -1, there.version, there.value)

    async def lanes(self, node: bytes) -> dict[int, tuple[int, bytes]]:
        low, high = lanes_of(self._genesis.ledger, node)
        request = rpc_pb2.RangeRequest(key=low, range_end=high)
        reply = await self.doors.first(lambda to: rpc_pb2_grpc.KVStub(to).Range(request, timeout=_READ_SECONDS))
        return {int(kv.key[-3:]): (kv.version, kv.value) for kv in reply.kvs}

    # -- room

    async def compact(self, before: int) -> None:
        """etcd keeps each lane's newest group, which is a live key; older ones go."""
        base, _, _ = await self._era()
        request = rpc_pb2.CompactionRequest(revision=base + before, physical=True)
        try:
            await rpc_pb2_grpc.KVStub(self.doors.order[0].calls).Compact(request, timeout=30)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.OUT_OF_RANGE:  # that far it was compacted before
                raise EngineDown(error.code().name) from None

    async def room(self) -> Room:
        """The fullest member that answers, as etcd itself counts: the size of its file; full while an alarm says so."""
        sizes = [self._quota if etcd_room.alarmed(one) else one.dbSize for one in await self.doors.measure()]
        if self.doors.led and self._watched is not self.doors.order[0]:
            self._enough.set()
        if not sizes:
            raise EngineDown("no member answers")
        return Room(max(sizes), self._quota)

    async def make_room(self) -> None:
        if self._keeper is None:
            return
        doors = Doors(self._endpoints, self._keeper)
        try:
            await doors.measure()
            await etcd_room.make_room(doors, self._quota)
        finally:
            await doors.close()

    # -- following

    async def head(self) -> Head:
        """A linearizable read: the newest revision of the store is the newest position."""
        base, era, opening = await self._era()
        position = await self._newest() - base
        if self._waiting and time.monotonic() - self._waiting > _STALLED and position > self._shown:
            self._enough.set()
        return Head(position, era, "LIVE", await self._leader_name(), "etcd", opening)

    async def _newest(self) -> int:
        """The store's revision, of whichever member tells it first. Raises `EngineDown` where none does."""
        newest = rpc_pb2.RangeRequest(key=self._era_key, keys_only=True)
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                reply = await self.doors.first(lambda to: rpc_pb2_grpc.KVStub(to).Range(newest, timeout=_READ_SECONDS))
        except TimeoutError:
            raise EngineDown(f"no member answered in {_HEAD_SECONDS:.0f} s") from None
        return reply.header.revision

    async def _leader_name(self) -> str:
        try:
            door = self.doors.order[0]
            status = await door.status()
            stub = rpc_pb2_grpc.ClusterStub(door.calls)
            members = await stub.MemberList(rpc_pb2.MemberListRequest(), timeout=_READ_SECONDS)
        except grpc.aio.AioRpcError:
            return self._leader
        self._leader = next((m.name for m in members.members if status.leader == m.ID), "none")
        return self._leader

    async def follow(self, from_position: int) -> AsyncIterator[list[Placed]]:
        base, _, _ = await self._era()
        if not self.doors.measured:
            await self.doors.measure()
        self._watched = door = self.doors.order[0]
        self._shown = from_position - 1
        self._enough.clear()
        try:
            async for placed in self._watch(door.watching, base, from_position):
                self._shown = placed[-1].position
                yield placed
            if not self.doors.led or door is self.doors.order[0]:  # it fell silent
                self.doors.failed(door)
        except grpc.aio.AioRpcError as error:
            self.doors.failed(door)
            log.warning("following interrupted", code=error.code().name)
            await asyncio.sleep(0.1)

    async def _watch(self, channel: grpc.aio.Channel, base: int, position: int) -> AsyncIterator[list[Placed]]:
        """Positions in order, none left out: every revision from `base + position` on."""
        create = rpc_pb2.WatchCreateRequest(
            key=WHOLE, range_end=WHOLE, start_revision=base + position, fragment=True, progress_notify=True
        )
        call: Any = rpc_pb2_grpc.WatchStub(channel).Watch(metadata=_WITH_LEADER)
        try:
            await call.write(rpc_pb2.WatchRequest(create_request=create))
            events: list[rpc_pb2.Event] = []
            while True:
                reply = await self._read(call)
                if reply is None or reply is grpc.aio.EOF:
                    return
                if reply.canceled and not reply.compact_revision:
                    raise EngineDown(f"the watch was refused: {reply.cancel_reason}")
                if reply.canceled:
                    raise MustBootstrap(f"the log no longer has position {position}: {reply.cancel_reason}")
                events += reply.events
                if reply.fragment or not events:
                    continue
                placed = self._placed(events, base)
                events = []
                if placed[0].position != position:
                    raise MustBootstrap(f"the log goes on at {placed[0].position}, {position} is wanted")
                position = placed[-1].position + 1
                for batch in _batches(placed):
                    yield batch
        finally:
            call.cancel()

    async def _read(self, call: Any) -> Any:
        """The watch's next reply; None once it is to be left for another member's."""
        self._waiting = time.monotonic()
        reading, enough = asyncio.ensure_future(call.read()), asyncio.ensure_future(self._enough.wait())
        try:
            await asyncio.wait({reading, enough}, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else None
        finally:
            self._waiting = 0.0
            reading.cancel()
            enough.cancel()

    def _placed(self, events: Sequence[rpc_pb2.Event], base: int) -> list[Placed]:
        """One for each revision; what is not one put of ours is a void group of no bytes."""
        by_revision: dict[int, list[rpc_pb2.Event]] = {}
        for event in events:
            by_revision.setdefault(event.kv.mod_revision, []).append(event)
        placed = []
        for revision, found in sorted(by_revision.items()):
            ours = len(found) == 1 and found[0].type == rpc_pb2.Event.PUT and found[0].kv.key.startswith(self._prefix)
            placed.append(Placed(revision - base, found[0].kv.value if ours else b""))
        return placed

    def _doubt(self, door: Endpoint, since: float) -> None:
        """A member that has neither answered nor shown anything since then is no longer watched."""
        if door is self._watched and 0 < self._waiting <= since:
            self._enough.set()


def _version_is(key: bytes, version: int) -> rpc_pb2.Compare:
    return rpc_pb2.Compare(
        result=rpc_pb2.Compare.EQUAL, target=rpc_pb2.Compare.VERSION, key=key, version=version
    )  # fmt: skip


def _batches(placed: list[Placed]) -> list[list[Placed]]:
    """At most 2 MiB each, so that others work between them."""
    batches: list[list[Placed]] = [[]]
    size = 0
    for one in placed:
        if size > _BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(one)
        size += len(one.group)
    return batches
