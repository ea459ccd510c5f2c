"""What is large is decoded each time: the caches count facts, and nobody fills a node's memory with a few."""

from eata_ledger.carnet.goods import items
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.goods.openings import Opening
from eata_ledger.facts import Facts, _recent
from eata_ledger.state import Stay


class Nothing:
    """A store without facts."""

    def get(self, family: int, key: bytes) -> bytes | None:
        return None


def every_other(low: int, high: int) -> Items:
    return Items(sum(1 << n for n in range(low, high, 2)))


def test_a_large_stay_is_not_kept() -> None:
    large = every_other(1, 5_000)
    arrivals = tuple(Opening(large, 20_000 + n) for n in range(20))
    _recent.cache_clear()
    facts = Facts(Nothing())
    facts.put(Stay("EU", large, Items(), arrivals, (), None), 883, "EU")
    assert facts.get(Stay, 883, "EU") is not None
    assert _recent.cache_info().currsize == 0
    facts.put(Stay("CH", Items.span(1, 20), Items(), (), (), None), 883, "CH")
    assert _recent.cache_info().currsize == 1


def test_many_runs_are_not_kept() -> None:
    items._kept_runs.cache_clear()
    assert len(every_other(1, 4_001).ranges()) == 2_000
    assert items._kept_runs.cache_info().currsize == 0
    assert every_other(1, 8).ranges() == ((1, 1), (3, 3), (5, 5), (7, 7))
