"""Position 0 of a log: the era's opening, signed by the ICC root.

Era 1 opens an empty tree under the genesis root. A later era follows the loss of an engine, or sets log time right: it opens
over the tree of the longest replica that is whole, under the root of that day.
"""

import os
from dataclasses import dataclass, replace

from eata_ledger.encoding import Malformed, Value, decode, encode
from eata_ledger.log.genesis import Charter, Genesis
from eata_ledger.log.group import OpenEra
from eata_ledger.log.keys import SigningKey, verify
from eata_ledger.log.merkle import EMPTY_ROOT

FIRST = 1


@dataclass(frozen=True)
class EraOpening:
    """As stored at position 0: [OpenEra, [[key id, signature]…]]."""

    era: OpenEra
    signatures: dict[bytes, bytes]

    def to_bytes(self) -> bytes:
        rows: list[Value] = [[kid, signature] for kid, signature in sorted(self.signatures.items())]
        return encode([self.era.to_bytes(), rows])

    def signed(self, *keys: SigningKey) -> "EraOpening":
        return replace(self, signatures={**self.signatures, **{key.id: key.sign(self.era.signed()) for key in keys}})

    def signers(self, charter: Charter) -> int:
        """How many of the charter's root keys have signed."""
        message = self.era.signed()
        known = ((charter.root_ids.get(kid), signature) for kid, signature in self.signatures.items())
        return sum(raw is not None and verify(raw, signature, message) for raw, signature in known)

    def authorised(self, charter: Charter) -> bool:
        return self.signers(charter) >= charter.root_threshold

    @classmethod
    def from_bytes(cls, data: bytes) -> "EraOpening":
        """Raises `Malformed`."""
        match decode(data):
            case [bytes(payload), list(rows)]:
                return cls(OpenEra.from_bytes(payload), dict(map(_signature, rows)))
            case _:
                raise Malformed("position 0 is not an era's opening")


def _signature(row: Value) -> tuple[bytes, bytes]:
    match row:
        case [bytes(kid), bytes(signature)]:
            return kid, signature
        case _:
            raise Malformed("not a signature of an opening")


def first_era(genesis: Genesis, root_keys: tuple[SigningKey, ...]) -> bytes:
    """The opening of era 1 as stored at position 0."""
    opening = OpenEra(1, genesis.ledger, FIRST, os.urandom(16), 0, 0, EMPTY_ROOT, None)
    return EraOpening(opening, {}).signed(*root_keys).to_bytes()


def next_era(genesis: Genesis, era: int, size: int, root: bytes, log_time: int | None = None) -> EraOpening:
    """The one after `era`, over the tree of `size` with that root; not signed yet. `log_time` (ms UTC) sets it right."""
    return EraOpening(OpenEra(1, genesis.ledger, era + 1, os.urandom(16), era, size, root, log_time), {})


def check_opening(genesis: Genesis, data: bytes) -> OpenEra:
    """The opening as far as an engine can judge it. Raises `Malformed`.

    The genesis root signs era 1. Whether a later one is signed by the root of its day the replicas judge: they know it.
    """
    opening = EraOpening.from_bytes(data)
    if opening.era.ledger != genesis.ledger:
        raise Malformed("the era's opening is of another ledger")
    if opening.era.era == FIRST and not opening.authorised(genesis.charter):
        raise Malformed("the era's opening is not signed by the root")
    return opening.era
