"""Checkpoints: C2SP tlog-checkpoint text, cosigned by the nodes (signed-note Ed25519)."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.genesis import NodeRecord
from eata_ledger.log.keys import SigningKey, verify

_ED25519 = b"\x01"


@dataclass(frozen=True)
class Checkpoint:
    """A tree size and its root under an origin."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note text; signatures are over exactly this."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def sign(self, key: SigningKey) -> bytes:
        return key.sign(self.text.encode())


def _key_hash(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public)[:4]


def note(checkpoint: Checkpoint, signatures: Iterable[tuple[NodeRecord, bytes]]) -> str:
    """The signed note: text, an empty line, one line per node."""
    lines = []
    for node, signature in sorted(signatures, key=lambda pair: pair[0].name):
        blob = _key_hash(node.name, node.key(Purpose.STATEMENT)) + signature
        lines.append(f"— {node.name} {base64.b64encode(blob).decode()}\n")
    return checkpoint.text + "\n" + "".join(lines)


def read_note(text: str, nodes: Iterable[NodeRecord]) -> tuple[Checkpoint, frozenset[str]]:
    """The checkpoint and the names of known nodes whose signature verifies. Raises `Malformed`."""
    checkpoint, lines = signature_lines(text)
    known = {node.name: node.key(Purpose.STATEMENT) for node in nodes}
    signed = set()
    for name, blob in lines:
        if name in known and blob[:4] == _key_hash(name, known[name]):
            if not verify(known[name], blob[4:], checkpoint.text.encode()):
                raise Malformed(f"the signature of {name} does not verify")
            signed.add(name)
    return checkpoint, frozenset(signed)


def signature_lines(text: str) -> tuple[Checkpoint, list[tuple[str, bytes]]]:
    """A note's checkpoint and its (name, key hash and signature) lines, none verified. Raises `Malformed`."""
    body, separator, tail = text.partition("\n\n")
    lines = body.split("\n")
    size = lines[1] if len(lines) == 3 else ""
    if not separator or not (size.isascii() and size.isdecimal()) or len(size) > 20 or str(int(size)) != size:
        raise Malformed("not a checkpoint note")
    checkpoint = Checkpoint(lines[0], int(size), _base64(lines[2]))
    if len(checkpoint.root) != 32 or not lines[0]:
        raise Malformed("not a checkpoint note")
    found = []
    for line in tail.splitlines():
        match line.split(" "):
            case ["—", name, value]:
                found.append((name, _base64(value)))
            case _:
                raise Malformed("not a note signature line")
    return checkpoint, found


def _base64(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise Malformed("not base64") from None
