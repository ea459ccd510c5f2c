"""seal and open: AES-256-GCM under a key derived once, committed to, and padded (Padmé).

    salt = 32 random bytes
    okm  = HKDF(K, salt, ["eata/v1/seal", suite, SHA-256(ctx)], 64)
    out  = suite || salt || okm[32:] || AES-256-GCM(okm[:32], zero nonce, pad(m))

Plain GCM lets one ciphertext open to two messages under two keys; `okm[32:]`, compared first, prevents it.
Every derived key encrypts once, so the nonce may be zero.
"""

import hmac
import os
import zlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Value, encode, hash_of
from eata_ledger.seal.kdf import derive

SUITE = 1
OVERHEAD = 1 + 32 + 32 + 16
_NONCE = bytes(12)
_PLAIN, _DEFLATED = b"\x00", b"\x01"
_MAX_PLAIN = 4 * 2**20


class CannotOpen(Exception):
    """The key, the context or the bytes are not those that were sealed."""


@dataclass(frozen=True)
class Context:
    """What a seal is bound to: a part copied to another place does not open there."""

    ledger: bytes
    carnet_id: int
    label: Label
    slot: int
    field: str = ""

    def to_value(self) -> Value:
        return [self.ledger, self.carnet_id, int(self.label), self.slot, self.field]

    def digest(self) -> bytes:
        return hash_of(self.to_value())

    def to_bytes(self) -> bytes:
        return encode(self.to_value())


def padme(length: int) -> int:
    """The Padmé size of `length`: at most 12 % more, leaking O(log log n) bits."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def pad(message: bytes) -> bytes:
    """m || 0x80 || zeros, up to the Padmé size of the whole sealed thing."""
    total = padme(OVERHEAD + len(message) + 1)
    return message + b"\x80" + bytes(total - OVERHEAD - len(message) - 1)


def unpad(padded: bytes) -> bytes:
    body = padded.rstrip(b"\x00")
    if not body.endswith(b"\x80") or pad(body[:-1]) != padded:
        raise CannotOpen("the padding is wrong")
    return body[:-1]


def _keys(key: bytes, salt: bytes, context: Context) -> tuple[bytes, bytes]:
    okm = derive(key, ["eata/v1/seal", SUITE, context.digest()], 64, salt)
    return okm[:32], okm[32:]


def seal(key: bytes, context: Context, message: bytes, salt: bytes | None = None) -> bytes:
    """Sealed bytes; `salt` is given by test vectors only."""
    salt = os.urandom(32) if salt is None else salt
    cipher, commitment = _keys(key, salt, context)
    return bytes([SUITE]) + salt + commitment + AESGCM(cipher).encrypt(_NONCE, pad(message), None)


def unseal(key: bytes, context: Context, sealed: bytes) -> bytes:
    """What was sealed. Raises `CannotOpen`, with nothing of the key or content in the text."""
    if len(sealed) < OVERHEAD + 1 or sealed[0] != SUITE:
        raise CannotOpen("not a sealed part of this suite")
    cipher, commitment = _keys(key, sealed[1:33], context)
    if not hmac.compare_digest(commitment, sealed[33:65]):
        raise CannotOpen("sealed for another key or place")
    try:
        return unpad(AESGCM(cipher).decrypt(_NONCE, sealed[65:], None))
    except InvalidTag:
        raise CannotOpen("the sealed bytes were altered") from None


def disclosed(key: bytes, context: Context, sealed: bytes) -> bytes:
    """The derived 64 bytes of one seal (cipher key and commitment): what opens it alone, for evidence."""
    return b"".join(_keys(key, sealed[1:33], context))


def pack(message: bytes) -> bytes:
    """Compress, then seal: one leading byte tells which."""
    if len(message) > 1024:
        small = zlib.compress(message, 6)
        if len(small) < len(message):
            return _DEFLATED + small
    return _PLAIN + message


def unpack(packed: bytes) -> bytes:
    """The inverse of `pack`, bounded at 4 MiB."""
    if packed[:1] == _PLAIN:
        return packed[1:]
    if packed[:1] != _DEFLATED:
        raise CannotOpen("unknown content encoding")
    inflater = zlib.decompressobj()
    try:
        message = inflater.decompress(packed[1:], _MAX_PLAIN)
    except zlib.error:
        raise CannotOpen("the content is not what was compressed") from None
    if not inflater.eof or inflater.unused_data:
        raise CannotOpen("the content is larger than allowed")
    return message
