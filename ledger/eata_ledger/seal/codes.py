"""Codes people show, read and type: transaction T, cancellation C, verification V, carnet PIN P, holder code H.

Crockford base 32, upper case shown, any case read, I and L as 1, O as 0, separators ignored; the last symbol
is a check over GF(32) that misses no swap and no substitution.
"""

import os
from dataclasses import dataclass
from enum import StrEnum

import nacl.bindings
from nacl.pwhash import argon2id

from eata_ledger.carnet.typed import separated
from eata_ledger.encoding import Value, encode, sha256
from eata_ledger.log.keys import SigningKey
from eata_ledger.seal.kdf import derive

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ = {symbol: value for value, symbol in enumerate(ALPHABET)} | {"I": 1, "L": 1, "O": 0}
_OPSLIMIT, _MEMLIMIT = 2, 64 * 2**20


class CodeKind(StrEnum):
    """The letter of a code."""

    TRANSACTION = "T"
    CANCELLATION = "C"
    VERIFICATION = "V"
    PIN = "P"
    HOLDER = "H"


LENGTH = {CodeKind.TRANSACTION: 12, CodeKind.CANCELLATION: 12, CodeKind.VERIFICATION: 12, CodeKind.PIN: 15,
          CodeKind.HOLDER: 15}  # fmt: skip


class WrongCode(ValueError):
    """Mistyped, or of another kind; the text never repeats the code."""


def _times_alpha(value: int) -> int:
    value <<= 1
    return value ^ 0b100101 if value & 32 else value


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = _times_alpha(a), b >> 1
    return product


def check_symbol(kind: CodeKind, symbols: str) -> str:
    """k ⊕ Σ αⁱ·dᵢ, i from 1, left to right; k is the type letter's own Crockford value."""
    total, power = _READ[kind.value], 1
    for symbol in symbols:
        power = _times_alpha(power)
        total ^= _times(power, _READ[symbol])
    return ALPHABET[total]


@dataclass(frozen=True)
class Code:
    """A checked code: its kind and its symbols without the check."""

    kind: CodeKind
    symbols: str

    def __repr__(self) -> str:
        return f"Code({self.kind.value}, …)"

    @property
    def text(self) -> str:
        """With the check symbol, no separators."""
        return self.symbols + check_symbol(self.kind, self.symbols)

    @property
    def shown(self) -> str:
        """As printed: the long ones in fours."""
        text = self.text
        if LENGTH[self.kind] < LENGTH[CodeKind.PIN]:
            return text
        return "-".join(text[i : i + 4] for i in range(0, len(text), 4))

    @classmethod
    def read(cls, kind: CodeKind, typed: str) -> "Code":
        """Reads what a person typed or scanned. Raises `WrongCode`."""
        plain = [c for c in separated(typed).upper() if c not in " -."]
        if len(plain) != LENGTH[kind] + 1:
            raise WrongCode(f"this code has {len(plain)} symbols, not {LENGTH[kind] + 1}")
        if any(c not in _READ for c in plain):
            raise WrongCode("this code has a symbol that codes do not use")
        symbols = "".join(ALPHABET[_READ[c]] for c in plain)
        if check_symbol(kind, symbols[:-1]) != symbols[-1]:
            raise WrongCode("this code is mistyped, or of another kind")
        return cls(kind, symbols[:-1])

    @classmethod
    def from_bytes(cls, kind: CodeKind, source: bytes) -> "Code":
        """The leading 5-bit groups of `source` as a code."""
        bits = int.from_bytes(source, "big") >> (len(source) * 8 - LENGTH[kind] * 5)
        return cls(kind, "".join(ALPHABET[(bits >> (5 * i)) & 31] for i in reversed(range(LENGTH[kind]))))

    @classmethod
    def random(cls, kind: CodeKind) -> "Code":
        """A PIN or a holder code: 75 random bits, they guard decades."""
        return cls.from_bytes(kind, os.urandom(10))

    @classmethod
    def of_slot(cls, kind: CodeKind, root: bytes, ledger: bytes, carnet_id: int, slot: int) -> "Code":
        """T or C of a slot, from the holder root: every enrolled device shows the same."""
        return cls.from_bytes(kind, derive(root, ["eata/v1/symbols", kind.value, ledger, carnet_id, slot]))


@dataclass(frozen=True)
class CodeKeys:
    """What a code derives: a key that signs, a key that wraps."""

    sign: SigningKey
    wrap: bytes

    def __repr__(self) -> str:
        return "CodeKeys(…)"


def code_keys(code: Code, ledger: bytes, carnet_id: int) -> CodeKeys:
    """Argon2id (64 MiB, t = 2, p = 1) and HKDF; 60 to 200 ms. Nodes never run it."""
    parts: list[Value] = ["eata/v1/code", code.kind.value, ledger, carnet_id]
    salt = sha256(encode(parts))[:16]
    root = argon2id.kdf(32, code.symbols.encode(), salt, opslimit=_OPSLIMIT, memlimit=_MEMLIMIT)
    return CodeKeys(
        SigningKey(derive(root, ["eata/v1/code", "sign"])),
        derive(root, ["eata/v1/code", "wrap"]),
    )


def exchange_public(seed: bytes) -> bytes:
    """The X25519 public key of a verification seed."""
    return nacl.bindings.crypto_scalarmult_base(seed)
