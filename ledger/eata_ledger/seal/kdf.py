"""HKDF and HMAC over labelled, deterministic CBOR: plain concatenation is ambiguous."""

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from eata_ledger.encoding import Value, encode


def derive(key: bytes, info: list[Value], length: int = 32, salt: bytes | None = None) -> bytes:
    """HKDF-SHA256 of `key`; `info` is an array that begins with its label."""
    return HKDF(SHA256(), length, salt, encode(info)).derive(key)


def mac(key: bytes, message: list[Value], times: int = 1) -> bytes:
    """HMAC-SHA256 of an array that begins with its label; again with the result as its key, `times` in all."""
    encoded = encode(message)
    for _ in range(times):
        key = hmac.digest(key, encoded, hashlib.sha256)
    return key
