"""Verification codes: what more than half of the nodes tell the holder of a commit, through Customs (APP-17, C-27).

    share = HMAC(HKDF(X25519(node, verify key), ["eata/v1/verified", ledger, ID, slot]),
                 ["outcome", declaration digest, outcome])
    V     = 60 bits of SHA-256(["eata/v1/verification", [shares of more than half of the nodes, ascending]])

The wallet, offline, knows every node's share and tries every majority: the code convinces that wallet and nobody else;
the receipt is the proof for others. Fewer than half of the nodes cannot make one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import nacl.bindings
import nacl.exceptions

from eata_ledger.encoding import Value, hash_of
from eata_ledger.seal.codes import Code, CodeKind
from eata_ledger.seal.kdf import derive, mac


@dataclass(frozen=True)
class Occurrence:
    """What a verification code vouches for: a voucher's declaration met this outcome."""

    ledger: bytes
    carnet_id: int
    slot: int
    declaration: bytes
    outcome: int


def share(secret: bytes, public: bytes, of: Occurrence) -> bytes | None:
    """From one side's X25519 secret and the other's public key; None for a public key of small order."""
    try:
        shared = nacl.bindings.crypto_scalarmult(secret, public)
    except nacl.exceptions.CryptoError:
        return None
    key = derive(shared, ["eata/v1/verified", of.ledger, of.carnet_id, of.slot])
    return mac(key, ["outcome", of.declaration, of.outcome])


def verification_code(shares: Iterable[bytes]) -> Code:
    """The code of exactly these nodes' shares: more than half of the nodes, no more than needed."""
    ascending: list[Value] = [*sorted(shares)]
    return Code.from_bytes(CodeKind.VERIFICATION, hash_of(["eata/v1/verification", ascending]))


def verified_by(code: Code, secret: bytes, nodes: Iterable[tuple[str, bytes]], enough: int, of: Occurrence) -> (
    tuple[str, ...]
):  # fmt: skip
    """The names of the nodes (name, X25519 key), `enough` of them, that give this code together; none where none do."""
    known = [(name, found) for name, public in nodes if (found := share(secret, public, of)) is not None]
    for chosen in combinations(known, enough):
        if verification_code(found for _, found in chosen) == code:
            return tuple(sorted(name for name, _ in chosen))
    return ()
