"""What a replica asks of a log engine. Two engines keep this contract; one suite checks both."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Placed:
    """Where a group stands in the log."""

    position: int
    group: bytes


@dataclass(frozen=True)
class Appended:
    """`done`: durable on a quorum, fsynced, at `position`. Else what stands in the lane instead."""

    done: bool
    position: int
    lane_n: int
    lane_group: bytes


@dataclass(frozen=True)
class Head:
    """The newest position (-1: empty), the era with its opening as stored (empty: none), and who leads."""

    position: int
    era: int
    state: str
    leader: str
    engine: str
    opening: bytes = b""


class EngineDown(Exception):
    """The engine has no quorum, or nobody of it answers: ask again."""


@dataclass(frozen=True)
class Room:
    """Bytes the log takes and bytes it may take; a quota of 0 is no quota."""

    used: int = 0
    quota: int = 0

    def full(self, more: int = 0) -> float:
        """How much is taken once there is so much more, 0 to 1."""
        return (self.used + more) / self.quota if self.quota else 0.0


class MustBootstrap(Exception):
    """The engine no longer has what this replica needs next: it must start from a snapshot or from its peers."""


class Engine(Protocol):
    """Errors of transport are retried inside; the same bytes again are always safe."""

    async def append(self, node: bytes, lane: int, n: int, group: bytes) -> Appended:
        """Writes group n of a lane only if the lane stands at n - 1; durable once it returns done."""

    def follow(self, from_position: int) -> AsyncIterator[list[Placed]]:
        """Groups from a position on, in order, inclusive; ends on a broken connection."""

    async def head(self) -> Head:
        """The newest durable position. Raises `EngineDown`."""

    async def compact(self, before: int) -> None:
        """Groups before a position may be forgotten. Raises `EngineDown`."""

    async def room(self) -> Room:
        """What the log takes now. Raises `EngineDown`."""

    async def make_room(self) -> None:
        """Gives back what compaction has freed; may block a member of the engine for a moment. Raises `EngineDown`."""

    async def lanes(self, node: bytes) -> dict[int, tuple[int, bytes]]:
        """Lane → (n, group) of what the node has in the log."""

    async def close(self) -> None:
        """Ends the connections."""
