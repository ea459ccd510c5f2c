"""Every signed or sealed format: its example is taken, and each lie about it is refused (tests/vectors/formats.json)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eata_ledger.carnet.vocabulary import Label, Purpose
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.bodies import StorageReceipt
from eata_ledger.log.certificate import Certified
from eata_ledger.log.declared import Declared
from eata_ledger.log.entry import Header
from eata_ledger.log.genesis import Genesis, origin
from eata_ledger.log.group import GroupHeader
from eata_ledger.log.keys import verify
from eata_ledger.proof import cosignature, stored
from eata_ledger.proof.card import Card
from eata_ledger.proof.checkpoint import read_note
from eata_ledger.proof.statement import Statement
from eata_ledger.proof.trust import Trust
from eata_ledger.seal.aead import CannotOpen, Context
from eata_ledger.seal.keystore import Vault
from eata_ledger.seal.stanza import SealingKey

SOURCE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "formats.json").read_text(encoding="utf-8")
)
GENESIS = Genesis.from_bytes(bytes.fromhex(SOURCE["genesis"]))
LEDGER = bytes.fromhex(SOURCE["ledger"])


def _note(data: bytes) -> None:
    """Four nodes' signatures of this very tree, and one timestamped cosignature."""
    text = data.decode()
    checkpoint, signed = read_note(text, GENESIS.nodes)
    dated = cosignature.read(text, GENESIS.nodes)
    if checkpoint.origin != origin(LEDGER, 1) or len(signed) < 4 or dated != {"frankfurt": 1_780_401_600}:
        raise Malformed("too few nodes signed this")


def _trust(data: bytes) -> None:
    trust = Trust.from_bytes(data)
    trust.check(LEDGER)
    if trust.charter.by_id.keys() == GENESIS.charter.by_id.keys():
        raise Malformed("the node set was not followed")


def _receipt(data: bytes) -> None:
    receipt, blob = StorageReceipt.from_bytes(data), bytes.fromhex(SOURCE["blob"])
    key = GENESIS.charter.by_kid[receipt.kid].key(Purpose.STATEMENT)
    if not verify(key, receipt.signature, stored.to_sign(LEDGER, sha256(blob), len(blob), receipt.time)):
        raise Malformed("the receipt does not verify")


def _declared(data: bytes) -> None:
    sealed = sha256(b"details"), sha256(b"packet")
    if not Declared.from_part(data).genuine(LEDGER, 883, sealed, verify):
        raise Malformed("another declaration than its voucher's key signed")


def _stanza(data: bytes) -> None:
    given = {name: bytes.fromhex(value) for name, value in SOURCE["stanza"].items()}
    place = Context(LEDGER, 883, Label.STANZA, 1)
    opened = SealingKey(given["seed"]).open(place, given["recipient"], given["author"], data)
    assert opened.to_bytes() == given["plain"]


PARSE: dict[str, Callable[[bytes], object]] = {
    "header": Header.from_bytes, "certificate": Certified.from_bytes, "group": GroupHeader.from_bytes,
    "genesis": Genesis.from_bytes, "note": _note, "trust": _trust, "statement": Statement.from_bytes,
    "card": lambda data: Card.read(data.decode()),
    "keystore": lambda data: Vault(lambda: SOURCE["passphrase"].encode()).unlock(data),
    "storage receipt": _receipt, "declared part": _declared, "stanza": _stanza,
}  # fmt: skip
FORMATS = SOURCE["formats"]


@pytest.mark.parametrize("case", FORMATS, ids=lambda case: case["format"])
def test_the_example_is_taken_and_written_the_same(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["valid"])
    found = PARSE[case["parse"]](data)
    if hasattr(found, "to_bytes"):
        assert found.to_bytes() == data


@pytest.mark.parametrize(
    ("parse", "why", "data"),
    [(case["parse"], f"{case['format']}: {lie['why']}", lie["bytes"]) for case in FORMATS for lie in case["invalid"]],
)
def test_a_lie_is_refused_in_a_sentence(parse: str, why: str, data: str) -> None:
    """Malformed or not to be opened; never another exception, so never a stack trace."""
    with pytest.raises((Malformed, CannotOpen)):
        pytest.fail(f"{why} was taken: {PARSE[parse](bytes.fromhex(data))}")


def test_every_format_has_lies_of_its_own() -> None:
    assert len(FORMATS) >= 12
    assert all(len(case["invalid"]) >= 6 for case in FORMATS)
