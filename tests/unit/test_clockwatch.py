"""A node judges its own clock by its peers heard of late, and by nobody else; liars among them are outvoted."""

from eata_node.replica.clockwatch import ClockWatch


class Clocks:
    def __init__(self) -> None:
        self.own, self.elapsed = 1_000_000, 0.0
        self.watch = ClockWatch(lambda: self.own, lambda: self.elapsed, lambda: 2)

    def hear(self, **readings: int) -> None:
        for name, ahead in readings.items():
            self.watch.hear(name.encode(), self.own + ahead)


def test_ten_seconds_from_the_median_is_wrong_and_less_is_not() -> None:
    clocks = Clocks()
    clocks.hear(a=9_000, b=10_000, c=10_000)
    assert not clocks.watch.wrong
    clocks.hear(a=11_000, b=11_000, c=0)
    assert (clocks.watch.wrong, clocks.watch.off_by) == (True, 11_000)


def test_one_peer_gone_wrong_does_not_make_us_wrong() -> None:
    clocks = Clocks()
    clocks.hear(a=0, b=50, c=2_300_000_000_000)  # c believes it is 2099
    assert not clocks.watch.wrong


def test_alone_or_long_unheard_it_does_not_judge() -> None:
    clocks = Clocks()
    clocks.hear(a=60_000)
    assert not clocks.watch.wrong
    clocks.hear(b=60_000)
    assert clocks.watch.wrong
    clocks.elapsed += 31
    assert not clocks.watch.wrong


def test_a_clock_that_is_set_right_serves_again_with_the_next_beats() -> None:
    clocks = Clocks()
    clocks.own -= 3_600_000
    clocks.watch.hear(b"a", 1_000_000)
    clocks.watch.hear(b"b", 1_000_000)
    assert clocks.watch.wrong
    clocks.own += 3_600_000
    clocks.hear(a=5, b=5)
    assert not clocks.watch.wrong


def test_two_liars_of_six_do_not_make_us_wrong() -> None:
    """Two honest peers are left: as many contradict as agree, and three of six would be needed."""
    clocks = Clocks()
    clocks.watch = ClockWatch(lambda: clocks.own, lambda: clocks.elapsed, lambda: 3)
    clocks.hear(a=0, b=20, liar=60_000, other=60_000)
    assert (clocks.watch.wrong, clocks.watch.off_by) == (False, 20)
    clocks.hear(a=60_000)
    assert clocks.watch.wrong
