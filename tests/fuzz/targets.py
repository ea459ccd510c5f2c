"""Every parser of bytes from outside: what it may raise, and what must hold for what it takes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.journeys.journey import Journey
from eata_ledger.encoding import Malformed, decode, encode
from eata_ledger.log.bodies import StorageReceipt
from eata_ledger.log.certificate import Certified
from eata_ledger.log.entry import Header
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.group import GroupHeader
from eata_ledger.log.leaf import Leaf
from eata_ledger.proof import cosignature
from eata_ledger.proof.card import Card
from eata_ledger.proof.checkpoint import read_note
from eata_ledger.proof.qr import read_code, read_receipt
from eata_ledger.proof.statement import Statement
from eata_ledger.proof.trust import Trust
from eata_ledger.seal.aead import CannotOpen, unpack
from eata_ledger.seal.codes import Code, CodeKind, WrongCode
from eata_ledger.wire import entry_from_proto, group_from_bytes
from eata_proto.v1 import ledger_pb2
from google.protobuf.message import DecodeError

VECTORS = Path(__file__).parents[1] / "vectors"
REFUSED = (Malformed, CannotOpen, WrongCode, DecodeError)
Target = Callable[[bytes], object]
_SOURCE: dict[str, Any] = json.loads((VECTORS / "formats.json").read_text(encoding="utf-8"))
_GENESIS = Genesis.from_bytes(bytes.fromhex(_SOURCE["genesis"]))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _cbor(data: bytes) -> None:
    assert encode(decode(data, maps=True)) == data


def _note(data: bytes) -> None:
    read_note(_text(data), _GENESIS.nodes)
    cosignature.read(_text(data), _GENESIS.nodes)


def _trust(data: bytes) -> None:
    Trust.from_bytes(data).check()


def _entry(data: bytes) -> None:
    entry_from_proto(ledger_pb2.Entry.FromString(data))


def _journey(data: bytes) -> None:
    try:
        source = json.loads(data)
    except (ValueError, RecursionError):
        return
    Journey.from_json(source)


def _bytes_back(parse: Callable[[bytes], Any]) -> Target:
    """What is taken is written the same: no two byte strings mean one thing."""

    def target(data: bytes) -> None:
        assert parse(data).to_bytes() == data

    return target


TARGETS: dict[str, Target] = {
    "cbor": _cbor,
    "header": lambda data: Header.from_bytes(data).signed,
    "certificate": lambda data: Certified.from_bytes(data).certificate,
    "group_header": _bytes_back(GroupHeader.from_bytes),
    "group": group_from_bytes,
    "entry": _entry,
    "genesis": _bytes_back(Genesis.from_bytes),
    "leaf": _bytes_back(Leaf.from_bytes),
    "note": _note,
    "trust": _trust,
    "statement": _bytes_back(Statement.from_bytes),
    "storage_receipt": _bytes_back(StorageReceipt.from_bytes),
    "card": lambda data: Card.read(_text(data)).prepared,
    "receipt_qr": lambda data: Statement.from_bytes(read_receipt(_text(data))),
    "code_qr": lambda data: read_code(_text(data), CodeKind.TRANSACTION),
    "code": lambda data: Code.read(CodeKind.PIN, _text(data)),
    "content": unpack,
    "items": lambda data: Items.parse(_text(data)),
    "journey": _journey,
}  # fmt: skip


def _planted(data: bytes) -> None:
    """A bug on purpose: a parser that trusts a length."""
    if len(data) > 2 and data[:1] == b"E" and data[1:2] == b"A":
        raise IndexError(data[1000])


PLANTED = {"planted": _planted}
_PARSERS = {"certificate": "certificate", "group": "group_header", "genesis": "genesis", "note": "note", "trust": "trust",
            "statement": "statement", "storage receipt": "storage_receipt", "card": "card", "header": "header"}  # fmt: skip


def seeds(target: str) -> list[bytes]:
    """Good and bad examples to start from, out of the public vectors."""
    found = []
    for case in _SOURCE["formats"]:
        if _PARSERS.get(case["parse"]) == target or target == "cbor":
            found += [bytes.fromhex(case["valid"]), *(bytes.fromhex(lie["bytes"]) for lie in case["invalid"])]
    if target == "journey":
        journeys = json.loads((VECTORS / "journeys.json").read_text(encoding="utf-8"))
        found += [json.dumps(case["journey"]).encode() for case in journeys["valid"]]
    if target in ("code", "code_qr"):
        found += [b"7QX2-M9K4-D8RJ-3VBQ", b"EATA1:T:768259:PNH4CHCP4W45G", b"768259 PNH4CHCP4W45G"]
    if target == "items":
        found += [b"1-10,12", b"1,3,3,8,4,12", b"20"]
    return [data for data in found if len(data) < 20_000]


def run(target: Target, data: bytes) -> None:
    """Anything but a refusal is a bug."""
    try:
        target(data)
    except REFUSED:
        return
