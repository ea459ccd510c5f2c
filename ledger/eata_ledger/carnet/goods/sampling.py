"""Which items to inspect: drawn so that neither side chose them, and anyone can draw them again (U8).

The draw mixes the leaf hash of the declaration, which its holder could not know the draw for, with the serial
of the desk's certificate, which its officer did not choose. Both stand in the log with the commit.
"""

import hmac
from hashlib import sha256

from eata_ledger.carnet.goods.items import Items
from eata_ledger.encoding import encode


def sample(leaf_hash: bytes, serial: bytes, declared: Items, count: int) -> Items:
    """`count` of the declared items (all, if fewer): those with the lowest HMAC-SHA256 of their number."""
    key = hmac.digest(leaf_hash, encode(["eata/v1/sample", serial]), sha256)
    drawn = sorted(declared, key=lambda item: hmac.digest(key, encode([item]), sha256))
    chosen = Items()
    for item in drawn[:count]:
        chosen |= Items.span(item, item)
    return chosen
