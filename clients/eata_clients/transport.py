"""One transport over six nodes: the nearest first, a hedge after a second, fail-over with the same bytes."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
from eata_ledger.proof.keys import SigningKey
from eata_ledger.proof.reading import to_sign
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.errors import EataError, Unreachable, from_rpc
from eata_clients.network import Identity, Network, Node

R = TypeVar("R")
HEDGE_SECONDS = 1.0
_PROBE_SECONDS = 0.5
_CALL_SECONDS = 12.0


def now() -> int:
    """ms UTC."""
    return time.time_ns() // 1_000_000


class Transport:
    """Calls any of the nodes; carries the session token so that no older state is ever shown (P6)."""

    def __init__(self, network: Network, identity: Identity | None = None, prefer: Sequence[str] = ()) -> None:
        self.network = network
        self._channels = {node.name: network.channel(node, identity) for node in network.nodes}
        self._order: list[Node] = sorted(network.nodes, key=lambda n: n.name not in prefer)
        self._measured = bool(prefer)
        self.session = ledger_pb2.Session()
        self.last_node = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def measure(self) -> list[tuple[str, float]]:
        """Asks every node once and sorts them by round trip; silent ones go last."""

        async def probe(node: Node) -> tuple[Node, float]:
            stub = ledger_pb2_grpc.LedgerStub(self._channels[node.name])
            clock = asyncio.get_running_loop().time
            started = clock()
            try:
                await stub.Status(ledger_pb2.StatusRequest(), timeout=_PROBE_SECONDS)
            except grpc.aio.AioRpcError:
                return node, float("inf")
            return node, clock() - started

        found = sorted(await asyncio.gather(*(probe(node) for node in self._order)), key=lambda pair: pair[1])
        self._order, self._measured = [node for node, _ in found], True
        return [(node.name, seconds) for node, seconds in found]

    async def call(self, method: Callable[[grpc.aio.Channel], Callable[..., Awaitable[R]]], request: Any) -> R:
        """The first good answer. A coded refusal is an answer; only an unavailable node is passed over."""
        await self.near()
        waiting: dict[asyncio.Task[R], Node] = {}
        left, last, asked = list(self._order), EataError("UNREACHABLE", "", ""), 0
        try:
            while left or waiting:
                if left:
                    node, asked = left.pop(0), asked + 1
                    waiting[asyncio.ensure_future(self._one(method, node, request))] = node
                patience = HEDGE_SECONDS if left else None
                done, _ = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for task in [one for one in waiting if one in done]:
                    node = waiting.pop(task)
                    error = task.exception()
                    if error is None:
                        return self._seen(task.result(), node)
                    if not isinstance(error, EataError) or not error.retryable:
                        if isinstance(error, EataError):
                            error.alone = asked == 1
                        raise error
                    last = error
                    self._order.sort(key=lambda n, bad=node: n is bad)  # type: ignore[misc]
        finally:
            for task in waiting:
                task.cancel()
        raise Unreachable(f" (last: {last.code})") if last.code in ("UNREACHABLE", "UNAVAILABLE") else last

    async def _one(
        self, method: Callable[[grpc.aio.Channel], Callable[..., Awaitable[R]]], node: Node, request: Any
    ) -> R:
        try:
            return await method(self._channels[node.name])(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from None

    def _seen(self, reply: R, node: Node) -> R:
        session = getattr(reply, "session", None)
        if session is not None:
            self.carry(session)
        self.last_node = node.name
        return reply

    def carry(self, session: ledger_pb2.Session) -> None:
        """From here on nothing older is shown: as of an answer, or of what another party handed over."""
        if (session.era, session.position) > (self.session.era, self.session.position):
            self.session = session

    async def near(self) -> list[str]:
        """Node names, the nearest first, measured once."""
        if not self._measured:
            await self.measure()
        return self.nearest

    @property
    def nearest(self) -> list[str]:
        """Node names, the nearest first."""
        return [node.name for node in self._order]

    def channel(self, name: str) -> grpc.aio.Channel:
        """One node's channel, for streams and comparisons."""
        return self._channels[name]

    def signed(
        self, method: str, body: bytes, signers: Sequence[SigningKey], certificate: bytes = b""
    ) -> ledger_pb2.SignedRequest:
        """A read signed by the reader's keys; made anew for every call."""
        time_now, nonce = now(), os.urandom(16)
        message = to_sign(self.network.ledger, method, body, time_now, nonce)
        signatures = [ledger_pb2.Signature(key_id=key.id, value=key.sign(message)) for key in signers]
        return ledger_pb2.SignedRequest(
            body=body, time=time_now, nonce=nonce, signatures=signatures, session=self.session, certificate=certificate
        )
