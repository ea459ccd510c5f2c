"""etcd's members as a proxy sees them: each call goes to the one that leads, and past it where it fails.

No way to a commit is shorter than the one to the leader; the others, nearest first, forward to it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc
import grpc.aio
from eata_proto.etcd import rpc_pb2, rpc_pb2_grpc

from eata_node.rpc.tls import CHANNEL_OPTIONS, Identity

_STATUS_SECONDS = 2.0
_SILENT = 0.5  # seconds without an answer, beyond two round trips, then another member is asked as well
_PATIENCE = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # seconds before the next is asked, where nobody is there
_REFUSED = (
    grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
)  # fmt: skip
# Roles were changed while a call was under way; a member that has just joined does not know of any: both pass.
_MEANWHILE = ("revision of auth store is old", "user name is empty")
_OPTIONS = (
    *CHANNEL_OPTIONS, ("grpc.keepalive_time_ms", 2000), ("grpc.keepalive_timeout_ms", 1500),
    ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0),
    ("grpc.use_local_subchannel_pool", 1),
)  # fmt: skip
R = TypeVar("R")


@dataclass(eq=False)
class Endpoint:
    """One member; what is followed has a connection of its own."""

    endpoint: str
    calls: grpc.aio.Channel
    watching: grpc.aio.Channel
    round_trip: float = 0.0  # seconds there and back, as last measured

    async def status(self) -> rpc_pb2.StatusResponse:
        """What the member says of itself. Raises `AioRpcError`."""
        stub = rpc_pb2_grpc.MaintenanceStub(self.calls)
        return await stub.Status(rpc_pb2.StatusRequest(), timeout=_STATUS_SECONDS)


class Doors:
    """`order` is as configured until the members have been measured; then who leads, and the others by round trip.

    `led`: who stands first has said that it leads. `on_silent`: a member has not answered since then (monotonic seconds).
    """

    def __init__(self, endpoints: Sequence[str], identity: Identity) -> None:
        self.order = [Endpoint(e, identity.channel(e, _OPTIONS), identity.channel(e, _OPTIONS)) for e in endpoints]
        self.measured = self.led = False
        self.on_silent: Callable[[Endpoint, float], None] = lambda door, since: None

    async def first(self, call: Callable[[grpc.aio.Channel], Awaitable[R]]) -> R:
        """The first answer, however long that takes; a refusal of the request itself is raised.

        A member may pass a call on to a leader that is gone and never say so, until it notices: another is asked too.
        """
        asked: set[asyncio.Task[R | grpc.aio.AioRpcError]] = set()
        attempt = 0
        try:
            while True:
                door, since = self.order[0], time.monotonic()
                asked.add(asyncio.create_task(_answer(call(door.calls))))
                patience = _SILENT + 2 * door.round_trip
                done, asked = await asyncio.wait(asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for answer in [one.result() for one in done]:
                    if not isinstance(answer, grpc.aio.AioRpcError):
                        return answer
                    if _refuses(answer):
                        raise answer
                self.failed(door)
                if not done:
                    self.on_silent(door, since)
                if not asked:
                    await asyncio.sleep(_PATIENCE[min(attempt, len(_PATIENCE) - 1)])
                attempt += 1
        finally:
            for one in asked:
                one.cancel()

    def failed(self, door: Endpoint) -> None:
        """It goes to the end."""
        self.led = self.led and door is not self.order[0]
        self.order.sort(key=lambda one: one is door)

    async def measure(self) -> list[rpc_pb2.StatusResponse]:
        """What the members say that answer. One that knows no leader stands behind all that do."""
        measured = await asyncio.gather(*map(_measured, self.order))
        places = {door: place for door, place, _ in measured}
        self.order.sort(key=lambda door: places[door])
        self.measured, self.led = True, places[self.order[0]][0] == 0
        return [status for _, _, status in measured if status is not None]

    async def close(self) -> None:
        channels = [channel for door in self.order for channel in (door.calls, door.watching)]
        await asyncio.gather(*(channel.close() for channel in channels))


def _refuses(error: grpc.aio.AioRpcError) -> bool:
    """Whether no member would answer this request otherwise."""
    return error.code() in _REFUSED and not any(text in (error.details() or "") for text in _MEANWHILE)


async def _answer(call: Awaitable[R]) -> R | grpc.aio.AioRpcError:
    """What became of a call; its error is returned, for whoever waits for several."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return error


async def _measured(door: Endpoint) -> tuple[Endpoint, tuple[int, int, float], rpc_pb2.StatusResponse | None]:
    """Its place, lowest first: 0 leads, 1 follows, 2 knows no leader; the newest term; then seconds there and back.

    A leader whose disk hangs says that it leads, beside the one that was elected in its place.
    """
    started = time.monotonic()
    try:
        status = await door.status()
    except grpc.aio.AioRpcError:
        return door, (2, 0, float("inf")), None
    door.round_trip = time.monotonic() - started
    role = 2 if not status.leader else int(status.leader != status.header.member_id)
    return door, (role, -status.raftTerm if role == 0 else 0, door.round_trip), status
