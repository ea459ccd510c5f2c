"""The registry's head: a count and a chain of hashes, which a node vouches for with its statement key.

head of n + 1 = SHA-256 [head of n, index, entry hash];  head of 0 = 32 zeros
"""

from eata_ledger.encoding import encode, hash_of
from eata_ledger.log.keys import pae

PAYLOAD_TYPE = "application/vnd.eata.registry.v1+cbor"
NONE = bytes(32)


def next_head(head: bytes, index: int, entry_hash: bytes) -> bytes:
    """The head once another entry is registered."""
    return hash_of([head, index, entry_hash])


def to_sign(ledger: bytes, count: int, head: bytes) -> bytes:
    """What a node signs."""
    return pae(PAYLOAD_TYPE, encode([ledger, count, head]))
