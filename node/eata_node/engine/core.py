"""The embedded engine's server: one process that orders groups for six proxies on one machine.

Group commit: whatever waits is written together, fsynced once (log, then mark), then acknowledged and only
then shown to followers.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog
from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import Malformed
from eata_ledger.proof.genesis import Genesis
from eata_ledger.proof.group import MAX_GROUP
from eata_ledger.wire import group_from_bytes
from eata_proto.v1 import node_pb2, node_pb2_grpc

from eata_node.engine.era import check_opening
from eata_node.engine.log_store import LogStore
from eata_node.guarding import Context
from eata_node.tls import SERVER_OPTIONS, Identity

_RECENT = 4096
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
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=_RECENT)
        self._durable = store.head if store.live else -1
        self._reported: set[bytes] = set()

    @property
    def state(self) -> str:
        return "LIVE" if self._store.live else "RECOVERING"

    async def run(self) -> None:
        """The one writer. An I/O error ends the process: nothing unsynced was acknowledged."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._commit()

    async def _commit(self) -> None:
        taken: list[tuple[_Waiting, int]] = []
        groups: list[bytes] = []
        heads: dict[tuple[bytes, int], tuple[int, bytes]] = {}
        while self._queue:
            waiting = self._queue.popleft()
            lane = (waiting.node, waiting.lane)
            stored = self._store.lanes.get(lane)
            n, group = heads.get(lane) or ((stored.n, stored.group) if stored else (0, b""))
            if waiting.n != n + 1:
                reply = node_pb2.AppendReply(done=False, lane_n=n, lane_group=group)
                self._answer(waiting, reply)
                continue
            heads[lane] = (waiting.n, waiting.group)
            taken.append((waiting, self._store.head + 1 + len(groups)))
            groups.append(waiting.group)
        if not groups:
            return
        self._store.write(groups)
        head, chain = self._store.head, self._store.chain
        await asyncio.to_thread(self._store.sync, head, chain)
        self._durable = head
        for waiting, position in taken:
            self._recent.append((position, waiting.group))
            self._answer(waiting, node_pb2.AppendReply(done=True, position=position))
        self._show()

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
        record = self._genesis.by_id.get(request.node)
        if record is None or not group.genuine(record.key(Purpose.GROUP)):
            raise Malformed("the group is not signed by a registered node")
        if (group.header.node, group.header.lane, group.header.n) != (request.node, request.lane, request.n):
            raise Malformed("the group is for another lane")

    async def Follow(  # noqa: N802
        self, request: node_pb2.FollowRequest, context: Context
    ) -> AsyncIterator[node_pb2.PositionedBatch]:
        position = request.from_position
        while True:
            moved = self._moved
            batch = self._from(position)
            if batch:
                position = batch[-1].position + 1
                yield node_pb2.PositionedBatch(groups=batch)
            else:
                await moved.wait()

    def _from(self, position: int) -> list[node_pb2.Positioned]:
        """Durable groups from a position on, at most 256 or 2 MiB."""
        high = min(self._durable, position + 255)
        if position > high:
            return []
        if self._recent and self._recent[0][0] <= position:
            offset = position - self._recent[0][0]
            source = [self._recent[offset + n] for n in range(high - position + 1)]
        else:
            source = list(self._store.read(position, high + 1))
        batch, size = [], 0
        for place, group in source:
            batch.append(node_pb2.Positioned(position=place, group=group))
            size += len(group)
            if size > _BATCH_BYTES:
                break
        return batch

    async def Head(  # noqa: N802
        self, request: node_pb2.HeadRequest, context: Context
    ) -> node_pb2.HeadReply:
        opening = self._store.get(0)
        era = check_opening(self._genesis, opening) if opening else None
        mark = self._store.mark
        return node_pb2.HeadReply(
            head=self._durable if self._store.live else self._store.head, era=era.era if era else 0,
            era_id=era.id if era else b"", state=self.state, wanted=-1 if mark is None else mark.position,
            leader=self._name, engine="embedded",
        )  # fmt: skip

    async def Lanes(  # noqa: N802
        self, request: node_pb2.LanesRequest, context: Context
    ) -> node_pb2.LanesReply:
        found = [
            node_pb2.Lane(lane=lane, n=head.n, group=head.group)
            for (node, lane), head in self._store.lanes.items()
            if node == request.node
        ]
        return node_pb2.LanesReply(lanes=found)

    async def Refill(  # noqa: N802
        self, request_iterator: AsyncIterator[node_pb2.PositionedBatch], context: Context
    ) -> node_pb2.RefillReply:
        node = dict(context.invocation_metadata() or ()).get("eata-node", "")
        async for batch in request_iterator:
            for placed in batch.groups:
                if not self._store.live:
                    try:
                        self._store.refill(placed.position, placed.group)
                    except Malformed as error:
                        log.error("refill refused", node=node, why=str(error))
                        await context.abort(grpc.StatusCode.DATA_LOSS, str(error))
        if not self._store.live:
            self._reported.add(str(node).encode())
            await self._maybe_live()
        return node_pb2.RefillReply(head=self._store.head, state=self.state)

    async def _maybe_live(self) -> None:
        """With a mark: once it is reached. Without: once every replica has brought what it has."""
        mark = self._store.mark
        reached = mark is not None and self._store.head >= mark.position
        all_here = mark is None and len(self._reported) == len(self._genesis.nodes)
        if (reached or all_here) and self._store.head >= 0:
            self._store.go_live()
            self._durable = self._store.head
            log.info("log refilled", head=self._durable)
            self._show()


class CoreServer:
    """The core with its disk and its door. Every follower's call ends when it stops."""

    def __init__(self, folder: Path, genesis: Genesis, address: str) -> None:
        self._store = LogStore(folder, genesis)
        if self._store.evidence or not self._store.live:
            log.error("the log is not whole; waiting for replicas", evidence=self._store.evidence)
        self._core = Core(self._store, genesis, "core")
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        node_pb2_grpc.add_LogEngineServicer_to_server(self._core, self._server)
        self._server.add_secure_port(address, Identity.read(folder).server(True))

    async def start(self) -> None:
        await self._server.start()
        self.writer = asyncio.create_task(self._core.run())

    async def stop(self) -> None:
        await self._server.stop(0.2)
        self.writer.cancel()
        await asyncio.gather(self.writer, return_exceptions=True)
        self._store.close()
