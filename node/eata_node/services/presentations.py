"""Which codes were shown where: a second showing of one code is known to every node, and told to both desks (U13).

Kept in memory for the life of a desk certificate; it is a courtesy, the log alone decides who commits.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import grpc.aio
from eata_ledger.encoding import Malformed
from eata_ledger.log.certificate import LONGEST
from eata_ledger.record import CODE, RANDOM16, U16, U64, Record, f
from eata_proto.v1 import node_pb2, node_pb2_grpc

_KEPT, _EACH = 10_000, 4  # codes that each node told of, showings of each: a peer that tells more forgets its own only
_WAITING, _TELLING = 8, 1_000  # collisions a listener has not read, messages under way to peers
_PEER_SECONDS = 2.0


class ShownCode(NamedTuple):
    """A voucher's code."""

    carnet_id: int
    slot: int


@dataclass(frozen=True)
class Shown(Record):
    """One showing of a code; `desk` is the serial of the desk's certificate, `time` ms UTC."""

    office: str = f(CODE)
    desk: bytes = f(RANDOM16)
    time: int = f(U64)


@dataclass(frozen=True)
class Collision:
    """One code at two desks."""

    code: ShownCode
    first: Shown
    second: Shown


class Presentations:
    """This node's memory of showings, and its peers'."""

    def __init__(self, peers: Mapping[str, grpc.aio.Channel], clock: Callable[[], int]) -> None:
        self._peers: list[node_pb2_grpc.PeerAsyncStub] = [node_pb2_grpc.PeerStub(c) for c in peers.values()]
        self._clock = clock
        self._shown: dict[str, OrderedDict[ShownCode, list[Shown]]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._listeners: set[asyncio.Queue[Collision]] = set()

    def show(self, code: ShownCode, shown: Shown) -> list[Shown]:
        """Remembers and tells the peers; the other desks that were shown this code before."""
        others = self._remember("", code, shown)
        for peer in self._peers:
            if len(self._telling) < _TELLING:
                task = asyncio.ensure_future(self._tell(peer, code, shown))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)
        return others

    def hear(self, peer: str, told: node_pb2.PresentedRequest) -> None:
        """A showing at a peer. Raises `Malformed` for one that no desk can have made now: a peer may say anything."""
        shown = Shown.from_value([told.office, told.desk, told.time])
        U64.load(told.carnet_id)
        U16.load(told.slot)
        if abs(self._clock() - shown.time) > LONGEST:
            raise Malformed("a showing is of now")
        self._remember(peer, ShownCode(told.carnet_id, told.slot), shown)

    def _remember(self, node: str, code: ShownCode, shown: Shown) -> list[Shown]:
        """The other desks that were shown this code; tells who listens of each new collision."""
        told = (kept.get(code, ()) for kept in self._shown.values())
        known = sorted({s for some in told for s in some if shown.time - s.time <= LONGEST}, key=lambda s: s.time)
        others = [s for s in known if s.desk != shown.desk]
        if len(others) < len(known):  # this desk has looked before
            return others
        if others:
            for listener in self._listeners:
                if listener.qsize() < _WAITING:
                    listener.put_nowait(Collision(code, others[-1], shown))
        own = self._shown.setdefault(node, OrderedDict())
        own[code] = [*own.pop(code, []), shown][-_EACH:]
        if len(own) > _KEPT:
            own.popitem(last=False)
        return others

    @staticmethod
    async def _tell(peer: "node_pb2_grpc.PeerAsyncStub", code: ShownCode, shown: Shown) -> None:
        message = node_pb2.PresentedRequest(
            carnet_id=code.carnet_id, slot=code.slot, office=shown.office, desk=shown.desk, time=shown.time
        )
        try:
            await peer.Presented(message, timeout=_PEER_SECONDS)
        except grpc.aio.AioRpcError:
            return  # a peer that is down learns of the commit from the log

    def listen(self) -> "asyncio.Queue[Collision]":
        """New collisions from now on; give it back with `forget`."""
        queue: asyncio.Queue[Collision] = asyncio.Queue()
        self._listeners.add(queue)
        return queue

    def forget(self, queue: "asyncio.Queue[Collision]") -> None:
        self._listeners.discard(queue)
