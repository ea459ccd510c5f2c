"""Writes tests/vectors/formats.json: one good example of every signed or sealed format, and what must be refused.

./scripts/make-vectors        writes it anew; deterministic, so an unchanged format gives an unchanged file
"""

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label, Purpose, Role
from eata_ledger.encoding import Value, decode, encode, sha256
from eata_ledger.log import merkle
from eata_ledger.log.bodies import ActivateRules, Hold, RegisterNode, RotateRoot, StorageReceipt
from eata_ledger.log.certificate import DeskCertificate
from eata_ledger.log.chartering import CharterEntry, CharterSignature
from eata_ledger.log.declared import Declaration, Declared, declaration_digest, declare
from eata_ledger.log.genesis import Genesis, NodeKey, NodeRecord, origin
from eata_ledger.log.group import NO_HASH, Cosignature, GroupHeader, GroupKind, OpenEra
from eata_ledger.log.keys import Algorithm, SigningKey
from eata_ledger.log.leaf import Leaf
from eata_ledger.log.opening import EraOpening
from eata_ledger.proof.card import Card
from eata_ledger.proof.checkpoint import Checkpoint, note
from eata_ledger.proof.cosignature import CosigningKey
from eata_ledger.proof.statement import Claim, Standing, Statement, to_sign
from eata_ledger.proof.stored import to_sign as stored
from eata_ledger.proof.travelled import Prepared, TravelFacts
from eata_ledger.proof.trust import Trust
from eata_ledger.seal.aead import Context, seal
from eata_ledger.seal.codes import Code, CodeKind
from eata_ledger.seal.keystore import Vault
from eata_ledger.seal.stanza import SealingKey, keys, wrap

TARGET = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "formats.json"
NOW, DAY = 1_780_401_600_000, 20_606
NAMES = ("frankfurt", "virginia", "sao-paulo", "johannesburg", "mumbai", "tokyo")
PASSPHRASE = b"correct horse battery staple"


def key(n: int) -> SigningKey:
    return SigningKey(bytes([n]) * 32)


def record(n: int, name: str) -> NodeRecord:
    """The first node has a cosigning key too: one is enough to show the format."""
    keys = [
        NodeKey(Purpose.GROUP, Algorithm.ED25519, key(10 + n).public),
        NodeKey(Purpose.STATEMENT, Algorithm.ED25519, key(20 + n).public),
    ]
    if n == 0:
        keys.append(NodeKey(Purpose.COSIGN, Algorithm.ML_DSA_44, CosigningKey(bytes([30]) * 32).public))
    return NodeRecord(name, tuple(keys))


NODES = tuple(record(n, name) for n, name in enumerate(NAMES))
ROOTS = tuple(key(40 + n) for n in range(5))
GENESIS = Genesis(1, "vectors", NOW, tuple(k.public for k in ROOTS), 3, key(50).public, NODES, 3, 883, 1)
LEDGER = GENESIS.ledger
CHECKPOINT = Checkpoint(origin(LEDGER, 1), 57, sha256(b"root"))


def cbor_lies(good: bytes) -> Iterator[tuple[str, bytes]]:
    """What deterministic decoding refuses, whatever the format."""
    yield "truncated", good[:-1]
    yield "trailing byte", good + b"\0"
    yield "empty", b""
    value = decode(good, maps=True)
    assert isinstance(value, list)
    yield "one field fewer", encode(value[:-1])
    yield "one field more", encode([*value, None])
    unlike = ((a, a + 1) for a in range(len(value) - 1) if type(value[a]) is not type(value[a + 1]))
    first, second = next(unlike, (0, 1))
    swapped = list(value)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    yield "two fields swapped", encode(swapped)
    head = len(good) - len(b"".join(encode(item) for item in value))
    yield "array of indefinite length", b"\x9f" + good[head:] + b"\xff"
    yield (
        "array length in a longer form",
        (b"\x98" + bytes([len(value)]) + good[head:] if head == 1 else b"\x99\0" + bytes([len(value)]) + good[head:]),
    )
    yield "tagged", b"\xc0" + good
    if isinstance(value[0], int):
        yield "first integer in a longer form", good[:head] + b"\x18" + good[head : head + 1] + good[head + 1 :]
        yield "another version", encode([9, *value[1:]])
        yield "a float", good[:head] + b"\xf9\x3c\x00" + good[head + 1 :]


def case(
    name: str, parse: str, good: bytes, lies: Iterator[tuple[str, bytes]] | list[tuple[str, bytes]]
) -> dict[str, Any]:
    return {
        "format": name, "parse": parse, "valid": good.hex(),
        "invalid": [{"why": why, "bytes": bad.hex()} for why, bad in lies if bad != good],
    }  # fmt: skip


def entry_cases() -> Iterator[dict[str, Any]]:
    certificate = desk()
    bodies = {
        "entry header: Hold": (Hold(883, certificate, "CHZRH"), key(1)),
        "entry header: RotateRoot": (RotateRoot(1, (key(60).public, key(61).public), 2), ROOTS[0]),
        "entry header: RegisterNode": (RegisterNode(1, record(9, "mumbai")), ROOTS[0]),
        "entry header: ActivateRules": (ActivateRules(4), ROOTS[0]),
    }
    for name, (body, signer) in bodies.items():
        entry = make(LEDGER, body, Stamp(NOW), (signer,), (), bytes(range(16)))
        value = decode(entry.header.encoded)
        assert isinstance(value, list)
        unknown, wrong_ledger = list(value), list(value)
        unknown[2], wrong_ledger[1] = 250, LEDGER[:31]
        lies = [
            *cbor_lies(entry.header.encoded),
            ("unknown type", encode(unknown)),
            ("ledger of 31 bytes", encode(wrong_ledger)),
        ]
        yield case(name, "header", entry.header.encoded, lies)


def desk() -> bytes:
    certificate = DeskCertificate(
        LEDGER, key(2).id, bytes(16), bytes(range(16)), Role.OFFICER, "CHZRH", key(1).public, NOW - 60_000, NOW + 3_600_000
    )  # fmt: skip
    return certificate.signed_by(key(2))


def certificate_case() -> dict[str, Any]:
    return case("desk certificate", "certificate", desk(), cbor_lies(desk()))


def group_case() -> dict[str, Any]:
    cosignature = Cosignature(57, CHECKPOINT.root, CHECKPOINT.sign(key(20)))
    header = GroupHeader(
        1, LEDGER, 1, GroupKind.ENTRIES, NODES[0].id, 3, 1, 8, NO_HASH, NOW, False, 40, 3, cosignature, (sha256(b"frame"),)
    )  # fmt: skip
    return case("group header", "group", header.to_bytes(), cbor_lies(header.to_bytes()))


def genesis_case() -> dict[str, Any]:
    good = GENESIS.to_bytes()
    value = decode(good)
    assert isinstance(value, list)

    def changed(at: int, new: Value) -> bytes:
        return encode([*value[:at], new, *value[at + 1 :]])

    nodes = value[6]
    assert isinstance(nodes, list)
    small = [[nodes[0][0], [[1, 1, bytes(32)], *nodes[0][1][1:]]], *nodes[1:]]  # type: ignore[index,misc]
    lies = [
        *cbor_lies(good), ("threshold above the keys", changed(4, 6)), ("threshold of none", changed(4, 0)),
        ("one node twice", changed(6, [nodes[0], nodes[0]])), ("no nodes", changed(6, [])),
        ("a node key of small order", changed(6, small)),
    ]  # fmt: skip
    return case("genesis", "genesis", good, lies)


def signed_note(*nodes: int, tree: Checkpoint = CHECKPOINT) -> str:
    return note(tree, [(NODES[n], tree.sign(key(20 + n))) for n in nodes])


def kept(name: str) -> bytes:
    """The example that was made before, empty before any: some signatures and ciphertexts draw their own randomness."""
    known = json.loads(TARGET.read_text(encoding="utf-8"))["formats"] if TARGET.exists() else []
    return next((bytes.fromhex(found["valid"]) for found in known if found["format"] == name), b"")


def note_case() -> dict[str, Any]:
    line = CosigningKey(bytes([30]) * 32).line(NAMES[0], CHECKPOINT, NOW // 1000)
    good = kept("checkpoint note").decode() or signed_note(0, 1, 2, 3) + line
    root, size = base64.b64encode(CHECKPOINT.root).decode(), "\n57\n"
    lines = good.splitlines(keepends=True)
    lies = {
        "no empty line": good.replace("\n\n", "\n", 1), "size with a leading zero": good.replace(size, "\n057\n", 1),
        "negative size": good.replace(size, "\n-57\n", 1), "another size": good.replace(size, "\n58\n", 1),
        "root of 31 bytes": good.replace(root, base64.b64encode(CHECKPOINT.root[:31]).decode(), 1),
        "root that is not base64": good.replace(root, "*" + root[1:], 1), "no origin": good.replace(CHECKPOINT.origin, "", 1),
        "another origin": good.replace("/1\n", "/2\n", 1), "a line of another form": good + "frankfurt signed\n",
        "an extension line": good.replace("\n\n", "\nextension\n\n", 1),
        "signatures changed round": "".join([*lines[:4], _renamed(lines[4], "virginia"), *lines[5:]]),
        "another root": good.replace(root, base64.b64encode(sha256(b"other")).decode(), 1),
    }  # fmt: skip
    return case("checkpoint note", "note", good.encode(), [(why, text.encode()) for why, text in lies.items()])


def _renamed(line: str, name: str) -> str:
    """A signature line under another node's name and key hash."""
    blob = base64.b64decode(line.split(" ")[2])
    other = base64.b64decode(
        next(own for own in signed_note(1).splitlines() if own.startswith(f"— {name} ")).split(" ")[2]
    )
    return f"— {name} {base64.b64encode(other[:4] + blob[4:]).decode()}\n"


def charter_entry(index: int = 0) -> CharterEntry:
    """A decision of the root at `index` of a tree of two."""
    entry = make(LEDGER, RegisterNode(1, record(9, "mumbai")), Stamp(NOW), ROOTS[:3], (), bytes(range(16)))
    leaf = Leaf(index, NOW, entry.hash, 1, 0, sha256(b"facts"), sha256(b"effects")).to_bytes()
    signatures = tuple(CharterSignature(s.key_id, s.value) for s in entry.signatures)
    return CharterEntry(entry.header.encoded, signatures, leaf, (merkle.leaf_hash(b"another"),))


def trust_case() -> dict[str, Any]:
    entry = charter_entry()
    root = merkle.node_hash(merkle.leaf_hash(entry.leaf), merkle.leaf_hash(b"another"))
    opening = EraOpening(OpenEra(1, LEDGER, 2, bytes(range(16)), 1, 2, root, None), {}).signed(*ROOTS[:3])
    tree = Checkpoint(origin(LEDGER, 2), 2, root)

    def trust(**changes: Any) -> bytes:
        given = {"version": 1, "genesis_bytes": GENESIS.to_bytes(), "era": 2, "checkpoint": signed_note(0, 1, 2, 3, tree=tree),
                 "log_time": NOW, "charter_entries": (entry,), "openings": (opening.to_bytes(),), **changes}  # fmt: skip
        return Trust(**given).to_bytes()

    lies = [
        *cbor_lies(trust()), ("signed by three", trust(checkpoint=signed_note(0, 1, 2, tree=tree))), ("another era", trust(era=3)),
        ("an era's opening left out", trust(openings=())),
        ("an era opened by two", trust(openings=(EraOpening(opening.era, {}).signed(*ROOTS[:2]).to_bytes(),))),
        ("a node set signed by two", trust(charter_entries=(replace(entry, signatures=entry.signatures[:2]),))),
        ("a decision elsewhere in the ledger", trust(charter_entries=(charter_entry(1),))),
        ("a decision with another way to the root", trust(charter_entries=(replace(entry, path=(bytes(32),)),))),
        ("signed by a node the root has replaced", trust(checkpoint=signed_note(0, 1, 2, 4, tree=tree))),
    ]  # fmt: skip
    return case("trust file", "trust", trust(), lies)


def statement(signers: tuple[int, ...], facts: Value) -> Statement:
    claim = Claim(LEDGER[:8], 1, 42, NOW, sha256(b"entry"), 3, 0, facts, sha256(b"effects"), 42, Standing.LIVE)
    found = Statement(claim.to_bytes(), ())
    for n in signers:
        found = found.merged(NODES[n].kid, key(20 + n).sign(to_sign(found.payload, NODES[n].kid)))
    return found


def statement_case() -> dict[str, Any]:
    good = statement((0, 1, 2, 3), [20, "CHTA00000133", 883]).to_bytes()
    value = decode(good, maps=True)
    assert isinstance(value, list)
    rows = value[3]
    assert isinstance(rows, list)
    lies = [
        *cbor_lies(good), ("one node signed twice", encode([*value[:3], [rows[0], rows[0]]])),
        ("signatures out of order", encode([*value[:3], rows[::-1]])),
        ("a key twice in a header", good.replace(bytes.fromhex("a20127"), bytes.fromhex("a3012701"), 1)),
        ("a signature of 63 bytes", encode([*value[:3], [[rows[0][0], {}, rows[0][2][:63]]]])),  # type: ignore[index]
    ]  # fmt: skip
    return case("statement", "statement", good, lies)


def card_case() -> dict[str, Any]:
    packet = seal(bytes(32), Context(LEDGER, 883, Label.PACKET, 1), keys(content=bytes(32)).to_bytes(), bytes(32))
    part, details = declared((sha256(b"details"), sha256(packet))).to_part(), sha256(b"details")
    digest = declaration_digest(LEDGER, 883, 1, (sha256(part), details, sha256(packet)))
    prepared = Prepared(1, digest, True, 0)
    facts = TravelFacts(14, 883, (prepared,), "CHTA00000133", "CH-ALLIANCE", "CH", DAY, True, False)
    code = Code(CodeKind.TRANSACTION, "0123456789AB")
    good = Card(statement((0, 1, 2, 3), facts.to_value()), 1, part, details, packet, code).text
    lies = [
        ("another prefix", good.replace("EATA1:D:", "EATA1:R:")), ("truncated", good[:-1]), ("a symbol outside base45", good[:-1] + "~"),
        ("lower case", good[:40] + good[40:].lower()), ("extended", good + "00"), ("empty", "EATA1:D:"),
    ]  # fmt: skip
    return case("declaration card", "card", good.encode(), [(why, text.encode()) for why, text in lies])


def declared(sealed: tuple[bytes, bytes]) -> Declared:
    items = Items.parse("1-20")
    declaration = Declaration(1, 1, 1, Kind.EXPORTATION, "CH", items, Items(), key(3).public, key(4).public, bytes(32))
    return declare(LEDGER, 883, declaration, key(3), sealed, bytes(range(16)))


def declared_case() -> dict[str, Any]:
    sealed = (sha256(b"details"), sha256(b"packet"))
    found = declared(sealed)
    good, bare = found.to_part(), found.to_bytes()
    other = replace(found, declaration=replace(found.declaration, items=Items.parse("1-21")))
    lies = [
        ("not padded", bare), ("padded with ones", bare + b"\x80" + b"\xff" * (255 - len(bare) % 256)),
        ("padded too far", good + bytes(256)), ("truncated", good[:-1]), ("empty", b""), ("zeros", bytes(256)),
        ("of other items", other.to_part()), ("for another carnet", declare(LEDGER, 884, found.declaration, key(3), sealed, found.salt).to_part()),
        ("over another packet", declared((sealed[0], sealed[0])).to_part()),
        ("signed by another key", replace(found, proof=key(4).sign(b"x")).to_part()),
    ]  # fmt: skip
    return case("declared part", "declared part", good, lies)


def keystore_case() -> dict[str, Any]:
    good = Vault(lambda: PASSPHRASE).lock(b"a secret", bytes(range(24)), bytes(range(16)))
    flipped = [good[:n] + bytes([good[n] ^ 1]) + good[n + 1 :] for n in (14, 20, 40, len(good) - 1)]
    names = ("another version", "another salt", "another nonce", "another tag")
    lies = [*zip(names, flipped, strict=True), ("truncated", good[:-1]), ("extended", good + b"\0"), ("empty", b"")]
    return case("keystore", "keystore", good, lies)


def receipt_case() -> dict[str, Any]:
    signature = key(20).sign(stored(LEDGER, sha256(b"blob"), 4, NOW))
    good = StorageReceipt(NODES[0].kid, signature, NOW).to_bytes()
    return case("storage receipt", "storage receipt", good, [
        *cbor_lies(good), ("of another length", StorageReceipt(NODES[0].kid, key(20).sign(stored(LEDGER, sha256(b"blob"), 5, NOW)), NOW).to_bytes()),
        ("of another node", StorageReceipt(NODES[1].kid, signature, NOW).to_bytes()),
    ])  # fmt: skip


def stanza_case() -> dict[str, Any]:
    """HPKE draws its own randomness: the valid example is made once and kept."""
    sealing, place = SealingKey(bytes([7]) * 32), Context(LEDGER, 883, Label.STANZA, 1)
    good = kept("stanza") or wrap(sealing.public, place, bytes(range(16)), key(1).id, keys(content=bytes([5]) * 32))
    flips = [("another ML-KEM ciphertext", 5), ("another X25519 share", 1_100), ("another tag", len(good) - 1)]
    lies = [(why, good[:n] + bytes([good[n] ^ 1]) + good[n + 1 :]) for why, n in flips]
    zero = good[:1088] + bytes(32) + good[1120:]
    return case("stanza", "stanza", good, [*lies, ("an X25519 share of small order", zero), ("truncated", good[:-1]),
                                           ("extended", good + b"\0"), ("empty", b"")])  # fmt: skip


def main() -> int:
    cases = [
        *entry_cases(), certificate_case(), group_case(), genesis_case(), note_case(), trust_case(), statement_case(),
        card_case(), declared_case(), keystore_case(), receipt_case(), stanza_case(),
    ]  # fmt: skip
    data = {
        "about": "One good example of every signed or sealed format, and bytes that must be refused. Keys are seeds of one "
                 "repeated byte: node n signs statements with 20+n; node 0 cosigns with ML-DSA-44 30; root 40 to 44, three of five.",
        "ledger": LEDGER.hex(), "genesis": GENESIS.to_bytes().hex(), "passphrase": PASSPHRASE.decode(),
        "stanza": {"seed": (bytes([7]) * 32).hex(), "recipient": bytes(range(16)).hex(), "author": key(1).id.hex(),
                   "info": encode([Context(LEDGER, 883, Label.STANZA, 1).to_value(), bytes(range(16)), key(1).id]).hex(),
                   "plain": keys(content=bytes([5]) * 32).to_bytes().hex()},
        "blob": b"blob".hex(), "formats": cases,
    }  # fmt: skip
    TARGET.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    count = sum(len(found["invalid"]) for found in cases)
    print(f"{len(cases)} formats, {count} refusals", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
