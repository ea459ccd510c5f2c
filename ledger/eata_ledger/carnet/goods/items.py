"""Item numbers of a general list as sets: “1-10,12” in, shortest range form out (domain §2.5, N-11)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from eata_ledger.carnet.typed import separated
from eata_ledger.encoding import Malformed, Value
from eata_ledger.record import Codec

MAX_ITEM, MOST_RANGES = 10_000, 32
_ONES = re.compile("1+")
_RANGE = re.compile("([0-9]{1,5})(?:-([0-9]{1,5}))?")
_AROUND, _BETWEEN = re.compile(" *- *"), re.compile("[ ,;]+")


@dataclass(frozen=True)
class Items:
    """A set of item numbers, 1 to 10,000; bit n of `bits` is item n."""

    bits: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ranges in any order, doubled or not: “1,3,3,8,4,12” and “1 3 - 5; 8” are sets. Raises `Malformed`."""
        bits = 0
        for piece in filter(None, _BETWEEN.split(_AROUND.sub("-", separated(text)))):
            match = _RANGE.fullmatch(piece)
            if match is None:
                raise Malformed(f"“{piece[:20]}” is not an item number or range such as 1-10")
            low = int(match[1])
            bits |= _span(low, int(match[2] or low))
        return cls(bits)

    @classmethod
    def span(cls, low: int, high: int) -> Self:
        return cls(_span(low, high))

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Ascending, disjoint, never adjacent."""
        return _ranges(self.bits)

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges())

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges():
            yield from range(low, high + 1)

    def __contains__(self, number: int) -> bool:
        return number > 0 and bool(self.bits >> number & 1)

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __bool__(self) -> bool:
        return self.bits != 0

    def __or__(self, other: "Items") -> "Items":
        return Items(self.bits | other.bits)

    def __and__(self, other: "Items") -> "Items":
        return Items(self.bits & other.bits)

    def __sub__(self, other: "Items") -> "Items":
        return Items(self.bits & ~other.bits)

    def __le__(self, other: "Items") -> bool:
        return not self.bits & ~other.bits


def _ranges(bits: int) -> tuple[tuple[int, int], ...]:
    """Runs of ones; many runs are not kept: nobody fills a node's memory with them."""
    few = (bits & ~(bits << 1)).bit_count() <= MOST_RANGES
    return _kept_runs(bits) if few else _runs(bits)


@lru_cache(4096)
def _kept_runs(bits: int) -> tuple[tuple[int, int], ...]:
    """One commit writes the same set many times."""
    return _runs(bits)


def _runs(bits: int) -> tuple[tuple[int, int], ...]:
    """By their digits."""
    digits = bin(bits)[:1:-1]
    return tuple((run.start(), run.end() - 1) for run in _ONES.finditer(digits))


def _span(low: int, high: int) -> int:
    if not 1 <= low <= high <= MAX_ITEM:
        raise Malformed(f"item range {low}-{high} is not within 1-{MAX_ITEM}")
    return (1 << (high + 1)) - (1 << low)


def _dump(items: Items) -> Value:
    """[[low, high], …] up to 32 ranges; beyond, big-endian bytes whose bit n is item n: long lists stay cheap."""
    ranges = items.ranges()
    if len(ranges) <= MOST_RANGES:
        return [list(pair) for pair in ranges]
    return items.bits.to_bytes(items.bits.bit_length() // 8 + 1, "big")


def _load(value: Value) -> Items:
    if type(value) is bytes:
        return _from_bytes(value)
    if type(value) is not list or len(value) > MOST_RANGES:
        raise Malformed(f"items are an array of at most {MOST_RANGES} [low, high]")
    bits, last = 0, -1
    for pair in value:
        match pair:
            case [low, high] if type(low) is int and type(high) is int:
                bits |= _span(low, high)
            case _:
                raise Malformed("items are an array of [low, high]")
        if last >= 0 and low <= last + 1:
            raise Malformed("item ranges are not in shortest form")
        last = high
    return Items(bits)


def _from_bytes(value: bytes) -> Items:
    found = Items(int.from_bytes(value, "big"))
    if found.bits & 1 or found.bits.bit_length() > MAX_ITEM + 1 or _dump(found) != value:
        raise Malformed("items as bytes have more than 32 ranges, no item 0, and no leading zero byte too many")
    return found


ITEMS = Codec(_dump, _load)
