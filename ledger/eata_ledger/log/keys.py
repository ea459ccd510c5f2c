"""Ed25519 through libsodium, the one `verify` for nodes and clients, and key ids.

Never OpenSSL: it accepts small-order and non-canonical keys that libsodium refuses, and a mix would fork
replicas. Never batched, for the same reason.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache

import nacl.bindings as sodium
import nacl.exceptions

from eata_ledger.encoding import hash_of


class Algorithm(IntEnum):
    """Key algorithms; numbers are frozen."""

    ED25519 = 1
    X25519 = 2
    XWING = 3
    ML_DSA_44 = 4
    P256 = 5


@lru_cache(maxsize=65_536)
def key_id(raw: bytes, algorithm: Algorithm = Algorithm.ED25519) -> bytes:
    """SHA-256(["eata/v1/key", alg, raw])[:16]."""
    return hash_of(["eata/v1/key", int(algorithm), raw])[:16]


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """True if `signature` (64 bytes) over `message` is by `public` (32 bytes)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    try:
        sodium.crypto_sign_open(signature + message, public)
    except nacl.exceptions.BadSignatureError:
        return False
    return True


@lru_cache(maxsize=16_384)
def acceptable(public: bytes) -> bool:
    """False for small-order and non-canonical keys, refused at registration."""
    return len(public) == 32 and bool(sodium.crypto_core_ed25519_is_valid_point(public))


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 key from its 32-byte seed."""

    seed: bytes

    def __repr__(self) -> str:
        return "SigningKey(…)"

    @cached_property
    def _pair(self) -> tuple[bytes, bytes]:
        return sodium.crypto_sign_seed_keypair(self.seed)

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return self._pair[0]

    @property
    def id(self) -> bytes:
        """The key id, 16 bytes."""
        return key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return sodium.crypto_sign(message, self._pair[1])[:64]


def pae(payload_type: str, body: bytes) -> bytes:
    """DSSE pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
