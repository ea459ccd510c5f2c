"""etcd's members as a proxy sees them: each call goes to the one that leads, and past it where it fails.

No way to a commit is shorter than the one to the leader; the others, nearest first, forward to it.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc.aio
from eata_proto.etcd import rpc_pb2, rpc_pb2_grpc

from eata_node.tls import CHANNEL_OPTIONS, Identity

_STATUS_SECONDS = 2.0
_OPTIONS = (
    *CHANNEL_OPTIONS, ("grpc.keepalive_time_ms", 2000), ("grpc.keepalive_timeout_ms", 1500),
    ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0),
    ("grpc.use_local_subchannel_pool", 1),
)  # fmt: skip


@dataclass(eq=False)
class Door:
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

    `led`: who stands first has said that it leads.
    """

    def __init__(self, endpoints: Sequence[str], identity: Identity) -> None:
        self.order = [Door(e, identity.channel(e, _OPTIONS), identity.channel(e, _OPTIONS)) for e in endpoints]
        self.measured = self.led = False

    def failed(self, door: Door) -> None:
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


async def _measured(door: Door) -> tuple[Door, tuple[int, int, float], rpc_pb2.StatusResponse | None]:
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
