"""Item numbers of a general list as sets: “1-10,12” in, shortest range form out (domain §2.5, N-11)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from eata_ledger.encoding import Malformed, Value
from eata_ledger.record import Codec

MAX_ITEM = 10_000
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_DASHES = str.maketrans({"–": "-", "—": "-", "‑": "-", ";": ","})


@dataclass(frozen=True)
class Items:
    """A set of item numbers, 1 to 10,000; bit n of `bits` is item n."""

    bits: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ranges in any order, doubled or not: “1,3,3,8,4,12” is a set. Raises `Malformed`."""
        bits = 0
        for piece in re.sub(r"\s+", "", text.translate(_DASHES)).split(","):
            if not piece:
                continue
            match = _RANGE.fullmatch(piece)
            if match is None:
                raise Malformed(f"“{piece[:20]}” is not an item number or range such as 1-10")
            low = int(match[1])
            bits |= _span(low, int(match[2] or low))
        return cls(bits)

    @classmethod
    def span(cls, low: int, high: int) -> Self:
        return cls(_span(low, high))

    def ranges(self) -> list[tuple[int, int]]:
        """Ascending, disjoint, never adjacent."""
        found: list[tuple[int, int]] = []
        bits, at = self.bits, 0
        while bits:
            gap = (bits & -bits).bit_length() - 1
            bits >>= gap
            run = (bits ^ (bits + 1)).bit_length() - 1
            found.append((at + gap, at + gap + run - 1))
            bits >>= run
            at += gap + run
        return found

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges())

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges():
            yield from range(low, high + 1)

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


def _span(low: int, high: int) -> int:
    if not 1 <= low <= high <= MAX_ITEM:
        raise Malformed(f"item range {low}-{high} is not within 1-{MAX_ITEM}")
    return (1 << (high + 1)) - (1 << low)


def _load(value: Value) -> Items:
    if type(value) is not list or len(value) > MAX_ITEM:
        raise Malformed("items are an array of [low, high]")
    bits = 0
    for pair in value:
        match pair:
            case [low, high] if type(low) is int and type(high) is int:
                bits |= _span(low, high)
            case _:
                raise Malformed("items are an array of [low, high]")
    found = Items(bits)
    if [list(pair) for pair in found.ranges()] != value:
        raise Malformed("item ranges are not in shortest form")
    return found


ITEMS = Codec(lambda items: [[low, high] for low, high in items.ranges()], _load)
