"""Buckets: so many at once, so many a minute, one party's never another's."""

import pytest
from eata_node.ground.metrics import Metrics
from eata_node.rpc.errors import ApiError
from eata_node.rpc.limits import RATES, Limit, Limits


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limits:
    return Limits(Metrics(), clock)


def limited(limits: Limits, limit: Limit, who: str) -> bool:
    try:
        limits.charge(limit, who)
    except ApiError as error:
        return error.code == "RATE_LIMITED"
    return False


def test_a_burst_is_answered_and_then_a_steady_rate(limits: Limits, clock: Clock) -> None:
    rate = RATES[Limit.LOOKUP]
    assert not any(limited(limits, Limit.LOOKUP, "a") for _ in range(rate.burst))
    assert limited(limits, Limit.LOOKUP, "a")
    assert not limited(limits, Limit.LOOKUP, "b")
    clock.now += 60
    assert not any(limited(limits, Limit.LOOKUP, "a") for _ in range(rate.a_minute))
    assert limited(limits, Limit.LOOKUP, "a")


def test_waiting_longer_saves_up_no_more_than_a_burst(limits: Limits, clock: Clock) -> None:
    limits.charge(Limit.GUESSES, "desk")
    clock.now += 86_400
    taken = sum(not limited(limits, Limit.GUESSES, "desk") for _ in range(1_000))
    assert taken == RATES[Limit.GUESSES].burst


def test_what_went_wrong_is_counted_and_then_refused_before_it_is_tried(limits: Limits, clock: Clock) -> None:
    for _ in range(RATES[Limit.GUESSES].burst):
        limits.require_left(Limit.GUESSES, b"desk")
        limits.spend(Limit.GUESSES, b"desk")
    with pytest.raises(ApiError, match="Too many"):
        limits.require_left(Limit.GUESSES, b"desk")
    clock.now += 60 / RATES[Limit.GUESSES].a_minute
    limits.require_left(Limit.GUESSES, b"desk")


def test_bytes_are_counted_as_they_are(limits: Limits) -> None:
    limits.charge(Limit.BLOB_BYTES, b"issuer", 40 << 20)
    with pytest.raises(ApiError):
        limits.charge(Limit.BLOB_BYTES, b"issuer", 40 << 20)
    limits.charge(Limit.BLOB_BYTES, b"issuer", 10 << 20)


def test_a_crowd_of_strangers_costs_a_bounded_memory(limits: Limits) -> None:
    for n in range(25_000):
        limits.charge(Limit.PUBLIC_ADDRESS, f"address {n}")
    assert sum(len(kept) for kept in limits._buckets.values()) <= 20_000


def test_every_refusal_is_measured() -> None:
    metrics = Metrics()
    limits = Limits(metrics, lambda: 0.0)
    tried = RATES[Limit.LOOKUP].burst + 5
    assert sum(limited(limits, Limit.LOOKUP, "a") for _ in range(tried)) == 5
    assert metrics.registry.get_sample_value("eata_limited_total", {"limit": "lookup"}) == 5
