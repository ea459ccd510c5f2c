"""A voucher's declaration: what nodes must judge of it, in a part of its own beside the sealed ones.

    part   = CBOR [salt, declaration, proof], then 0x80 and zeros up to a multiple of 256 bytes
    proof  = the voucher key's Ed25519 over PAE(PAYLOAD_TYPE, [ledger, ID, declaration, digests of the two sealed parts])
    digest = SHA-256 [ledger, ID, slot, digests of all three parts]: what an officer commits to

A header holds the part's digest only. The salt makes it tell nothing: a desk that is shown one voucher of a travel learns
nothing of the others. The proof is the maker's: who has seen a voucher's public key cannot declare it, here or elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from eata_ledger.carnet.goods.items import ITEMS, Items
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.encoding import Malformed, Value, encode, hash_of
from eata_ledger.log.keys import SigningKey, pae
from eata_ledger.record import CODE, KEY, RANDOM16, U16, Record, blob, enum, f, integer, nested

PAYLOAD_TYPE = "application/vnd.eata.declaration.v1+cbor"
LONGEST = 4_096
_STEP = 256
SLOT = integer(1, 1024)
MOST_VOUCHERS = 32  # of one travel


@dataclass(frozen=True)
class Declaration(Record):
    """One voucher of a travel; `root`: the number of the holder root that its codes come from."""

    slot: int = f(SLOT)
    root: int = f(U16)
    content: int = f(U16)
    kind: Kind = f(enum(Kind))
    territory: str = f(CODE)
    items: Items = f(ITEMS)
    not_returned: Items = f(ITEMS)
    voucher_key: bytes = f(KEY)
    cancel_key: bytes = f(KEY)
    verify_key: bytes = f(KEY)


@dataclass(frozen=True)
class Declared(Record):
    """A declaration as its part holds it."""

    salt: bytes = f(RANDOM16)
    declaration: Declaration = f(nested(Declaration))
    proof: bytes = f(blob(64))

    def to_part(self) -> bytes:
        data = self.to_bytes() + b"\x80"
        return data + bytes(-len(data) % _STEP)

    @classmethod
    def from_part(cls, part: bytes) -> Self:
        """Raises `Malformed`: a declaration has one form."""
        body = part.rstrip(b"\0")
        if len(part) > LONGEST or body[-1:] != b"\x80":
            raise Malformed("a declaration's part is not padded as it must be")
        found = cls.from_bytes(body[:-1])
        if found.to_part() != part:
            raise Malformed("a declaration's part is not in its one form")
        return found

    def genuine(
        self, ledger: bytes, carnet_id: int, sealed: tuple[bytes, bytes], verify: Callable[[bytes, bytes, bytes], bool]
    ) -> bool:
        """True if the voucher's own key declares it; `sealed` are the digests of the details and the packet."""
        return verify(self.declaration.voucher_key, self.proof, to_sign(ledger, carnet_id, self.declaration, sealed))


def to_sign(ledger: bytes, carnet_id: int, declaration: Declaration, sealed: tuple[bytes, bytes]) -> bytes:
    """What a voucher's key signs once it is declared."""
    return pae(PAYLOAD_TYPE, encode([ledger, carnet_id, declaration.to_value(), list[Value](sealed)]))


def declare(
    ledger: bytes,
    carnet_id: int,
    declaration: Declaration,
    voucher: SigningKey,
    sealed: tuple[bytes, bytes],
    salt: bytes,
) -> Declared:
    """With the voucher key's proof; `salt` is 16 random bytes."""
    return Declared(salt, declaration, voucher.sign(to_sign(ledger, carnet_id, declaration, sealed)))


def declaration_digest(ledger: bytes, carnet_id: int, slot: int, parts: tuple[bytes, ...]) -> bytes:
    """From the digests of the declared part, the details and the packet."""
    return hash_of([ledger, carnet_id, slot, list[Value](parts)])
