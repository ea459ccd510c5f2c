"""Leaf v1: 119 bytes, big-endian, binding outcome, public facts and every state effect."""

import struct
from dataclasses import dataclass

from eata_ledger.encoding import Malformed

_FORM = struct.Struct(">BQQ32sIH32s32s")
SIZE = _FORM.size


@dataclass(frozen=True)
class Leaf:
    """One logged outcome; `log_time` is ms UTC."""

    index: int
    log_time: int
    entry_hash: bytes
    rules: int
    outcome: int
    facts_hash: bytes
    effects_hash: bytes

    def to_bytes(self) -> bytes:
        return _FORM.pack(
            1, self.index, self.log_time, self.entry_hash, self.rules, self.outcome, self.facts_hash,
            self.effects_hash,
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> "Leaf":
        if len(data) != SIZE or data[0] != 1:
            raise Malformed("not a leaf of version 1")
        return cls(*_FORM.unpack(data)[1:])
