"""The peers' signatures of statements: asked for while an entry is on its way to the log, or afterwards by its index."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc.aio
from eata_proto.v1 import node_pb2, node_pb2_grpc

PATIENCE = 3.0  # seconds that a node waits for entries to come to it
_KEPT = 4096
_SECONDS = 2.0


@dataclass(frozen=True)
class Given:
    """What a peer gave for one entry; nothing of it is verified yet."""

    kid: bytes
    signature: bytes
    share: bytes


_Answers = dict[bytes, Given]  # by frame hash, or by index as 8 bytes


class Gathering:
    """One node's way of asking its peers."""

    def __init__(self, peers: Mapping[str, grpc.aio.Channel]) -> None:
        self._peers: dict[str, node_pb2_grpc.PeerAsyncStub] = {
            name: node_pb2_grpc.PeerStub(channel) for name, channel in peers.items()
        }
        self._coming: OrderedDict[bytes, dict[str, asyncio.Task[_Answers]]] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._peers)

    def foresee(self, frames: Sequence[bytes]) -> None:
        """Asks now for entries that leave for the log now: signatures then come as soon as the peers have applied them."""
        request = node_pb2.SignStatementsRequest(frames=frames)
        tasks = {name: asyncio.create_task(self._ask(name, request, PATIENCE + _SECONDS)) for name in self._peers}
        for frame in frames:
            self._coming[frame] = tasks
        while len(self._coming) > _KEPT:
            self._coming.popitem(last=False)

    async def signature(self, name: str, frame: bytes, index: int) -> Given | None:
        """One peer's signature of the entry at `index`, whose frame hash this is; None where it gives none."""
        coming = self._coming.get(frame, {}).get(name)
        found = None if coming is None else (await asyncio.shield(coming)).get(frame)
        if found is not None:
            return found
        request = node_pb2.SignStatementsRequest(indexes=[index])
        return (await self._ask(name, request, _SECONDS)).get(index.to_bytes(8, "big"))

    async def _ask(self, name: str, request: node_pb2.SignStatementsRequest, seconds: float) -> _Answers:
        """By frame hash, or by index as 8 bytes; nothing from a peer that does not answer."""
        try:
            reply = await self._peers[name].SignStatements(request, timeout=seconds)
        except grpc.aio.AioRpcError:
            return {}
        wanted = {*request.frames, *(index.to_bytes(8, "big") for index in request.indexes)}
        found = {one.frame or one.index.to_bytes(8, "big"): one for one in reply.statements}
        return {
            key: Given(reply.signer, one.signature, one.verification)
            for key, one in found.items() if key in wanted and _sized(reply.signer, one)
        }  # fmt: skip


def _sized(signer: bytes, one: node_pb2.SignedStatement) -> bool:
    """What is kept of a peer's answer is no longer than what was asked for."""
    return len(signer) == 8 and len(one.signature) == 64 and len(one.verification) <= 64
