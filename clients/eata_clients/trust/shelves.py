"""Records by name, each with its versions; those read from a file are decoded when they are first looked at."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from eata_ledger.encoding import Value
from eata_ledger.log.bodies import Body

B = TypeVar("B", bound=Body)


class Shelf(Generic[B]):
    """Every version of each record, the oldest first; `name` tells which record a version is of."""

    def __init__(self, kind: type[B], name: Callable[[B], str]) -> None:
        self._kind, self._name = kind, name
        self._kept: dict[str, list[bytes | B]] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._kept

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, version: B) -> None:
        """A newer version than those that are there."""
        self._kept.setdefault(self._name(version), []).append(version)

    def first(self, name: str) -> B | None:
        return next(self.versions(name), None)

    def newest(self, name: str) -> B | None:
        return next(self.back(name), None)

    def versions(self, name: str) -> Iterator[B]:
        """The oldest first."""
        return (self._at(name, at) for at in range(len(self._kept.get(name, ()))))

    def back(self, name: str) -> Iterator[B]:
        """The newest first."""
        return (self._at(name, at) for at in reversed(range(len(self._kept.get(name, ())))))

    def _at(self, name: str, at: int) -> B:
        found = self._kept[name][at]
        if isinstance(found, bytes):
            found = self._kept[name][at] = self._kind.from_own(found)
        return found

    def to_value(self) -> Value:
        """For a file of one's own: [name, [version, …]] for each record."""
        return [
            [name, [one if isinstance(one, bytes) else one.to_bytes() for one in versions]]
            for name, versions in self._kept.items()
        ]

    def fill(self, value: Any) -> None:
        """What `to_value` gave."""
        self._kept = dict(value)


class ShelfView(Mapping[str, B]):
    """One version of each record of a shelf, as `look` chooses it."""

    def __init__(self, shelf: Shelf[B], look: Callable[[str], B | None]) -> None:
        self._shelf, self._look = shelf, look

    def __getitem__(self, name: str) -> B:
        found = self._look(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._shelf)

    def __len__(self) -> int:
        return len(self._shelf)
