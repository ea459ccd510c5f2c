"""A model of a quorum log: what etcd promises, with what a client sees of it on a bad day.

Acknowledged is durable, whoever dies. An answer may be lost though the write was made; a packet may come late, or twice;
without a leader nothing is answered; a watch ends whenever it likes; what was compacted is gone.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc.aio
from eata_node.engine.interface import Appended, EngineDown, Head, MustBootstrap, Placed, Room

from tests.simulation.loop import Process
from tests.simulation.wire import Wire

NAME = "core"
_RETRY_SECONDS, _HEAD_SECONDS, _AT_ONCE = 0.3, 2.0, 8


@dataclass
class Quorum:
    """The log itself: no fault reaches what it has acknowledged."""

    opening: bytes
    groups: list[bytes] = field(default_factory=list)
    lanes: dict[tuple[bytes, int], tuple[int, int]] = field(default_factory=dict)  # (n, position)
    compacted: int = 0
    led: asyncio.Event = field(default_factory=asyncio.Event)  # set while there is a leader
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.groups.append(self.opening)
        self.led.set()

    def append(self, node: bytes, lane: int, n: int, group: bytes) -> Appended:
        """One transaction: group n of a lane only where the lane stands at n - 1."""
        at, position = self.lanes.get((node, lane), (0, -1))
        if at == n and self.groups[position] == group:
            return Appended(True, position, n, group)
        if at != n - 1:
            return Appended(False, -1, at, self.groups[position] if at else b"")
        self.groups.append(group)
        self.lanes[node, lane] = (n, len(self.groups) - 1)
        self.show()
        return Appended(True, len(self.groups) - 1, n, group)

    def show(self) -> None:
        self.moved.set()
        self.moved = asyncio.Event()


class ModelEngine:
    """A node's client of the quorum; keeps the `Engine` contract."""

    def __init__(self, quorum: Quorum, wire: Wire, owner: Process, name: str) -> None:
        self._quorum, self._wire, self._owner, self._name = quorum, wire, owner, name

    async def append(self, node: bytes, lane: int, n: int, group: bytes) -> Appended:
        while True:
            try:
                await self._reach()
                answer = self._quorum.append(node, lane, n, group)
                if self._wire.seeded.random() < self._wire.rates.repeated:
                    asyncio.get_running_loop().call_later(
                        self._wire.seeded.uniform(0.01, 4), self._quorum.append, node, lane, n, group
                    )
                await self._reach()
            except grpc.aio.AioRpcError:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return answer

    async def _reach(self) -> None:
        """A way to a leader, or an error after a while. Raises `AioRpcError`."""
        await self._wire.carry(self._name, NAME)
        await self._quorum.led.wait()

    async def head(self) -> Head:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                await self._reach()
                return Head(len(self._quorum.groups) - 1, 1, "LIVE", "model", "model", self._quorum.groups[0])
        except (TimeoutError, grpc.aio.AioRpcError):
            raise EngineDown from None

    async def compact(self, before: int) -> None:
        if not self._quorum.led.is_set():
            raise EngineDown
        self._quorum.compacted = max(self._quorum.compacted, before)

    async def room(self) -> Room:
        return Room()

    async def make_room(self) -> None:
        """There is always room."""

    async def lanes(self, node: bytes) -> dict[int, tuple[int, bytes]]:
        while True:
            try:
                await self._reach()
            except grpc.aio.AioRpcError:
                continue
            found = {lane: at for (owner, lane), at in self._quorum.lanes.items() if owner == node}
            return {lane: (n, self._quorum.groups[position]) for lane, (n, position) in found.items()}

    async def follow(self, from_position: int) -> AsyncIterator[list[Placed]]:
        position = from_position
        try:
            while True:
                await self._reach()
                if position < self._quorum.compacted:  # what follows it is still there
                    raise MustBootstrap(f"the log no longer has position {position}")
                moved = self._quorum.moved
                end = min(len(self._quorum.groups), position + _AT_ONCE)
                if position < end:
                    yield [Placed(at, self._quorum.groups[at]) for at in range(position, end)]
                    position = end
                else:
                    await moved.wait()
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Nothing to release."""
