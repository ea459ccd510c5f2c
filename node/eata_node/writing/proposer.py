"""Group commit: whatever waits, and what the loop is bringing, leaves together as soon as a lane is free. No linger timer.

Each lane has one append in flight; an ambiguous append is settled by sending the same bytes again. A group
that the log voids is proposed once more with the same entries; after that the client is told to retry.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from eata_ledger.log.group import LANES, MAX_GROUP, NO_HASH, Cosignature, Group, GroupHeader, GroupKind
from eata_ledger.log.keys import SigningKey
from eata_ledger.wire import group_from_bytes, group_to_bytes
from eata_proto.v1 import ledger_pb2

from eata_node.engine.interface import Engine
from eata_node.ground.metrics import Metrics
from eata_node.replica.replica import Divergence, Replica
from eata_node.replica.results import GroupVoid, Result

_GROUP_ENTRIES = 256
_ENOUGH, _STILL, _SECONDS = 64, 8, 0.05  # entries, turns of the loop, time: a lane waits for no more
_GROUP_BYTES = MAX_GROUP - 64 * 1024
_OPENINGS = 3
_QUEUE_ENTRIES, _QUEUE_BYTES = 8192, 64 << 20
BEAT_IDLE, BEAT_GROWN, BEAT_SIGNED = 10.0, 1.0, 0.4
log = structlog.get_logger()


class SupersededError(Exception):
    """Another process runs with this node's identity; this one must end."""


class Overloaded(Exception):
    """Too much waits for the log already."""


@dataclass
class _Lane:
    number: int
    n: int
    hash: bytes


@dataclass(frozen=True)
class _Waiting:
    entry: ledger_pb2.Entry
    frame: bytes
    receipt: bool


def wall_clock() -> int:
    """ms UTC."""
    return time.time_ns() // 1_000_000


class Proposer:
    """Turns entries into groups of this node."""

    def __init__(
        self, engine: Engine, replica: Replica, key: SigningKey, sign_checkpoint: Callable[[], Awaitable[Cosignature | None]],
        metrics: Metrics, foresee: Callable[[list[bytes]], None] = lambda frames: None,
    ) -> None:  # fmt: skip
        self._engine, self._replica, self._key = engine, replica, key
        self._sign_checkpoint, self._metrics, self._foresee = sign_checkpoint, metrics, foresee
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue()
        self._lanes: list[_Lane] = []
        self._collecting = asyncio.Lock()  # one lane at a time: two would share out what comes
        self._under_way: dict[bytes, asyncio.Future[Result]] = {}
        self._waiting_bytes = 0
        self._cosignature: Cosignature | None = None
        self._last_proposal = 0.0
        self.incarnation = 0
        self.synced = 0

    @property
    def waiting(self) -> int:
        """Bytes of what waits for a lane."""
        return self._waiting_bytes

    @property
    def unregistered(self) -> bool:
        """This node's keys are not in the node set (yet)."""
        return self._key.id not in self._replica.nodes

    async def open(self, catch_up: Callable[[], Awaitable[None]]) -> None:
        """Starts a new incarnation; older processes are refused from here. Raises `SupersededError`.

        A group that a killed process had sent may still take this opening's place in the lane; then it opens above
        that one, three times at most. Once it has its place, whoever opened above it is a newer process.
        """
        for more in reversed(range(_OPENINGS)):
            found = await self._engine.lanes(self._key.id)  # before catching up: all that they hold is applied then
            await catch_up()
            if self._replica.halted:
                return
            try:
                position = await self._place_opening(found)
                break
            except SupersededError as error:
                if not more:
                    raise
                log.warning("opening once more", why=str(error))
        while not await self._replica.reach(position, 10):
            if self._replica.halted:
                return
            log.warning("waiting for the own opening", position=position)
        node = self._replica.nodes[self._key.id]
        if node.incarnation != self.incarnation or node.lanes[0].hash != self._lanes[0].hash:
            raise SupersededError("another process opened this node")

    async def _place_opening(self, found: dict[int, tuple[int, bytes]]) -> int:
        """Above what the lanes were found to hold; its position."""
        self._lanes = [_Lane(number, 0, NO_HASH) for number in range(LANES)]
        for number, (n, group) in found.items():
            if number < LANES:
                self._lanes[number] = _Lane(number, n, group_from_bytes(group).group.hash)
        self.incarnation = self._replica.nodes[self._key.id].incarnation + 1
        return await self._append(self._lanes[0], GroupKind.OPEN, [])

    async def run(self) -> None:
        """Lanes and beats until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(self._serve(lane))
            tasks.create_task(self._beat())

    async def propose(self, entry: ledger_pb2.Entry, frame: bytes, receipt: bool = False) -> Result:
        """The logged result. Raises `GroupVoid` after a second void group, `Overloaded` when too much waits.

        A frame already on its way is not sent twice: everyone who asks waits for the same result. `receipt`: the peers'
        signatures will be wanted, and are asked for as it leaves.
        """
        for attempt in (1, 2):
            if self._replica.halted:
                raise GroupVoid("this node has halted")
            under_way = self._under_way.get(frame)
            if under_way is None or under_way.done():
                if self._waiting_bytes > _QUEUE_BYTES or self._queue.qsize() > _QUEUE_ENTRIES:
                    raise Overloaded
                result = self._under_way[frame] = self._replica.waiters.expect(frame)
                result.add_done_callback(lambda done: self._forget(frame, done))
                self._waiting_bytes += entry.ByteSize()
                self._queue.put_nowait(_Waiting(entry, frame, receipt))
            else:
                result = under_way
            try:
                return await asyncio.shield(result)
            except GroupVoid:
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def _forget(self, frame: bytes, done: "asyncio.Future[Result]") -> None:
        if self._under_way.get(frame) is done:
            del self._under_way[frame]
        if not done.cancelled():
            done.exception()  # looked at, also where nobody waits any more

    async def _serve(self, lane: _Lane) -> None:
        while True:
            async with self._collecting:
                batch = await self._collected()
            self._metrics.group_entries.observe(len(batch))
            await self._append(lane, GroupKind.ENTRIES, batch)

    async def _collected(self) -> list[_Waiting]:
        """The next group's entries; none for a beat."""
        first = await self._queue.get()
        batch: list[_Waiting] = [] if first is None else [first]
        if batch:
            await self._gather()
        size = sum(w.entry.ByteSize() for w in batch)
        while len(batch) < _GROUP_ENTRIES and not self._queue.empty():
            waiting = self._queue.get_nowait()
            if waiting is None:
                continue
            if size + waiting.entry.ByteSize() > _GROUP_BYTES and batch:
                self._queue.put_nowait(waiting)
                break
            size += waiting.entry.ByteSize()
            batch.append(waiting)
        self._waiting_bytes -= size
        return batch

    async def _gather(self) -> None:
        """Goes on once a few turns of the loop bring no more: what is being judged leaves with the others.

        Every group costs every replica a signature, a write and a wake-up, so a busy node makes fewer; a lone entry
        on an idle node is held up by microseconds.
        """
        loop, waiting, still = asyncio.get_running_loop(), self._queue.qsize(), 0
        latest = loop.time() + _SECONDS
        while waiting < _ENOUGH and still < _STILL and loop.time() < latest:
            await asyncio.sleep(0)
            still = 0 if self._queue.qsize() > waiting else still + 1
            waiting = self._queue.qsize()

    async def _append(self, lane: _Lane, kind: GroupKind, batch: list[_Waiting]) -> int:
        """Places one group; follows the lane if an older group of ours, late, took the place."""
        while True:
            if self._replica.nodes[self._key.id].incarnation > self.incarnation:
                raise SupersededError("the log shows a newer process of this node")
            self._last_proposal = asyncio.get_running_loop().time()
            header = self._header(lane, kind, batch)
            encoded = header.to_bytes()
            group = Group(header, encoded, header.sign(self._key))
            data = group_to_bytes(group, tuple(waiting.entry for waiting in batch))
            wanted = [waiting.frame for waiting in batch if waiting.receipt]
            if wanted:
                self._foresee(wanted)
            answer = await self._engine.append(self._key.id, lane.number, header.n, data)
            if answer.done:
                lane.n, lane.hash = header.n, group.hash
                return answer.position
            self._adopt(lane, answer.lane_n, answer.lane_group)

    def _adopt(self, lane: _Lane, n: int, group: bytes) -> None:
        if n < lane.n:  # put back from an old copy
            raise Divergence(f"the engine's lane {lane.number} stands at {n}, it has acknowledged {lane.n}")
        there = group_from_bytes(group).group if group else None
        if there is not None and there.header.incarnation >= self.incarnation:
            raise SupersededError("a newer process of this node has appended")
        log.warning("lane moved", lane=lane.number, n=n)
        lane.n, lane.hash = n, there.hash if there else NO_HASH

    def _header(self, lane: _Lane, kind: GroupKind, batch: list[_Waiting]) -> GroupHeader:
        state = self._replica.state
        signed, shown = self._cosignature, self._replica.cosigning.signed_size
        cosignature = signed if signed is not None and signed.size > shown else None
        return GroupHeader(
            1, self._replica.genesis.ledger, state.era, kind, self._key.id, self.incarnation, lane.number,
            lane.n + 1, lane.hash, self._replica.clock(), self._replica.clock_watch.wrong, self.synced, self._replica.knows, cosignature,
            tuple(waiting.frame for waiting in batch),
        )  # fmt: skip

    async def _beat(self) -> None:
        """Signs new checkpoints beside the hot path; an empty group when idle, so that clocks, checkpoints and
        signatures go on."""
        while True:
            await asyncio.sleep(0.2)
            cosigning, state = self._replica.cosigning, self._replica.state
            waiting = self._cosignature is not None and self._cosignature.size > cosigning.signed_size
            if not waiting and cosigning.to_sign() is not None:
                self._cosignature = await self._sign_checkpoint()
                waiting = self._cosignature is not None
            grown = state.size > state.checkpoint
            idle = asyncio.get_running_loop().time() - self._last_proposal
            patience = BEAT_SIGNED if waiting else BEAT_GROWN if grown else BEAT_IDLE
            if idle >= patience and self._queue.empty():
                self._queue.put_nowait(None)
