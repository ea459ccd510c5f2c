"""Frozen dataclasses as CBOR arrays: one codec per field, in field order, nothing left over.

@dataclass(frozen=True)
class Hold(Record):
    carnet_id: int = f(U64)
    office: str = f(text(16))
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar, Self, TypeVar

from eata_ledger.encoding import Malformed, Value, check, decode_form, decode_own, encode

E = TypeVar("E", bound=IntEnum)


@dataclass(frozen=True)
class Codec:
    """How one field becomes a CBOR value and back; `load` looks at every type and raises `Malformed`."""

    dump: Callable[[Any], Value]
    load: Callable[[Value], Any]


def f(codec: Codec) -> Any:
    """A dataclass field written by `codec`."""
    return field(metadata={"codec": codec})


def _same(value: Any) -> Value:
    return value  # type: ignore[no-any-return]


def integer(low: int, high: int) -> Codec:
    def load(value: Value) -> int:
        if type(value) is not int or not low <= value <= high:
            raise Malformed(f"expected an integer from {low} to {high}")
        return value

    return Codec(_same, load)


def _anything(value: Value) -> Value:
    check(value)
    return value


ANY = Codec(_same, _anything)
U8, U16, U32, U64 = (integer(0, 2**bits - 1) for bits in (8, 16, 32, 64))
OFFSET = integer(-840, 840)
DAY = integer(0, 200_000)


def _boolean(value: Value) -> bool:
    if type(value) is not bool:
        raise Malformed("expected true or false")
    return value


BOOL = Codec(_same, _boolean)


def blob(low: int, high: int | None = None) -> Codec:
    """Bytes of `low` to `high` length; exactly `low` where `high` is left out."""
    top = low if high is None else high

    def load(value: Value) -> bytes:
        if type(value) is not bytes or not low <= len(value) <= top:
            raise Malformed(f"expected {low} to {top} bytes")
        return value

    return Codec(_same, load)


HASH, KEY, KEY_ID, RANDOM16 = blob(32), blob(32), blob(16), blob(16)


# Controls, direction marks, separators of lines, surrogates, and what Unicode will never assign: a frozen list.
_NEVER = "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufdd0-\\ufdef\\ufeff"
    + _NEVER
    + "]"
)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,23}")


def text(high: int, lines: bool = False) -> Codec:
    """Text of 1 to `high` characters that can be seen; `lines`: with line breaks and tabs."""

    def load(value: Value) -> str:
        if type(value) is not str or not 1 <= len(value) <= high:
            raise Malformed(f"expected text of 1 to {high} characters")
        if _UNSEEN.search(value) or (not lines and ("\n" in value or "\t" in value)):
            raise Malformed("a text holds characters that cannot be seen")
        return value

    return Codec(_same, load)


def _code(value: Value) -> str:
    if type(value) is not str or _CODE.fullmatch(value) is None:
        raise Malformed("a code is 1 to 24 ASCII letters, digits and . _ : -, a letter or digit first")
    return value


CODE = Codec(_same, _code)


def _zone(value: Value) -> str:
    if type(value) is not str or len(value) > 40 or not _ZONE.fullmatch(value):
        raise Malformed("expected a time zone's name, such as Europe/Zurich")
    return value


ZONE = Codec(_same, _zone)


def enum(kind: type[E]) -> Codec:
    def load(value: Value) -> E:
        if type(value) is not int:
            raise Malformed(f"expected a {kind.__name__} number")
        try:
            return kind(value)
        except ValueError:
            raise Malformed(f"unknown {kind.__name__} {value}") from None

    return Codec(int, load)


def array(codec: Codec, high: int) -> Codec:
    """A tuple of at most `high` members."""

    def load(value: Value) -> tuple[Any, ...]:
        if type(value) is not list or len(value) > high:
            raise Malformed(f"expected an array of at most {high}")
        return tuple([one(item) for item in value])

    one, dump = codec.load, codec.dump
    if dump is _same:
        return Codec(list, load)
    return Codec(lambda members: [dump(member) for member in members], load)


def table(key: Codec, value: Codec, high: int) -> Codec:
    """A dict, written as an array of pairs in ascending key order."""

    def load(source: Value) -> dict[Any, Any]:
        if type(source) is not list or len(source) > high:
            raise Malformed(f"expected at most {high} pairs")
        result: dict[Any, Any] = {}
        last: Any = None
        for pair in source:
            if type(pair) is not list or len(pair) != 2:
                raise Malformed("expected a pair")
            name = key.load(pair[0])
            if last is not None and not last < name:
                raise Malformed("pairs are not in ascending order")
            result[name] = value.load(pair[1])
            last = name
        return result

    return Codec(lambda d: [[key.dump(k), value.dump(d[k])] for k in sorted(d)], load)


def optional(codec: Codec) -> Codec:
    return Codec(
        lambda value: None if value is None else codec.dump(value),
        lambda value: None if value is None else codec.load(value),
    )


def nested(kind: "type[Record]") -> Codec:
    return Codec(lambda record: record.to_value(), kind.from_value)


@dataclass(frozen=True)
class _Plan:
    """A class of records, looked at once: names and loads of its fields, and what is not dumped as it is."""

    names: tuple[str, ...]
    loads: tuple[Callable[[Value], Any], ...]
    dumps: tuple[tuple[int, Callable[[Any], Value]], ...]

    @classmethod
    def of(cls, kind: "type[Record]") -> Self:
        codecs = [member.metadata["codec"] for member in fields(kind)]
        return cls(
            tuple(member.name for member in fields(kind)),
            tuple(codec.load for codec in codecs),
            tuple((at, codec.dump) for at, codec in enumerate(codecs) if codec.dump is not _same),
        )


@dataclass(frozen=True)
class Record:
    """A frozen dataclass whose fields carry codecs. It has no `__post_init__`: reading one does not call it."""

    _codecs: ClassVar[_Plan | None] = None

    @classmethod
    def _plan(cls) -> _Plan:
        plan: _Plan | None = cls.__dict__.get("_codecs")
        if plan is None:
            plan = cls._codecs = _Plan.of(cls)
        return plan

    def to_value(self) -> Value:
        plan, own = self._plan(), self.__dict__
        values = [own[name] for name in plan.names]
        for at, dump in plan.dumps:
            values[at] = dump(values[at])
        return values

    def to_bytes(self) -> bytes:
        return encode(self.to_value())

    @classmethod
    def from_value(cls, value: Value) -> Self:
        plan = cls._plan()
        if type(value) is not list or len(value) != len(plan.names):
            raise Malformed(f"{cls.__name__} takes an array of {len(plan.names)}")
        record = object.__new__(cls)  # a frozen dataclass sets its fields one by one, at four times the cost
        record.__dict__.update(
            zip(plan.names, [load(item) for load, item in zip(plan.loads, value, strict=True)], strict=True)
        )
        return record

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        return cls.from_value(decode_form(data))

    @classmethod
    def from_own(cls, data: bytes) -> Self:
        """From bytes this replica encoded itself, out of its own store."""
        return cls.from_value(decode_own(data))
