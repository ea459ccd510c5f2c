"""Stanzas: keys wrapped to an organisation with HPKE (RFC 9180), post-quantum hybrid X-Wing.

KEM MLKEM768_X25519 (0x647a), HKDF-SHA256, AES-256-GCM, everything bound in `info`. A private key is its
32-byte seed, expanded with SHAKE256 to the ML-KEM seed (64 bytes) and the X25519 key (32 bytes).
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from eata_ledger.encoding import encode
from eata_ledger.record import Codec, Record, blob, f, optional
from eata_ledger.seal.aead import CannotOpen, Context

PUBLIC_SIZE = 1184 + 32
OVERHEAD = 1136
MAX_CONTENT = 256
_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_SECRET: Codec = optional(blob(32))


@dataclass(frozen=True)
class Keys(Record):
    """What one stanza or packet hands over; None for a key this recipient must not have."""

    content: bytes | None = f(_SECRET)
    journal: bytes | None = f(_SECRET)
    leaf: bytes | None = f(_SECRET)
    extra: bytes | None = f(_SECRET)
    holder_root: bytes | None = f(_SECRET)

    def __repr__(self) -> str:
        return "Keys(…)"


def keys(
    *,
    content: bytes | None = None,
    journal: bytes | None = None,
    leaf: bytes | None = None,
    extra: bytes | None = None,
    holder_root: bytes | None = None,
) -> Keys:
    """`Keys` by name, the others None."""
    return Keys(content, journal, leaf, extra, holder_root)


@dataclass(frozen=True)
class SealingKey:
    """An organisation's X-Wing key from its 32-byte seed."""

    seed: bytes

    def __repr__(self) -> str:
        return "SealingKey(…)"

    def _parts(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        expanded = hashlib.shake_256(self.seed).digest(96)
        return (
            MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
            X25519PrivateKey.from_private_bytes(expanded[64:]),
        )

    @property
    def public(self) -> bytes:
        """1,216 bytes: ML-KEM-768 key, X25519 key."""
        kem, curve = self._parts()
        return kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    def open(self, context: Context, recipient: bytes, author: bytes, sealed: bytes) -> Keys:
        """The keys of a stanza made for this key. Raises `CannotOpen`."""
        try:
            plain = _SUITE.decrypt(sealed, MLKEM768X25519PrivateKey(*self._parts()), _info(context, recipient, author))
            return Keys.from_bytes(plain)
        except (InvalidTag, ValueError):
            raise CannotOpen("this stanza was not made for this key and place") from None


_Q = 3329  # of ML-KEM


@lru_cache(maxsize=4_096)
def acceptable(public: bytes) -> bool:
    """False for a public key that no honest seed gives: ML-KEM coefficients ≥ q, a small-order X25519 half."""
    if len(public) != PUBLIC_SIZE:
        return False
    triples = zip(public[0:1152:3], public[1:1152:3], public[2:1152:3], strict=True)  # two coefficients of 12 bits each
    if not all(a | (b & 15) << 8 < _Q and b >> 4 | c << 4 < _Q for a, b, c in triples):
        return False
    try:
        nacl.bindings.crypto_scalarmult(bytes([1]) * 32, public[1184:])
    except nacl.exceptions.CryptoError:
        return False
    return True


def wrap(public: bytes, context: Context, recipient: bytes, author: bytes, content: Keys) -> bytes:
    """A stanza for the X-Wing key `public`, bound to place, recipient and author key ids."""
    key = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:1184]), X25519PublicKey.from_public_bytes(public[1184:])
    )
    return _SUITE.encrypt(content.to_bytes(), key, _info(context, recipient, author))


def _info(context: Context, recipient: bytes, author: bytes) -> bytes:
    return encode([context.to_value(), recipient, author])
