"""Verification codes: what a node that applied a commit tells the holder, through Customs (APP-17, C-27).

    V = 60 bits of HMAC(HKDF(X25519(node, verify key), ["eata/v1/verified", ledger, ID, slot]),
                        ["outcome", declaration digest, outcome])

The wallet, offline, tries every node's key: the code convinces that wallet and nobody else; the receipt is the proof
for others.
"""

from collections.abc import Iterable

import nacl.bindings
import nacl.exceptions

from eata_ledger.seal.codes import Code, CodeKind
from eata_ledger.seal.kdf import derive, mac


def verification_code(
    secret: bytes, public: bytes, ledger: bytes, carnet_id: int, slot: int, declaration: bytes, outcome: int
) -> Code | None:
    """From one side's X25519 secret and the other's public key; None for a public key of small order."""
    try:
        shared = nacl.bindings.crypto_scalarmult(secret, public)
    except nacl.exceptions.CryptoError:
        return None
    key = derive(shared, ["eata/v1/verified", ledger, carnet_id, slot])
    return Code.from_bytes(CodeKind.VERIFICATION, mac(key, ["outcome", declaration, outcome]))


def verified_by(
    code: Code, secret: bytes, nodes: Iterable[tuple[str, bytes]], ledger: bytes, carnet_id: int, slot: int,
    declaration: bytes, outcomes: Iterable[int],
) -> tuple[str, int] | None:  # fmt: skip
    """The node (name, X25519 key) and outcome that give this code; None where none does."""
    wanted = tuple(outcomes)
    for name, public in nodes:
        for outcome in wanted:
            if verification_code(secret, public, ledger, carnet_id, slot, declaration, outcome) == code:
                return name, outcome
    return None
