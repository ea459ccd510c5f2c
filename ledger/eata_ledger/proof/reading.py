"""Signed reads: (ledger, method, body hash, time, nonce), by the reader's keys. One authorisation path."""

from eata_ledger.encoding import encode, sha256
from eata_ledger.log.keys import pae

PAYLOAD_TYPE = "application/vnd.eata.read.v1+cbor"
WINDOW = 60_000


def to_sign(ledger: bytes, method: str, body: bytes, time: int, nonce: bytes) -> bytes:
    """What every key of a signed read signs; `method` is the full gRPC method name, `time` ms UTC."""
    return pae(PAYLOAD_TYPE, encode([ledger, method, sha256(body), time, nonce]))
