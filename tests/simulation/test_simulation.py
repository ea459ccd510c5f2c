"""The shipped node, core and client under one scheduler: promises hold under every seed, and planted mistakes are found."""

import pytest

from tests.simulation.planted import PLANTED, Planted
from tests.simulation.run import simulate

SEEDS, LOOKED_AT = 12, 20


def test_every_promise_holds_at_every_step() -> None:
    """P1, P2, P6 and P7 on both engines; `scripts/simulate --seeds 10000` is the long run, with seeds of its own."""
    found = {report.seed: report.violation for report in map(simulate, range(SEEDS)) if report.violation}
    assert found == {}


def test_a_seed_plays_the_same_run_again() -> None:
    """What a seed has found can be looked at as often as needed."""
    first, again = simulate(36), simulate(36)
    assert (first.trace, first.seconds, first.seen, first.struck) == (
        again.trace,
        again.seconds,
        again.seen,
        again.struck,
    )
    assert first.struck.total() > 5


@pytest.mark.parametrize("planted", PLANTED, ids=[planted.name for planted in PLANTED])
def test_a_planted_mistake_is_found(planted: Planted) -> None:
    """Within a few seeds; the one that finds it finds nothing where nothing is planted."""
    assert planted.found(planted.seed, LOOKED_AT) is not None
