"""The embedded engine as a proxy sees it: retries, and refilling a core that lost its tail."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import grpc
import grpc.aio
import structlog
from eata_proto.v1 import node_pb2, node_pb2_grpc

from eata_node.engine.interface import Appended, EngineDown, Head, MustBootstrap, Placed, Room

_PATIENCE = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
R = TypeVar("R")
log = structlog.get_logger()
Tail = Callable[[int], Iterator[tuple[int, bytes]]]


class EmbeddedEngine:
    """Keeps the `Engine` contract over gRPC. `tail(position)` yields this replica's own groups from there."""

    def __init__(self, channel: grpc.aio.Channel, tail: Tail) -> None:
        self._channel, self._tail = channel, tail
        self._stub = node_pb2_grpc.LogEngineStub(channel)

    async def close(self) -> None:
        await self._channel.close()

    async def append(self, node: bytes, lane: int, n: int, group: bytes) -> Appended:
        request = node_pb2.AppendRequest(node=node, lane=lane, n=n, group=group)
        reply = await self._patiently(lambda: self._stub.Append(request, timeout=10))
        return Appended(reply.done, reply.position, reply.lane_n, reply.lane_group)

    async def _patiently(self, call: Callable[[], Awaitable[R]]) -> R:
        """Until the core answers; a refusal of the request itself is raised."""
        attempt = 0
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                if error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED):
                    raise
            await asyncio.sleep(_PATIENCE[min(attempt, len(_PATIENCE) - 1)])
            attempt += 1

    async def follow(self, from_position: int) -> AsyncIterator[list[Placed]]:
        try:
            await self._recover()
            async for batch in self._stub.Follow(node_pb2.FollowRequest(from_position=from_position)):
                yield [Placed(placed.position, placed.group) for placed in batch.groups]
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.OUT_OF_RANGE:
                raise MustBootstrap(error.details() or "") from None
            log.warning("following interrupted", code=error.code().name)
            await asyncio.sleep(0.1)

    async def _recover(self) -> None:
        """Pushes this replica's tail while the core recovers, and waits until it is live."""
        while True:
            head = await self._stub.Head(node_pb2.HeadRequest(), timeout=5)
            if head.state == "LIVE":
                return
            log.info("refilling the core", head=head.head, wanted=head.wanted)
            reply = await self._stub.Refill(self._push(head.head + 1), timeout=600)
            if reply.state != "LIVE":
                await asyncio.sleep(0.2)

    async def _push(self, position: int) -> AsyncIterator[node_pb2.PositionedBatch]:
        """This replica's groups, a MiB at a time; one it cannot read ends the push, the scrub names it."""
        batch: list[node_pb2.Positioned] = []
        size = 0
        try:
            for place, group in self._tail(position):
                batch.append(node_pb2.Positioned(position=place, group=group))
                size += len(group)
                if size > 1 << 20:
                    yield node_pb2.PositionedBatch(groups=batch)
                    batch, size = [], 0
        except OSError as error:
            log.error("own groups do not read", why=str(error))
        if batch:
            yield node_pb2.PositionedBatch(groups=batch)

    async def head(self) -> Head:
        try:
            reply = await self._stub.Head(node_pb2.HeadRequest(), timeout=2)
        except grpc.aio.AioRpcError as error:
            raise EngineDown(error.code().name) from None
        return Head(reply.head, reply.era, reply.state, reply.leader, reply.engine, reply.opening)

    async def compact(self, before: int) -> None:
        try:
            await self._stub.Compact(node_pb2.CompactRequest(before=before), timeout=30)
        except grpc.aio.AioRpcError as error:
            raise EngineDown(error.code().name) from None

    async def room(self) -> Room:
        """The core has no quota of its own: its disk is the limit, and a full one ends it."""
        return Room()

    async def make_room(self) -> None:
        """RocksDB does that itself."""

    async def lanes(self, node: bytes) -> dict[int, tuple[int, bytes]]:
        reply = await self._patiently(lambda: self._stub.Lanes(node_pb2.LanesRequest(node=node), timeout=5))
        return {lane.lane: (lane.n, lane.group) for lane in reply.lanes}
