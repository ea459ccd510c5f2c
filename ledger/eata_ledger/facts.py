"""Facts as one entry sees them: what is stored, under what it has written itself."""

from functools import lru_cache
from typing import Protocol, TypeVar

from eata_ledger.encoding import Malformed, Value, hash_of
from eata_ledger.state import Fact, Versions


class FactReader(Protocol):
    """Where facts come from."""

    def get(self, family: int, key: bytes) -> bytes | None:
        """The stored bytes, None where there are none."""


F = TypeVar("F", bound=Fact)
_LARGE = 4_096  # bytes
KeyPart = int | bytes | str


def key_of(*parts: KeyPart) -> bytes:
    """The key of a fact."""
    return b"".join(
        part.to_bytes(8, "big") if isinstance(part, int) else part.encode() if isinstance(part, str) else part
        for part in parts
    )


class DamagedFact(OSError):
    """A stored fact does not read: the replica must stop, not judge."""


@lru_cache(maxsize=8_192)
def _steady(kind: type[F], data: bytes) -> F:
    """A fact that many entries read: the same bytes are the same fact, and no fact is changed in place."""
    return kind.from_own(data)


@lru_cache(maxsize=1_024)
def _recent(kind: type[F], data: bytes) -> F:
    """A fact that was written a moment ago is soon read, by the next entry about its carnet."""
    return kind.from_own(data)


def _read(kind: type[F], data: bytes) -> F:
    """What is large is not kept: the caches count facts, not bytes."""
    if len(data) > _LARGE:
        return kind.from_own(data)
    return _steady(kind, data) if kind.STEADY else _recent(kind, data)  # type: ignore[arg-type, no-any-return]


class Facts:
    """Facts as one entry sees them: what is stored, under what it has written itself."""

    def __init__(self, reader: FactReader) -> None:
        self._reader = reader
        self.written: dict[tuple[int, bytes], bytes] = {}
        self._known: dict[tuple[int, bytes], Fact] = {}  # read or written before, as facts

    def get(self, kind: type[F], *key: KeyPart) -> F | None:
        name = (int(kind.FAMILY), key_of(*key))
        known = self._known.get(name)
        if known is not None:
            return known  # type: ignore[return-value]
        data = self._reader.get(*name)
        if data is None:
            return None
        try:
            found = _read(kind, data)
        except Malformed as error:
            raise DamagedFact(f"{kind.__name__} {name[1].hex()} does not read: {error}") from None
        self._known[name] = found
        return found

    def at(self, kind: type[F], code: str, day: int) -> F | None:
        """The version of a record in force on `day`; its first one before any later took effect."""
        versions = self.get(Versions, bytes([kind.FAMILY]), code)
        effective = [] if versions is None else [known for known in versions.days if known <= day]
        return self.get(kind, *((code, b"@", effective[-1]) if effective else (code,)))

    def put(self, fact: Fact, *key: KeyPart) -> None:
        """Raises `Malformed` for what could not be read again: it must never be written."""
        name, data = (int(fact.FAMILY), key_of(*key)), fact.to_bytes()
        self._known[name] = _read(type(fact), data)
        self.written[name] = data

    def undo(self) -> None:
        """Nothing was written."""
        for name in self.written:
            del self._known[name]
        self.written.clear()

    def effects_hash(self) -> bytes:
        """SHA-256 of the sorted array of [family, key, value]: equal roots mean equal state changes."""
        effects: list[Value] = [[family, key, self.written[family, key]] for family, key in sorted(self.written)]
        return hash_of(effects)
