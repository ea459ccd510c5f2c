"""One transport over six nodes: the nearest first, a hedge after a second, fail-over with the same bytes."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.reading import to_sign
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.net.errors import OWN_CLOCK, EataError, Unreachable, from_rpc
from eata_clients.net.network import ClientIdentity, Network, NodeAddress
from eata_clients.net.suspicions import Suspicions

R = TypeVar("R")
Method = Callable[[grpc.aio.Channel], Callable[..., Awaitable[R]]]
HEDGE_SECONDS = 1.0
_SLOWER, _LONGEST_HEDGE = 3, 2.0  # times what a node usually takes; s, whatever it has made usual
_PROBE_SECONDS = 0.5
_CALL_SECONDS = 12.0


def now() -> int:
    """ms UTC."""
    return time.time_ns() // 1_000_000


def newest(session: ledger_pb2.Session) -> tuple[int, int]:
    """What sessions are ordered by: era, then position."""
    return session.era, session.position


def connect(network: Path, folder: Path | None = None) -> "Transport":
    """The nodes of a network file: `async with connect(path) as nodes`.

    `folder` holds an organisation's TLS key and certificate, where it has them: desks, issuers, auditors. Raises `EataError`.
    """
    return Transport(Network.read(network), None if folder is None else ClientIdentity.read(folder))


class Transport:
    """Calls any of the nodes; carries the session token so that no older state is ever shown (P6)."""

    def __init__(self, network: Network, identity: ClientIdentity | None = None, prefer: Sequence[str] = ()) -> None:
        self.network = network
        self._channels = {node.name: network.channel(node, identity) for node in network.nodes}
        self._order: list[NodeAddress] = sorted(network.nodes, key=lambda n: n.name not in prefer)
        self._measured = bool(prefer)
        self._usual: dict[str, float] = {}  # seconds that a node takes to answer, of late
        self.suspicions = Suspicions()
        self._sessions: dict[str, ledger_pb2.Session] = {}
        self._doubts: dict[str, dict[str, tuple[int, int]]] = {}
        self.last_node = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def measure(self) -> list[tuple[str, float]]:
        """Asks every node once and sorts them by round trip; silent ones go last."""

        async def probe(node: NodeAddress) -> tuple[NodeAddress, float]:
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

    async def call(self, method: Method[R], request: Any) -> R:
        """The first good answer. A coded refusal is an answer; only an unavailable node is passed over."""
        return (await self.ask(method, request))[0]

    async def ask(self, method: Method[R], request: Any, avoid: Collection[str] = ()) -> tuple[R, str]:
        """The first good answer, and the node that gave it; those in `avoid` are not asked."""
        await self.near()
        waiting: dict[asyncio.Task[R], NodeAddress] = {}
        clock, since = asyncio.get_running_loop().time, dict[str, float]()
        left, last, asked = [n for n in self._order if n.name not in avoid], EataError("UNREACHABLE", "", ""), 0
        try:
            while left or waiting:
                if left:
                    node, asked = left.pop(0), asked + 1
                    since[node.name] = clock()
                    waiting[asyncio.ensure_future(self.at(node.name, method, request))] = node
                patience = self._patience(node) if left else None
                done, _ = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for task in [one for one in waiting if one in done]:
                    node = waiting.pop(task)
                    error = task.exception()
                    if error is None:
                        self._answered_in(node, clock() - since[node.name])
                        for silent in waiting.values():  # it was asked before, and has said nothing for so long
                            self.demote(silent.name)
                        return self._seen(task.result(), node), node.name
                    if not isinstance(error, EataError) or not error.retryable:
                        if isinstance(error, EataError):
                            error.alone, error.node = asked == 1, node.name
                        raise error
                    last = last if last.code == OWN_CLOCK else error
                    self.demote(node.name)
        finally:
            for task in waiting:
                task.cancel()
        raise Unreachable(f" (last: {last.code})") if last.code in ("UNREACHABLE", "UNAVAILABLE") else last

    def _patience(self, node: NodeAddress) -> float:
        """How long one node is waited for before the next is asked too; where all are slow, more copies make them slower."""
        return max(HEDGE_SECONDS, min(_SLOWER * self._usual.get(node.name, 0.0), _LONGEST_HEDGE))

    def _answered_in(self, node: NodeAddress, seconds: float) -> None:
        self._usual[node.name] = (3 * self._usual.get(node.name, seconds) + seconds) / 4

    def demote(self, name: str) -> None:
        """Asked last from here on: it did not answer, or not what others say."""
        self._order.sort(key=lambda node: node.name == name)

    async def at(self, name: str, method: Method[R], request: Any, seconds: float = _CALL_SECONDS) -> R:
        """One node's answer, as of nothing older than was shown before. Raises `EataError`."""
        if "session" in request.DESCRIPTOR.fields_by_name:
            request.session.CopyFrom(self.session)
        try:
            return await method(self._channels[name])(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            refused = from_rpc(error)
            refused.node = name
            if refused.code == "SESSION_AHEAD":
                self._doubt_session(name)
            raise refused from None

    def _seen(self, reply: R, node: NodeAddress) -> R:
        session = getattr(reply, "session", None)
        if session is not None:
            self.carry(session, node.name)
        self.last_node = node.name
        return reply

    @property
    def session(self) -> ledger_pb2.Session:
        """The newest state that any node has shown."""
        return max(self._sessions.values(), key=newest, default=ledger_pb2.Session())

    def carry(self, session: ledger_pb2.Session, node: str = "") -> None:
        """From here on nothing older is shown: as of a node's answer, or of what another party handed over."""
        for doubts in self._doubts.values():
            if node in doubts and newest(session) >= doubts[node]:
                del doubts[node]  # it was only behind
        if newest(session) > newest(self._sessions.get(node, ledger_pb2.Session())):
            self._sessions[node] = session

    def _doubt_session(self, said_by: str) -> None:
        """The log is not where one node said it is: its word is forgotten once an honest one is among those that say so.

        It is asked last from then on and not accused: it may be ahead of the others honestly.
        """
        if not self._sessions:
            return
        teller = max(self._sessions, key=lambda name: newest(self._sessions[name]))
        doubts = self._doubts.setdefault(teller, {})
        if said_by != teller:
            doubts[said_by] = newest(self._sessions[teller])
        if len(doubts) > self.network.most_liars:
            del self._sessions[teller], self._doubts[teller]
            self.demote(teller)

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
