"""The benchmarks measure what they say: late starts count, mornings repeat, ratios are of the same run."""

import os

from eata_node.operator.cluster import REGIONS

from benchmarks.__main__ import fallen
from benchmarks.commits import ONE, SIX, SIX_ETCD, ratios
from benchmarks.fair import arrivals
from benchmarks.measuring import Figure, at_times, closed, cpu_seconds, machine, memory_mb
from benchmarks.plots import draw
from benchmarks.regions import Log, round_trip


def figure(what: str, load: str, per_second: float, p50_ms: float) -> Figure:
    return Figure(what, load, 10, per_second, p50_ms, p50_ms, p50_ms, p50_ms, {"load": 1.0})


async def test_a_call_that_starts_late_is_measured_from_when_it_was_due() -> None:
    """No coordinated omission: the second was due a second before the run began."""

    async def call(number: int) -> None:
        assert number in (0, 1)

    found = await at_times("late", call, [-1.0, -1.0], "open", {})
    assert (found.calls, found.load) == (2, "open")
    assert found.p50_ms >= 1000


async def test_a_closed_loop_makes_every_call_once_and_tells_what_each_process_spent() -> None:
    made: list[int] = []

    async def call(number: int) -> None:
        made.append(number)

    found = await closed("echo", call, 3, 20, {"self": os.getpid()})
    assert sorted(made) == list(range(20))
    assert set(found.cpu_ms) == {"load", "self"}
    assert cpu_seconds(os.getpid()) > 0
    assert memory_mb(os.getpid()) > 1


def test_a_morning_is_its_seed() -> None:
    """Half come in convoys of twelve, and the same seed brings the same lorries."""
    morning = arrivals(7, 600)
    assert morning == arrivals(7, 600) != arrivals(8, 600)
    assert len(morning) == 600
    assert morning == sorted(morning)
    together = sum(morning[n + 11] - morning[n] < 0.5 for n in range(len(morning) - 11))
    assert together >= 20


def test_ratios_are_of_medians_and_only_of_what_was_measured() -> None:
    rounds = [figure("echo", "64 at once", rate, 1) for rate in (900, 1000, 5000)]
    rounds += [figure(SIX, "64 at once", rate, 1) for rate in (90, 100, 110)]
    assert ratios(rounds) == {"six replicas ÷ echo": 0.1}
    more = [*rounds, figure(ONE, "64 at once", 250, 1), figure(SIX_ETCD, "64 at once", 120, 1),
            figure("etcd put", "64 at once", 480, 1), figure("echo", "1 at once", 1, 1),
            figure("etcd put", "1 at once", 1, 3), figure(SIX_ETCD, "1 at once", 1, 8)]  # fmt: skip
    found = ratios(more)
    assert found["one replica ÷ echo"] == 0.25
    assert found["six on etcd ÷ etcd put"] == 0.25
    assert found["single on etcd p50 ÷ (echo + etcd put) p50"] == 2.0


def test_a_fall_of_a_third_is_said_and_a_little_noise_is_not() -> None:
    [name] = fallen({"six replicas ÷ echo": 0.0001})
    assert "six replicas ÷ echo" in name
    assert fallen({"six replicas ÷ echo": 10.0, "another": 0.0}) == []


def test_a_floor_is_the_way_to_who_leads_and_from_there_to_a_quorum() -> None:
    voters = Log("voters", ("frankfurt", "virginia", "mumbai"), leader="frankfurt")
    assert [voters.floor(region) for region in ("frankfurt", "virginia", "tokyo")] == [91, 91 + 91, 243 + 91]
    assert [Log("log", ("tokyo",), "tokyo").floor(region) for region in ("tokyo", "mumbai")] == [0, 128]


def test_every_pair_of_regions_has_one_round_trip() -> None:
    for one in REGIONS:
        for other in REGIONS:
            assert round_trip(one, other) == round_trip(other, one)
            assert (round_trip(one, other) == 0) == (one == other)


def test_a_picture_names_everything_that_was_measured() -> None:
    drawn = draw([figure("echo", "1 at once", 10, 2), figure(SIX, "64 at once", 20, 3)])
    assert drawn.startswith("<?xml")
    assert "calls a second" in drawn
    assert machine()["cores"] == os.cpu_count()
