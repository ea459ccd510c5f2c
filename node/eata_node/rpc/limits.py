"""How much one party may ask: by address, by identity, and for what goes wrong (guessing, enumeration).

Buckets refill steadily; a call that finds its bucket empty gets RATE_LIMITED and costs nothing more. All defaults are
on; an operator behind a large gateway sets EATA_LIMITS (one factor for all of them).
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from eata_node.ground.metrics import Metrics
from eata_node.rpc.errors import Context, Trouble, address_of, trouble

_KEPT = 20_000  # buckets of each kind; the least recently used is forgotten


class Limit(StrEnum):
    """What is counted; the metric's label."""

    PUBLIC_ADDRESS = "public_address"
    MEMBER = "member"
    IDENTITY = "identity"
    LOOKUP = "lookup"
    FAILURES = "failures"
    GUESSES = "guesses"
    BLOB_BYTES = "blob_bytes"
    ENTRY_BYTES = "entry_bytes"
    MEMBER_FAILURES = "member_failures"
    ADDRESS_BYTES = "address_bytes"
    MEMBER_BYTES = "member_bytes"


@dataclass(frozen=True)
class Rate:
    """`burst` at once, refilled at `a_minute`."""

    a_minute: int
    burst: int


# A desk needs some ten calls a minute, a wallet fewer; what a whole administration sends comes through a member.
RATES = {
    Limit.PUBLIC_ADDRESS: Rate(12_000, 4_000),
    Limit.MEMBER: Rate(60_000, 12_000),
    Limit.IDENTITY: Rate(12_000, 4_000),
    Limit.LOOKUP: Rate(120, 120),
    Limit.FAILURES: Rate(600, 300),
    Limit.GUESSES: Rate(10, 20),
    Limit.BLOB_BYTES: Rate(60 << 20, 60 << 20),
    Limit.ENTRY_BYTES: Rate(120 << 20, 120 << 20),
    Limit.MEMBER_FAILURES: Rate(6_000, 3_000),
    Limit.ADDRESS_BYTES: Rate(120 << 20, 120 << 20),
    Limit.MEMBER_BYTES: Rate(600 << 20, 600 << 20),
}


class Bucket:
    """Steadily refilled."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate, self._left, self._at = rate, float(rate.burst), now

    def take(self, amount: float, now: float) -> bool:
        """False where so much is not left; nothing is taken then."""
        self._left = min(self._rate.burst, self._left + (now - self._at) * self._rate.a_minute / 60)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


class Limits:
    """One node's buckets."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics, self._clock = metrics, clock
        factor = float(os.environ.get("EATA_LIMITS") or 1)
        self._rates = {
            limit: Rate(max(int(r.a_minute * factor), 1), max(int(r.burst * factor), 1)) for limit, r in RATES.items()
        }
        self._buckets: dict[Limit, OrderedDict[str | bytes, Bucket]] = {limit: OrderedDict() for limit in Limit}

    def charge(self, limit: Limit, who: str | bytes, amount: float = 1) -> None:
        """Raises RATE_LIMITED where `who` has asked too much."""
        if not self._bucket(limit, who).take(amount, self._clock()):
            self._metrics.limited.labels(limit.value).inc()
            raise trouble(Trouble.RATE_LIMITED, limit=limit.value)

    def require_left(self, limit: Limit, who: str | bytes) -> None:
        """Raises RATE_LIMITED where the bucket is empty; takes nothing."""
        bucket = self._buckets[limit].get(who)
        if bucket is not None and not bucket.take(1, self._clock()):
            self._metrics.limited.labels(limit.value).inc()
            raise trouble(Trouble.RATE_LIMITED, limit=limit.value)
        if bucket is not None:
            bucket.take(-1, self._clock())

    def spend(self, limit: Limit, who: str | bytes) -> None:
        """Takes one where there is one: for what has gone wrong already."""
        self._bucket(limit, who).take(1, self._clock())

    def _bucket(self, limit: Limit, who: str | bytes) -> Bucket:
        kept = self._buckets[limit]
        bucket = kept.get(who)
        if bucket is None:
            bucket = kept[who] = Bucket(self._rates[limit], self._clock())
            if len(kept) > _KEPT:
                kept.popitem(last=False)
        kept.move_to_end(who)
        return bucket


class PublicDoor:
    """Callers are addresses."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def enter(self, context: Context) -> None:
        self._limits.charge(Limit.PUBLIC_ADDRESS, address_of(context))
        self._limits.require_left(Limit.FAILURES, address_of(context))

    def pay(self, context: Context, size: int) -> None:
        self._limits.charge(Limit.ADDRESS_BYTES, address_of(context), size)

    def failed(self, context: Context) -> None:
        self._limits.spend(Limit.FAILURES, address_of(context))


class MembersDoor:
    """Callers are the organisations and nodes that their certificates name."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    @staticmethod
    def _name(context: Context) -> bytes:
        return bytes(next(iter(context.auth_context().get("x509_common_name", [])), b""))

    def enter(self, context: Context) -> None:
        name = self._name(context)
        self._limits.charge(Limit.MEMBER, name)
        self._limits.require_left(Limit.MEMBER_FAILURES, name)

    def pay(self, context: Context, size: int) -> None:
        self._limits.charge(Limit.MEMBER_BYTES, self._name(context), size)

    def failed(self, context: Context) -> None:
        self._limits.spend(Limit.MEMBER_FAILURES, self._name(context))
