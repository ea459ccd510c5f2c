"""Desk certificates: a desk CA vouches for a key at an office, for at most 12 hours (docs/formats.md)."""

from dataclasses import dataclass
from functools import lru_cache

from eata_ledger.carnet.dates import HOUR
from eata_ledger.carnet.vocabulary import Role
from eata_ledger.encoding import Malformed, decode, encode
from eata_ledger.log.keys import SigningKey, pae, verify
from eata_ledger.record import CODE, HASH, KEY, KEY_ID, RANDOM16, U64, Record, enum, f

PAYLOAD_TYPE = "application/vnd.eata.desk-certificate.v1+cbor"
LONGEST = 12 * HOUR
MAX_SIZE = 1024


@dataclass(frozen=True)
class DeskCertificate(Record):
    """Who may act: an opaque officer id, a role, an office, the desk's key, from and to (ms UTC)."""

    ledger: bytes = f(HASH)
    authority: bytes = f(KEY_ID)
    serial: bytes = f(RANDOM16)
    officer: bytes = f(RANDOM16)
    role: Role = f(enum(Role))
    office: str = f(CODE)
    key: bytes = f(KEY)
    valid_from: int = f(U64)
    valid_to: int = f(U64)

    def lives_at(self, at: int) -> bool:
        """At `at` (ms UTC) it has begun and has not ended."""
        return self.valid_from <= at <= self.valid_to

    def signed_by(self, authority: SigningKey) -> bytes:
        """The certificate as embedded in commits: [payload, signature]."""
        payload = self.to_bytes()
        return encode([payload, authority.sign(pae(PAYLOAD_TYPE, payload))])


@dataclass(frozen=True)
class Certified:
    """A certificate as received; `certificate` means nothing before `genuine` is true."""

    certificate: DeskCertificate
    payload: bytes
    signature: bytes

    @classmethod
    @lru_cache(maxsize=4_096)
    def from_bytes(cls, data: bytes) -> "Certified":
        if len(data) > MAX_SIZE:
            raise Malformed("a certificate is shorter")
        match decode(data):
            case [bytes(payload), bytes(signature)]:
                certificate = DeskCertificate.from_bytes(payload)
            case _:
                raise Malformed("a certificate is [payload, signature]")
        if not certificate.valid_from < certificate.valid_to <= certificate.valid_from + LONGEST:
            raise Malformed("a certificate lasts at most 12 hours")
        return cls(certificate, payload, signature)

    def genuine(self, authority: bytes) -> bool:
        """True if the desk CA with this public key signed it."""
        return _genuine(authority, self.signature, self.payload)


@lru_cache(maxsize=4_096)
def _genuine(authority: bytes, signature: bytes, payload: bytes) -> bool:
    """A desk shows its certificate with every commit of a shift: it is verified once."""
    return verify(authority, signature, pae(PAYLOAD_TYPE, payload))
