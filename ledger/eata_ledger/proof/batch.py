"""One signature for many entries (rules 4): over the RFC 6962 root of their entry hashes, each provable by itself.

In the place of the 64 bytes of a signature stands [signature, index, size, path]: with them an entry needs no other to be
checked. Only an issuer signs so, and only issues.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eata_ledger.encoding import encode
from eata_ledger.proof import merkle
from eata_ledger.proof.bodies import EntryType
from eata_ledger.proof.entry import SIGNATURE, Entry, Signed
from eata_ledger.proof.keys import SigningKey, pae
from eata_ledger.record import HASH, Record, array, blob, f, integer

PAYLOAD_TYPE = "application/vnd.eata.batch.v1+cbor"
RULES = 4  # that open it
MOST = 4_096  # entries under one signature


@dataclass(frozen=True)
class BatchSignature(Record):
    """A signature over a tree of `size` entry hashes, and the way from the one at `index` to its root."""

    signature: bytes = f(blob(SIGNATURE))
    index: int = f(integer(0, MOST - 1))
    size: int = f(integer(2, MOST))
    path: tuple[bytes, ...] = f(array(HASH, MOST.bit_length() - 1))


def to_sign(ledger: bytes, size: int, root: bytes) -> bytes:
    """What the issuer signs: [ledger, how many entries, the root of their hashes]."""
    return pae(PAYLOAD_TYPE, encode([ledger, size, root]))


def allowed(entry: Entry, rules: int) -> bool:
    """False for an entry with such a signature where none may stand."""
    return (rules >= RULES and entry.header.body.TYPE is EntryType.ISSUE) or all(
        len(signed.value) == SIGNATURE for signed in entry.signatures
    )


def opened(entry: Entry, value: bytes) -> tuple[bytes, bytes] | None:
    """(Ed25519 signature, what it is over) of one of an entry's signatures; None for a path that leads to no root.

    Raises `Malformed` for what is no such value; the wire has refused that before.
    """
    if len(value) == SIGNATURE:
        return value, entry.header.signed
    batch = BatchSignature.from_bytes(value)
    root = merkle.root_from_inclusion(entry.hash, batch.index, batch.size, batch.path)
    return None if root is None else (batch.signature, to_sign(entry.header.ledger, batch.size, root))


def signed_together(entries: Sequence[Entry], key: SigningKey) -> list[Entry]:
    """The same 2 to 4,096 entries of one ledger, with one signature of `key` in the place of its own on each."""
    if not 2 <= len(entries) <= MOST:
        raise ValueError(f"one signature is for 2 to {MOST:,} entries")
    nodes: dict[tuple[int, int], bytes] = {}

    def at(level: int, number: int) -> bytes:
        return nodes[level, number]

    for place, entry in enumerate(entries):
        nodes.update(((level, number), digest) for level, number, digest in merkle.append(at, place, entry.hash))
    size = len(entries)
    signature = key.sign(to_sign(entries[0].header.ledger, size, merkle.root(at, size)))
    return [
        replace(entry, signatures=tuple(
            one if one.key_id != key.id else
            Signed(key.id, BatchSignature(signature, place, size, tuple(merkle.inclusion(at, place, size))).to_bytes())
            for one in entry.signatures
        ))
        for place, entry in enumerate(entries)
    ]  # fmt: skip
