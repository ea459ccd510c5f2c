"""Timestamped ML-DSA-44 cosignatures of checkpoints: C2SP tlog-cosignature, algorithm byte 0x06.

They say when a node last saw this tree as its largest, so a trust file knows its age, and they stand where Ed25519
may not any more.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import sha256
from eata_ledger.log.genesis import NodeRecord
from eata_ledger.proof.checkpoint import Checkpoint, signature_lines

_LABEL = b"subtree/v1\n\0"
_ALGORITHM = b"\x06"
_SIGNATURE = 2420


@dataclass(frozen=True)
class CosigningKey:
    """An ML-DSA-44 key from its 32-byte seed."""

    seed: bytes

    def __repr__(self) -> str:
        return "CosigningKey(…)"

    @cached_property
    def _key(self) -> MLDSA44PrivateKey:
        return MLDSA44PrivateKey.from_seed_bytes(self.seed)

    @property
    def public(self) -> bytes:
        """1,312 bytes."""
        return self._key.public_key().public_bytes_raw()

    def line(self, name: str, checkpoint: Checkpoint, seconds: int) -> str:
        """A note signature line: the tree was this node's largest at `seconds` (POSIX)."""
        signature = self._key.sign(message(name, checkpoint, seconds))
        blob = _key_hash(name, self.public) + seconds.to_bytes(8, "big") + signature
        return f"— {name} {base64.b64encode(blob).decode()}\n"


def message(name: str, checkpoint: Checkpoint, seconds: int) -> bytes:
    """The `cosigned_message` of a whole tree (start 0)."""
    cosigner, log = name.encode(), checkpoint.origin.encode()
    return b"".join((
        _LABEL, bytes([len(cosigner)]), cosigner, seconds.to_bytes(8, "big"), bytes([len(log)]), log,
        bytes(8), checkpoint.size.to_bytes(8, "big"), checkpoint.root,
    ))  # fmt: skip


def read(text: str, nodes: Iterable[NodeRecord]) -> dict[str, int]:
    """Node name → POSIX seconds of its newest valid cosignature in a note; lines of others are passed over."""
    checkpoint, lines = signature_lines(text)
    found: dict[str, int] = {}
    for node in nodes:
        public = next((key.raw for key in node.keys if key.purpose is Purpose.COSIGN), None)
        for name, blob in lines:
            if public is None or name != node.name or blob[:4] != _key_hash(name, public):
                continue
            seconds = int.from_bytes(blob[4:12], "big")
            if len(blob) == 12 + _SIGNATURE and _verify(public, blob[12:], message(name, checkpoint, seconds)):
                found[name] = max(seconds, found.get(name, 0))
    return found


def _key_hash(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ALGORITHM + public)[:4]


def _verify(public: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True
