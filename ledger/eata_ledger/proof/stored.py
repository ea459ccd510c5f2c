"""Storage receipts: a node's signature that it holds a blob, fsynced."""

from eata_ledger.encoding import encode
from eata_ledger.log.keys import pae

PAYLOAD_TYPE = "application/vnd.eata.stored.v1+cbor"


def to_sign(ledger: bytes, digest: bytes, length: int, time: int) -> bytes:
    """What a node's statement key signs: [ledger, SHA-256 of the blob, its length in bytes, ms UTC]."""
    return pae(PAYLOAD_TYPE, encode([ledger, digest, length, time]))
