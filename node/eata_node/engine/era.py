"""Position 0 of a log: the era's opening, signed by the ICC root."""

import os

from eata_ledger.encoding import Malformed, Value, decode, encode
from eata_ledger.proof.genesis import Genesis
from eata_ledger.proof.group import OpenEra
from eata_ledger.proof.keys import SigningKey, key_id, verify
from eata_ledger.proof.merkle import EMPTY_ROOT


def first_era(genesis: Genesis, root_keys: tuple[SigningKey, ...]) -> bytes:
    """The opening of era 1 as stored at position 0: [OpenEra, [[key id, signature]…]]."""
    opening = OpenEra(1, genesis.ledger, 1, os.urandom(16), 0, 0, EMPTY_ROOT)
    signatures: list[Value] = [[key.id, key.sign(opening.signed())] for key in root_keys]
    return encode([opening.to_bytes(), signatures])


def check_opening(genesis: Genesis, data: bytes) -> OpenEra:
    """The opening, once enough root keys signed it. Raises `Malformed`."""
    match decode(data):
        case [bytes(payload), list(rows)]:
            opening = OpenEra.from_bytes(payload)
        case _:
            raise Malformed("position 0 is not an era's opening")
    known = {key_id(raw): raw for raw in genesis.root_keys}
    good = set()
    for row in rows:
        match row:
            case [bytes(kid), bytes(signature)]:
                if kid in known and verify(known[kid], signature, opening.signed()):
                    good.add(kid)
    if opening.ledger != genesis.ledger or len(good) < genesis.root_threshold:
        raise Malformed("the era's opening is not signed by the root")
    return opening
