"""Deterministic CBOR (RFC 8949 §4.2.1), the one encoding of everything hashed, signed or fed to a KDF.

Values are ints, bytes, text, booleans, null, arrays of values, and maps with small non-negative integer
keys. `decode` accepts bytes only if encoding the result gives the same bytes again, so duplicate keys, long
integers, indefinite lengths and trailing bytes are refused.
"""

import hashlib
from typing import NoReturn, TypeAlias

import cbor2

Value: TypeAlias = "int | bytes | str | bool | None | list[Value] | dict[int, Value]"

MAX_INT = 2**64 - 1
_MAX_DEPTH = 16
MAX_WITH_MAPS = 65_536


class Malformed(ValueError):
    """Bytes that are not what they should be; the text says which rule they break."""


def _check(value: object, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise Malformed("nested too deeply")
    kind = type(value)
    if kind is int:
        if not -MAX_INT - 1 <= value <= MAX_INT:  # type: ignore[operator]
            raise Malformed("an integer is out of range")
    elif kind is list:
        for item in value:  # type: ignore[attr-defined]
            _check(item, depth + 1)
    elif kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not int or not 0 <= key < 256:
                raise Malformed("map keys are small non-negative integers")
            _check(item, depth + 1)
    elif kind not in (bytes, str, bool, type(None)):
        raise Malformed(f"{kind.__name__} is not allowed here")


def encode(value: Value) -> bytes:
    """The one encoding of `value`."""
    return cbor2.dumps(value, canonical=True)


def _refuse_tag(*_: object) -> NoReturn:
    raise Malformed("tags are not allowed here")


# Tags never reach their meaning: shared references would make a small input a vast value, others cost seconds.
_NO_TAGS = dict.fromkeys([*range(64), 100, 256, 258, 260, 261, 1004, 43000, 55799], _refuse_tag)


def decode(data: bytes, maps: bool = False) -> Value:
    """The value that `data` is the one encoding of. Raises `Malformed` for anything else, in linear time.

    Only COSE has maps; elsewhere they are refused before their keys are hashed.
    """
    value = decode_form(data, maps)
    check(value)
    return value


def check(value: Value) -> None:
    """Raises `Malformed` where a value holds something that is not ours: floats, undefined, great integers."""
    _check(value, 0)


def decode_form(data: bytes, maps: bool = False) -> Value:
    """As `decode`, for a caller who looks at the type of every value itself, as the codecs of records do."""
    if maps and len(data) > MAX_WITH_MAPS:
        raise Malformed("too long")
    try:
        value: Value = cbor2.loads(
            data, tag_hook=_refuse_tag, semantic_decoders=_NO_TAGS, max_depth=_MAX_DEPTH + 2,
            allow_indefinite=False, allow_duplicate_keys=False, strict_hashable_types=not maps,
        )  # fmt: skip
        if encode(value) != data:
            raise Malformed("not in deterministic form")
    except Malformed:
        raise
    except Exception as error:
        raise Malformed("not CBOR") from error
    return value


def decode_own(data: bytes) -> Value:
    """A value from bytes this replica encoded itself: no second look at their form."""
    try:
        value: Value = cbor2.loads(data)
    except Exception as error:
        raise Malformed("not CBOR") from error
    return value


def sha256(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def hash_of(value: Value) -> bytes:
    """SHA-256 of the one encoding of `value`."""
    return sha256(encode(value))
