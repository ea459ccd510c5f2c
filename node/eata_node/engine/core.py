"""The embedded engine's server: one process that orders groups for six proxies on one machine.

Group commit: whatever waits is written together, fsynced once (log, then mark), then acknowledged and only
then shown to followers.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog
from eata_ledger.encoding import Malformed
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.group import MAX_GROUP
from eata_ledger.log.opening import check_opening
from eata_ledger.wire import group_from_bytes
from eata_proto.v1 import node_pb2, node_pb2_grpc

from eata_node.engine.log_head import LaneHead
from eata_node.engine.log_store import LogDisk, LogStore
from eata_node.ground.rocks import DamagedError
from eata_node.rpc.errors import Context, require_node
from eata_node.rpc.tls import SERVER_OPTIONS, Identity

_RECENT_BYTES = 32 << 20
_BATCH_BYTES = 2 << 20
log = structlog.get_logger()


@dataclass
class _Waiting:
    node: bytes
    lane: int
    n: int
    group: bytes
    answer: "asyncio.Future[node_pb2.AppendReply]"


class Core(node_pb2_grpc.LogEngineServicer):
    """LIVE takes appends; RECOVERING takes refills until everything acknowledged is back."""

    def __init__(self, store: LogStore, genesis: Genesis, name: str) -> None:
        self._store, self._genesis, self._name = store, genesis, name
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._recent: dict[int, bytes] = {}  # by position, the oldest first, without a gap
        self._recent_bytes = 0
        self._stopping = False
        self.damaged = asyncio.Event()
        self._durable = store.head if store.live else -1
        self._reported: set[str] = set()

    @property
    def state(self) -> str:
        return "LIVE" if self._store.live else "RECOVERING"

    async def run(self) -> None:
        """The one writer, until `stop`. An I/O error ends the process: nothing unsynced was acknowledged."""
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._commit()

    def stop(self) -> None:
        """Lets the batch in hand finish."""
        self._stopping = True
        self._wake.set()

    async def _commit(self) -> None:
        taken: list[tuple[_Waiting, int]] = []
        groups: list[bytes] = []
        lanes: dict[tuple[bytes, int], LaneHead] = {}
        while self._queue:
            waiting = self._queue.popleft()
            lane = (waiting.node, waiting.lane)
            there = lanes.get(lane) or self._store.tip.lanes.get(lane) or LaneHead(0, b"", -1)
            if waiting.group == there.group:  # sent again: the same place
                taken.append((waiting, there.position))
            elif waiting.n != there.n + 1:
                self._answer(waiting, node_pb2.AppendReply(done=False, lane_n=there.n, lane_group=there.group))
            else:
                position = self._store.head + 1 + len(groups)
                lanes[lane] = LaneHead(waiting.n, waiting.group, position)
                taken.append((waiting, position))
                groups.append(waiting.group)
        if groups:
            self._store.write(groups)
            head, chain = self._store.head, self._store.tip.chain
            await asyncio.to_thread(self._store.sync, head, chain)
            self._remember(head - len(groups) + 1, groups)
            self._durable = head
        for waiting, position in taken:
            self._answer(waiting, node_pb2.AppendReply(done=True, position=position))
        if groups:
            self._show()

    def _remember(self, first: int, groups: list[bytes]) -> None:
        """The newest groups in memory, at most 32 MiB, for followers that are nearly there."""
        for position, group in enumerate(groups, first):
            self._recent[position] = group
            self._recent_bytes += len(group)
        while self._recent_bytes > _RECENT_BYTES:
            self._recent_bytes -= len(self._recent.pop(next(iter(self._recent))))

    @staticmethod
    def _answer(waiting: _Waiting, reply: node_pb2.AppendReply) -> None:
        if not waiting.answer.done():
            waiting.answer.set_result(reply)

    def _show(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    # -- the service

    async def Append(  # noqa: N802
        self, request: node_pb2.AppendRequest, context: Context
    ) -> node_pb2.AppendReply:
        await require_node(context, self._store.tip.nodes)
        if not self._store.live:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "RECOVERING: the log waits for its replicas")
        try:
            self._check(request)
        except Malformed as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answer: asyncio.Future[node_pb2.AppendReply] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(request.node, request.lane, request.n, request.group, answer))
        self._wake.set()
        return await answer

    def _check(self, request: node_pb2.AppendRequest) -> None:
        if len(request.group) > MAX_GROUP:
            raise Malformed("the group is larger than 1 MiB")
        group = group_from_bytes(request.group).group
        key = self._store.tip.group_keys.get(request.node)
        if key is None or not self._store.tip.may_append(request.node) or not group.genuine(key):
            raise Malformed("the group is not signed by a registered node")
        if (group.header.node, group.header.lane, group.header.n) != (request.node, request.lane, request.n):
            raise Malformed("the group is for another lane")

    async def Follow(  # noqa: N802
        self, request: node_pb2.FollowRequest, context: Context
    ) -> AsyncIterator[node_pb2.PositionedBatch]:
        await require_node(context, self._store.tip.nodes)
        position = request.from_position
        if position < self._store.first:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, f"the log begins at position {self._store.first}")
        while True:
            moved = self._moved
            try:
                batch = self._from(position)
            except DamagedError as error:
                log.error("the log does not read", why=str(error))
                self.damaged.set()
                raise
            if batch:
                position = batch[-1].position + 1
                yield node_pb2.PositionedBatch(groups=batch)
            else:
                await moved.wait()

    def _from(self, position: int) -> list[node_pb2.Positioned]:
        """Durable groups from a position on, at most 2 MiB."""
        batch, size = [], 0
        for place, group in self._source(position):
            batch.append(node_pb2.Positioned(position=place, group=group))
            size += len(group)
            if size > _BATCH_BYTES:
                break
        return batch

    def _source(self, position: int) -> Iterator[tuple[int, bytes]]:
        if position > self._durable:
            return iter(())
        if position in self._recent:
            return ((place, self._recent[place]) for place in range(position, self._durable + 1))
        return self._store.read(position, self._durable + 1)

    async def Head(  # noqa: N802
        self, request: node_pb2.HeadRequest, context: Context
    ) -> node_pb2.HeadReply:
        await require_node(context, self._store.tip.nodes, also="node:core")
        opening = self._store.get(0)
        era = check_opening(self._genesis, opening) if opening else None
        mark = self._store.mark
        return node_pb2.HeadReply(
            head=self._durable if self._store.live else self._store.head, era=era.era if era else 0,
            era_id=era.id if era else b"", state=self.state, wanted=-1 if mark is None else mark.position,
            leader=self._name, engine="embedded", opening=opening or b"",
        )  # fmt: skip

    async def Lanes(  # noqa: N802
        self, request: node_pb2.LanesRequest, context: Context
    ) -> node_pb2.LanesReply:
        await require_node(context, self._store.tip.nodes)
        found = [
            node_pb2.Lane(lane=lane, n=head.n, group=head.group)
            for (node, lane), head in self._store.tip.lanes.items()
            if node == request.node
        ]
        head = self._store.head
        while self._store.live and self._durable < head:  # nothing is shown that a power cut may still take
            await self._moved.wait()
        return node_pb2.LanesReply(lanes=found)

    async def Compact(  # noqa: N802
        self, request: node_pb2.CompactRequest, context: Context
    ) -> node_pb2.CompactReply:
        await require_node(context, self._store.tip.nodes)
        if self._store.live and request.before <= self._durable:
            self._store.compact(request.before)
        return node_pb2.CompactReply()

    async def Refill(  # noqa: N802
        self, request_iterator: AsyncIterator[node_pb2.PositionedBatch], context: Context
    ) -> node_pb2.RefillReply:
        node = await require_node(context, self._store.tip.nodes)
        async for batch in request_iterator:
            for placed in batch.groups:
                if not self._store.live:
                    try:
                        self._store.refill(placed.position, placed.group)
                    except Malformed as error:
                        log.error("refill refused", node=node, why=str(error))
                        self._reported.clear()
                        await context.abort(grpc.StatusCode.ABORTED, str(error))
        if not self._store.live:
            self._reported.add(node)
            self._maybe_live()
        return node_pb2.RefillReply(head=self._store.head, state=self.state)

    def _maybe_live(self) -> None:
        """With a good mark: once it is reached. Without: once every replica has brought what it has."""
        sure = self._store.reached and self._store.mark_certain
        all_here = len(self._reported) == len({node.name for node in self._store.tip.nodes})
        if sure or (all_here and self._store.head >= 0 and (self._store.mark is None or self._store.reached)):
            self._store.go_live()
            self._durable = self._store.head
            log.info("log refilled", head=self._durable)
            self._show()


class CoreServer:
    """The core with its disk and its door. Every follower's call ends when it stops."""

    def __init__(self, folder: Path, genesis: Genesis, address: str) -> None:
        self._store = LogStore(LogDisk(folder), genesis)
        if self._store.evidence or not self._store.live:
            log.error("the log is not whole; waiting for replicas", evidence=self._store.evidence)
        self._core = Core(self._store, genesis, "core")
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        node_pb2_grpc.add_LogEngineServicer_to_server(self._core, self._server)
        self._server.add_secure_port(address, Identity.read(folder).server(True))

    async def start(self) -> None:
        await self._server.start()
        self._writer = asyncio.create_task(self._core.run())
        self._damage = asyncio.create_task(self._core.damaged.wait())

    async def failed(self) -> None:
        """Returns when this process must end: an fsync failed, or the log does not read any more."""
        await asyncio.wait({self._writer, self._damage}, return_when=asyncio.FIRST_COMPLETED)
        if self._writer.done() and not self._writer.cancelled() and self._writer.exception() is not None:
            log.error("the log cannot be written", why=str(self._writer.exception()))

    async def stop(self) -> None:
        await self._server.stop(0.2)
        self._core.stop()
        self._damage.cancel()
        await asyncio.gather(self._writer, self._damage, return_exceptions=True)
        self._store.close()
