"""Landmarks: the whole state of a replica at every 16th position, small enough to sign, so that others can start from it.

A landmark binds the tree's root and so every entry, outcome and fact, and it holds what only the log tells: lanes, clocks,
incarnations. All replicas write the same bytes at the same position; the signatures of more than half are as good as the log.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import Malformed, Value, decode_own, encode, sha256
from eata_ledger.log.genesis import Charter
from eata_ledger.log.keys import SigningKey, pae, verify
from eata_ledger.order import LogState, NodeState
from eata_ledger.record import HASH, KEY_ID, Record, f, nested, table

EVERY = 16  # positions
KEPT = 64
PAYLOAD_TYPE = "application/vnd.eata.landmark.v1+cbor"


@dataclass(frozen=True)
class Landmark(Record):
    """State after the group at `position`; `group` is that group's SHA-256, `root` the tree's at `state.size`."""

    ledger: bytes = f(HASH)
    group: bytes = f(HASH)
    root: bytes = f(HASH)
    state: LogState = f(nested(LogState))
    nodes: dict[bytes, NodeState] = f(table(KEY_ID, nested(NodeState), 64))

    @property
    def position(self) -> int:
        return self.state.position - 1

    @property
    def size(self) -> int:
        return self.state.size


def of(ledger: bytes, group: bytes, root: bytes, state: LogState, nodes: dict[bytes, NodeState]) -> Landmark:
    return Landmark(ledger, sha256(group), root, state, nodes)


def sign(key: SigningKey, landmark: bytes) -> bytes:
    return key.sign(pae(PAYLOAD_TYPE, landmark))


@lru_cache(maxsize=64)
def _read(encoded: bytes) -> Landmark:
    """Peers tell each other of the same few again and again."""
    return Landmark.from_bytes(encoded)


@dataclass(frozen=True)
class Vouched:
    """A landmark's bytes with what is known of its signatures (8-byte key id → signature)."""

    encoded: bytes
    signatures: dict[bytes, bytes]

    @property
    def landmark(self) -> Landmark:
        return _read(self.encoded)

    @property
    def reads(self) -> bool:
        """False for bytes that are no landmark."""
        try:
            return bool(self.landmark.position >= 0)
        except Malformed:
            return False

    def signers(self, charter: Charter) -> int:
        """How many of the charter's nodes signed it."""
        message = pae(PAYLOAD_TYPE, self.encoded)
        known = ((charter.by_kid.get(kid), signature) for kid, signature in self.signatures.items())
        good = {
            record.name
            for record, signature in known
            if record is not None and verify(record.key(Purpose.STATEMENT), signature, message)
        }
        return len(good)

    def to_bytes(self) -> bytes:
        signatures: list[Value] = [[kid, signature] for kid, signature in sorted(self.signatures.items())]
        return encode([self.encoded, signatures])

    @classmethod
    def from_own(cls, data: bytes) -> "Vouched":
        match decode_own(data):
            case [bytes(encoded), list(rows)]:
                return cls(encoded, {row[0]: row[1] for row in rows})  # type: ignore[index,misc]
            case _:
                raise Malformed("not a kept landmark")


def merged(told: Iterable[Vouched]) -> list[Vouched]:
    """One for each landmark, with all its signatures."""
    found: dict[bytes, dict[bytes, bytes]] = {}
    for one in told:
        found[one.encoded] = {**one.signatures, **found.get(one.encoded, {})}
    return [Vouched(encoded, signatures) for encoded, signatures in found.items()]


def newest(told: Iterable[Vouched], charter: Charter) -> Vouched | None:
    """The newest that enough of the charter's nodes signed."""
    good = [one for one in merged(told) if one.signers(charter) >= charter.enough]
    return max(good, key=lambda one: one.landmark.position, default=None)
