"""Is this node's own clock right? Judged by its peers' readings as their groups bring them (design: time).

A node over 10 s from the median of at least two peers heard in the last 30 s stops proposing; alone it does not judge.
"""

from collections.abc import Callable
from statistics import median

WRONG_MS, HEARD_SECONDS, PEERS = 10_000, 30.0, 2


class ClockWatch:
    """What each peer's clock said beside ours when we heard it."""

    def __init__(self, clock: Callable[[], int], elapsed: Callable[[], float]) -> None:
        self._clock, self._elapsed = clock, elapsed
        self._heard: dict[bytes, tuple[float, int]] = {}

    def hear(self, node: bytes, reading: int) -> None:
        """A peer's clock (ms UTC), as its newest group carries it."""
        self._heard[node] = self._elapsed(), reading - self._clock()

    @property
    def off_by(self) -> int:
        """How far the peers' median is from our clock, ms; 0 where too few were heard of late."""
        now = self._elapsed()
        fresh = [difference for at, difference in self._heard.values() if now - at <= HEARD_SECONDS]
        return int(median(fresh)) if len(fresh) >= PEERS else 0

    @property
    def wrong(self) -> bool:
        return abs(self.off_by) > WRONG_MS
