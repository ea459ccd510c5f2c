"""Statements: the one receipt of the desk, a COSE_Sign (RFC 9052) that nodes sign one after another.

Payload: [ledger prefix (8 bytes), era, index, log time, entry hash, rules, outcome, facts, effects hash,
at_index, standing]. Facts → leaf → signature is recomputable by anyone.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache

from eata_ledger.encoding import Malformed, Value, decode, encode, hash_of
from eata_ledger.log.keys import verify
from eata_ledger.log.leaf import Leaf
from eata_ledger.record import ANY, HASH, U16, U32, U64, Record, blob, enum, f

_ALG_EDDSA, _HEADER_ALG, _HEADER_KID = -8, 1, 4
_BODY_PROTECTED = b""


class Standing(IntEnum):
    """Whether the transaction stands at `at_index`."""

    LIVE = 1
    CANCELLED = 2


@dataclass(frozen=True)
class Claim(Record):
    """What a statement says, in its frozen order."""

    ledger_prefix: bytes = f(blob(8))
    era: int = f(U32)
    index: int = f(U64)
    log_time: int = f(U64)
    entry_hash: bytes = f(HASH)
    rules: int = f(U32)
    outcome: int = f(U16)
    facts: Value = f(ANY)
    effects_hash: bytes = f(HASH)
    at_index: int = f(U64)
    standing: Standing = f(enum(Standing))

    @property
    def leaf(self) -> Leaf:
        return Leaf(
            self.index, self.log_time, self.entry_hash, self.rules, self.outcome, hash_of(self.facts),
            self.effects_hash,
        )  # fmt: skip


@lru_cache(maxsize=64)
def protected(kid: bytes) -> bytes:
    return encode({_HEADER_ALG: _ALG_EDDSA, _HEADER_KID: kid})


def to_sign(payload: bytes, kid: bytes) -> bytes:
    """The COSE Sig_structure that the node with this 8-byte kid signs."""
    return encode(["Signature", _BODY_PROTECTED, protected(kid), b"", payload])


@dataclass(frozen=True)
class Statement:
    """A payload and the signatures collected so far, ascending by kid."""

    payload: bytes
    signatures: tuple[tuple[bytes, bytes], ...]

    @property
    def claim(self) -> Claim:
        return Claim.from_bytes(self.payload)

    def to_bytes(self) -> bytes:
        """COSE_Sign, untagged."""
        signatures: list[Value] = [[protected(kid), {}, value] for kid, value in self.signatures]
        return encode([_BODY_PROTECTED, {}, self.payload, signatures])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Statement":
        match decode(data, maps=True):
            case [b"", dict(unprotected), bytes(payload), list(rows)] if not unprotected:
                signatures = tuple(_signature(row) for row in rows)
            case _:
                raise Malformed("not a statement")
        kids = [kid for kid, _ in signatures]
        if kids != sorted(set(kids)):
            raise Malformed("signatures are not in order, or one node signed twice")
        Claim.from_bytes(payload)
        return cls(payload, signatures)

    def merged(self, kid: bytes, signature: bytes) -> "Statement":
        """With one more signature; one signer counts once."""
        return replace(self, signatures=tuple(sorted({**dict(self.signatures), kid: signature}.items())))

    def signers(self, keys: dict[bytes, bytes]) -> frozenset[bytes]:
        """The kids of known nodes (kid → statement key) whose signature verifies; others count zero."""
        return frozenset(
            kid for kid, value in self.signatures
            if kid in keys and verify(keys[kid], value, to_sign(self.payload, kid))
        )  # fmt: skip


def _signature(row: Value) -> tuple[bytes, bytes]:
    match row:
        case [bytes(head), dict(unprotected), bytes(value)] if not unprotected and len(value) == 64:
            match decode(head, maps=True):
                case {1: -8, 4: bytes(kid)} if len(kid) == 8 and protected(kid) == head:
                    return kid, value
    raise Malformed("not a statement signature")
