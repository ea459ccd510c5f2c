"""Which codes were shown where: a second showing of one code is known to every node, and told to both desks (U13).

Kept in memory for the life of a desk certificate; it is a courtesy, the log alone decides who commits.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import grpc.aio
from eata_ledger.proof.certificate import LONGEST
from eata_proto.v1 import node_pb2, node_pb2_grpc

_KEPT = 100_000
_EACH = 8
_PEER_SECONDS = 2.0


@dataclass(frozen=True)
class Shown:
    """One showing of a code; `desk` is the serial of the desk's certificate, `time` ms UTC."""

    office: str
    desk: bytes
    time: int


@dataclass(frozen=True)
class Collision:
    """One code at two desks."""

    voucher_key: bytes
    first: Shown
    second: Shown


class Presentations:
    """This node's memory of showings, and its peers'."""

    def __init__(self, peers: Mapping[str, grpc.aio.Channel]) -> None:
        self._peers: list[node_pb2_grpc.PeerAsyncStub] = [node_pb2_grpc.PeerStub(c) for c in peers.values()]
        self._shown: OrderedDict[bytes, list[Shown]] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()
        self._listeners: set[asyncio.Queue[Collision]] = set()

    def show(self, voucher_key: bytes, shown: Shown) -> list[Shown]:
        """Remembers and tells the peers; the other desks that were shown this code before."""
        others = self.hear(voucher_key, shown)
        for peer in self._peers:
            task = asyncio.ensure_future(self._tell(peer, voucher_key, shown))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)
        return others

    def hear(self, voucher_key: bytes, shown: Shown) -> list[Shown]:
        """Remembers a showing here or at a peer, and tells who listens of each new collision."""
        known = [s for s in self._shown.pop(voucher_key, []) if shown.time - s.time <= LONGEST]
        others = [s for s in known if s.desk != shown.desk]
        again = len(others) < len(known)
        if others and not again:
            for listener in self._listeners:
                if listener.qsize() < _EACH:
                    listener.put_nowait(Collision(voucher_key, others[-1], shown))
        self._shown[voucher_key] = known if again else [*known, shown][-_EACH:]
        if len(self._shown) > _KEPT:
            self._shown.popitem(last=False)
        return others

    @staticmethod
    async def _tell(peer: "node_pb2_grpc.PeerAsyncStub", voucher_key: bytes, shown: Shown) -> None:
        message = node_pb2.PresentedRequest(
            voucher_key=voucher_key, office=shown.office, desk=shown.desk, time=shown.time
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
