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
    """The newest position (-1: empty), the era, and who leads."""

    position: int
    era: int
    state: str
    leader: str
    engine: str


class Engine(Protocol):
    """Errors of transport are retried inside; the same bytes again are always safe."""

    async def append(self, node: bytes, lane: int, n: int, group: bytes) -> Appended:
        """Writes group n of a lane only if the lane stands at n - 1; durable once it returns done."""

    def follow(self, from_position: int) -> AsyncIterator[list[Placed]]:
        """Groups from a position on, in order, inclusive; ends on a broken connection."""

    async def head(self) -> Head:
        """The newest durable position."""

    async def lanes(self, node: bytes) -> dict[int, tuple[int, bytes]]:
        """Lane → (n, group) of what the node has in the log."""
