"""Is this node's own clock right? Judged by its peers' readings as their groups bring them (design: time).

A clock is wrong where it is over 10 s from so many peers' heard in the last 30 s that an honest one is among them, and from
more of them than agree with it. Such a node takes no entries, and says in its groups that it doubts its clock: log time then
goes by its reading before. The reading itself is told all the same, or nobody could see that clocks are right again.
"""

from collections.abc import Callable
from statistics import median_high, median_low

WRONG_MS, HEARD_SECONDS, PEERS = 10_000, 30.0, 2


class ClockWatch:
    """What each peer's clock said beside ours when we heard it; `one_honest`: among how many peers there is an honest one."""

    def __init__(self, clock: Callable[[], int], elapsed: Callable[[], float], one_honest: Callable[[], int]) -> None:
        self._clock, self._elapsed, self._one_honest = clock, elapsed, one_honest
        self._heard: dict[bytes, tuple[float, int]] = {}

    def hear(self, node: bytes, reading: int) -> None:
        """A peer's clock (ms UTC), as its newest group carries it."""
        self._heard[node] = self._elapsed(), reading - self._clock()

    def _fresh(self) -> list[int]:
        """How far each peer heard of late is from our clock, ms, ascending."""
        now = self._elapsed()
        return sorted(difference for at, difference in self._heard.values() if now - at <= HEARD_SECONDS)

    @property
    def off_by(self) -> int:
        """How far the peers' median is from our clock, ms, the nearer one of two; 0 where too few were heard of late."""
        fresh = self._fresh()
        return min(median_low(fresh), median_high(fresh), key=abs) if len(fresh) >= PEERS else 0

    @property
    def wrong(self) -> bool:
        fresh = self._fresh()
        contradicting = sum(abs(difference) > WRONG_MS for difference in fresh)
        return contradicting >= max(PEERS, self._one_honest()) and 2 * contradicting > len(fresh)
