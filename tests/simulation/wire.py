"""gRPC without sockets: the generated stubs and servicers of the shipped code, over a wire that delays, loses and repeats."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio

from tests.simulation.loop import Process, spawn

_KEEPALIVE_SECONDS = 20.0
_REPEATED = ("/eata.v1.Ledger/Submit", "/eata.v1.LogEngine/Append")


def failure(code: grpc.StatusCode, details: str = "", trailing: Any = ()) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details)


class Host:
    """A process that answers; takes handlers as a gRPC server would. `guard` wraps each, as an interceptor does."""

    def __init__(self, process: Process, guard: Any = None) -> None:
        self.process, self._guard = process, guard
        self.handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: Iterable[Any]) -> None:
        """The registered ones are enough."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self.handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    async def handler(self, path: str) -> Any:
        found = self.handlers[path]
        if self._guard is None:
            return found

        async def go_on(details: Any) -> Any:
            return found

        return await self._guard.intercept_service(go_on, SimpleNamespace(method=path))


class _Context:
    """What a handler may ask of its call."""

    def __init__(self, caller: str) -> None:
        self._caller = caller

    def peer(self) -> str:
        return f"ipv4:{self._caller}:1"

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_common_name": [f"node:{self._caller}".encode()]}

    async def abort(self, code: grpc.StatusCode, details: str = "") -> None:
        raise failure(code, details)

    async def abort_with_status(self, status: Any) -> None:
        raise failure(status.code, status.details, status.trailing_metadata)


@dataclass
class Rates:
    """How often a message is lost or comes twice, and its mean delay in seconds."""

    lost: float = 0.0
    repeated: float = 0.0
    delay: float = 0.005


@dataclass
class Wire:
    """Between processes, by name."""

    seeded: random.Random
    rates: Rates = field(default_factory=Rates)
    hosts: dict[str, Host] = field(default_factory=dict)
    cut: set[frozenset[str]] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    _healed: asyncio.Event = field(default_factory=asyncio.Event)

    def heal(self) -> None:
        """Whoever waited for a way looks again."""
        self._healed.set()
        self._healed = asyncio.Event()

    def open_between(self, one: str, other: str) -> bool:
        return not ({one, other} & self.held) and frozenset((one, other)) not in self.cut

    async def carry(self, one: str, other: str) -> None:
        """Delayed, and held back while the way is closed. Raises where the message is lost."""
        await asyncio.sleep(self.seeded.expovariate(1 / self.rates.delay))
        while not self.open_between(one, other):
            await self._healed.wait()
        if self.seeded.random() < self.rates.lost:
            raise failure(grpc.StatusCode.UNAVAILABLE, "connection reset")

    def host(self, name: str) -> Host:
        found = self.hosts.get(name)
        if found is None or not found.process.alive:
            raise failure(grpc.StatusCode.UNAVAILABLE, "connection refused")
        return found

    def channel(self, caller: str, callee: str) -> "SimChannel":
        return SimChannel(self, caller, callee)

    async def unary(self, caller: str, callee: str, path: str, request: Any, timeout: float | None) -> bytes:
        """One call; a request may be carried out although its answer is lost, and once more long after."""
        try:
            async with asyncio.timeout(timeout or _KEEPALIVE_SECONDS):
                await self.carry(caller, callee)
                host = self.host(callee)
                if path in _REPEATED and self.seeded.random() < self.rates.repeated:
                    spawn(host.process, self._again(caller, callee, path, request))
                reply = await self._carried_out(host, caller, path, request)
                await self.carry(callee, caller)
                return reply
        except TimeoutError:
            raise failure(grpc.StatusCode.DEADLINE_EXCEEDED) from None

    async def _carried_out(self, host: Host, caller: str, path: str, request: Any) -> bytes:
        task = spawn(host.process, self._handled(host, caller, path, request))
        await asyncio.wait([task])
        if task.cancelled() or not host.process.alive:
            raise failure(grpc.StatusCode.UNAVAILABLE, "connection closed")
        if isinstance(task.exception(), OSError):
            raise failure(grpc.StatusCode.UNKNOWN, "unexpected")
        return bytes(task.result())

    async def _handled(self, host: Host, caller: str, path: str, request: Any) -> bytes:
        handler = await host.handler(path)
        call = handler.stream_unary if handler.request_streaming else handler.unary_unary
        parse = handler.request_deserializer or (lambda data: data)
        given = _each([parse(data) for data in request]) if handler.request_streaming else parse(request)
        return bytes(handler.response_serializer(await call(given, _Context(caller))))

    async def _again(self, caller: str, callee: str, path: str, request: Any) -> None:
        """A packet that comes late, perhaps to the process that runs there by then."""
        await asyncio.sleep(self.seeded.uniform(0.01, 4))
        try:
            await self._handled(self.host(callee), caller, path, request)
        except grpc.aio.AioRpcError:
            return

    async def stream(self, caller: str, callee: str, path: str, request: bytes) -> AsyncIterator[bytes]:
        await self.carry(caller, callee)
        host = self.host(callee)
        messages: asyncio.Queue[bytes | None] = asyncio.Queue(64)
        whole = False

        async def produce() -> None:
            handler = await host.handler(path)
            parse = handler.request_deserializer or (lambda data: data)
            async for message in handler.unary_stream(parse(request), _Context(caller)):
                await messages.put(handler.response_serializer(message))
            await messages.put(None)

        def ended(gone: "asyncio.Task[None]") -> None:
            nonlocal whole
            whole = not gone.cancelled() and gone.exception() is None
            if messages.full() and not whole:
                messages.get_nowait()
            if not whole:
                messages.put_nowait(None)

        task = spawn(host.process, produce())
        task.add_done_callback(ended)
        try:
            while True:
                message = await messages.get()
                if message is None and whole:
                    return
                if message is None or not host.process.alive:
                    refused = task.exception() if task.done() and not task.cancelled() else None
                    closed = failure(grpc.StatusCode.UNAVAILABLE, "stream closed")
                    raise refused if isinstance(refused, grpc.aio.AioRpcError) else closed
                await self.carry(callee, caller)
                yield message
        finally:
            task.cancel()


class SimChannel:
    """What a generated stub needs of a channel."""

    def __init__(self, wire: Wire, caller: str, callee: str) -> None:
        self._wire, self._caller, self._callee = wire, caller, callee

    def unary_unary(
        self, path: str, request_serializer: Any, response_deserializer: Any, **more: Any
    ) -> Callable[..., Awaitable[Any]]:
        async def call(request: Any, timeout: float | None = None) -> Any:
            data = request_serializer(request)
            return response_deserializer(await self._wire.unary(self._caller, self._callee, path, data, timeout))

        return call

    def stream_unary(
        self, path: str, request_serializer: Any, response_deserializer: Any, **more: Any
    ) -> Callable[..., Awaitable[Any]]:
        async def call(requests: AsyncIterator[Any], timeout: float | None = None) -> Any:
            data = [request_serializer(request) async for request in requests]
            return response_deserializer(await self._wire.unary(self._caller, self._callee, path, data, timeout))

        return call

    def unary_stream(
        self, path: str, request_serializer: Any, response_deserializer: Any, **more: Any
    ) -> Callable[..., AsyncIterator[Any]]:
        async def call(request: Any, timeout: float | None = None) -> AsyncIterator[Any]:
            data = request_serializer(request)
            async for message in self._wire.stream(self._caller, self._callee, path, data):
                yield response_deserializer(message)

        return call

    def __getattr__(self, name: str) -> Any:
        if name == "stream_stream":
            return lambda *given, **more: None
        raise AttributeError(name)

    async def close(self) -> None:
        """Nothing to release."""


async def _each(messages: list[Any]) -> AsyncIterator[Any]:
    for message in messages:
        yield message
