"""Keystores at rest: Argon2id over a passphrase, XChaCha20-Poly1305 over the content.

    file = "eata-keystore-1\\n" || salt (16) || nonce (24) || XChaCha20-Poly1305(key, nonce, content, header)
    key  = Argon2id(passphrase, salt, 64 MiB, t = 3, p = 1, 32 bytes);  header = all bytes before the ciphertext

Parameters belong to the version in the first line, never to data.
"""

import os
from collections.abc import Callable

import nacl.bindings as sodium
import nacl.exceptions
from nacl.pwhash import argon2id

from eata_ledger.seal.aead import CannotOpen

MAGIC = b"eata-keystore-1\n"
_SALT, _NONCE = 16, 24
_HEADER = len(MAGIC) + _SALT + _NONCE
_OPSLIMIT, _MEMLIMIT = 3, 64 * 2**20


def is_locked(data: bytes) -> bool:
    """True for the bytes of a locked keystore."""
    return data.startswith(MAGIC)


def keystore_key(passphrase: bytes, salt: bytes) -> bytes:
    """32 bytes; about 0.1 s."""
    return argon2id.kdf(32, passphrase, salt, opslimit=_OPSLIMIT, memlimit=_MEMLIMIT)


class Vault:
    """Locks and unlocks under one passphrase, asked for once and when it is first needed."""

    def __init__(self, passphrase: Callable[[], bytes]) -> None:
        self._ask, self._passphrase = passphrase, b""
        self._keys: dict[bytes, bytes] = {}
        self._salt = b""

    def __repr__(self) -> str:
        return "Vault(…)"

    def lock(self, content: bytes, nonce: bytes | None = None, salt: bytes | None = None) -> bytes:
        """Keystore bytes; `nonce` and `salt` are given by test vectors only."""
        self._salt = salt or self._salt or os.urandom(_SALT)
        header = MAGIC + self._salt + (nonce or os.urandom(_NONCE))
        key = self._key(self._salt)
        return header + sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(content, header, header[-_NONCE:], key)

    def unlock(self, data: bytes) -> bytes:
        """What was locked. Raises `CannotOpen` for another passphrase or altered bytes."""
        if not is_locked(data) or len(data) < _HEADER + 16:
            raise CannotOpen("not a locked keystore")
        header, salt = data[:_HEADER], data[len(MAGIC) : len(MAGIC) + _SALT]
        try:
            content = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
                data[_HEADER:], header, header[-_NONCE:], self._key(salt)
            )
        except nacl.exceptions.CryptoError:
            raise CannotOpen("another passphrase, or the keystore was altered") from None
        self._salt = self._salt or salt
        return bytes(content)

    def _key(self, salt: bytes) -> bytes:
        if not self._passphrase:
            self._passphrase = self._ask()
        if salt not in self._keys:
            self._keys[salt] = keystore_key(self._passphrase, salt)
        return self._keys[salt]
