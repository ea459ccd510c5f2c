"""Checkpoints, trust files, receipts and QR pictures, offline."""

import io
from dataclasses import replace

import pytest
import segno
import zxingcpp
from eata_ledger.encoding import Malformed, Value
from eata_ledger.log.genesis import Genesis, origin
from eata_ledger.proof.checkpoint import Checkpoint, note, read_note
from eata_ledger.proof.qr import CodeQr, base45, from_base45, read_code, read_receipt, receipt_text
from eata_ledger.proof.statement import Claim, Standing, Statement, to_sign
from eata_ledger.proof.trust import Trust, verify_receipt
from eata_ledger.seal.codes import Code, CodeKind
from PIL import Image

from tests.world import World

FACTS: list[Value] = [20, "CHTA00000133", 883, 4, "EU", "DE-BER", "1-20", "", 1_622_644_620_000, 120, 18_781, 0]


def statement(world: World, signers: int, **changes: object) -> Statement:
    claim = Claim(world.ledger[:8], 1, 4312, world.now, bytes(32), 1, 0, list(FACTS), bytes(32), 4312, Standing.LIVE)
    found = Statement(replace(claim, **changes).to_bytes(), ())  # type: ignore[arg-type]
    for seeds in world.seeds[:signers]:
        kid = seeds.record.kid
        found = found.merged(kid, seeds.statement.sign(to_sign(found.payload, kid)))
    return found


def trust(world: World, signers: int = 4) -> Trust:
    checkpoint = Checkpoint(origin(world.ledger, 1), 5000, bytes(32))
    text = note(checkpoint, [(s.record, checkpoint.sign(s.statement)) for s in world.seeds[:signers]])
    return Trust(1, world.genesis.to_bytes(), 1, text, world.now, (), ())


@pytest.mark.rule("U4")
def test_four_of_six_is_final(world: World) -> None:
    verdict = verify_receipt(statement(world, 4).to_bytes(), trust(world))
    assert (verdict.good, verdict.why) == (True, "final: signed by 4 of 6 nodes")


def test_half_of_the_nodes_are_provisional(world: World) -> None:
    for signers in (1, 2, 3):
        verdict = verify_receipt(statement(world, signers).to_bytes(), trust(world))
        assert (verdict.good, len(verdict.signers)) == (False, signers)
        assert verdict.why == f"provisional: {signers} of 6 nodes signed, 4 are needed"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ledger_prefix": bytes(8)}, "another ledger"),
        ({"era": 2}, "era 2"),
        ({"standing": Standing.CANCELLED}, "cancelled as of ledger index 4312"),
        ({"outcome": 8}, "CARNET_EXPIRED"),
    ],
)
def test_a_receipt_of_something_else_says_why(world: World, changes: dict[str, object], why: str) -> None:
    verdict = verify_receipt(statement(world, 6, **changes).to_bytes(), trust(world))
    assert not verdict.good
    assert why in verdict.why


def test_altered_facts_lose_every_signature(world: World) -> None:
    good = statement(world, 6)
    forged = replace(good, payload=replace(good.claim, facts=[20, "CHTA00000133"]).to_bytes())
    assert verify_receipt(forged.to_bytes(), trust(world)).signers == ()


def test_a_trust_file_needs_four_signers_and_the_pinned_genesis(world: World) -> None:
    trust(world).check(world.ledger)
    with pytest.raises(Malformed, match="3 nodes signed"):
        trust(world, signers=3).check()
    with pytest.raises(Malformed, match="pinned"):
        trust(world).check(bytes(32))
    with pytest.raises(Malformed):
        Trust.from_bytes(trust(world).to_bytes() + b"\x00")


def test_a_note_with_a_bad_signature_is_refused(world: World) -> None:
    checkpoint = Checkpoint(origin(world.ledger, 1), 7, bytes(32))
    good = note(checkpoint, [(s.record, checkpoint.sign(s.statement)) for s in world.seeds])
    found, signed = read_note(good, world.genesis.nodes)
    assert (found, len(signed)) == (checkpoint, 6)
    assert good.startswith(f"eata/{world.ledger.hex()}/1\n7\n")
    for bad in (good.replace("\n7\n", "\n8\n", 1), good.replace("\n7\n", "\n07\n", 1), good[:-3], "", "x\n\n"):
        with pytest.raises(Malformed):
            read_note(bad, world.genesis.nodes)


def test_a_receipt_survives_print_and_scan(world: World) -> None:
    """The QR of four signatures, drawn and read by a decoder we did not write."""
    data = statement(world, 4).to_bytes()
    qr = segno.make(receipt_text(data), error="m", micro=False)
    buffer = io.BytesIO()
    qr.save(buffer, kind="png", scale=4)
    [read] = zxingcpp.read_barcodes(Image.open(buffer).convert("L"))
    assert read_receipt(read.text) == data
    assert qr.symbol_size(border=0)[0] <= 101


def test_a_voucher_qr_is_small_and_reads_back() -> None:
    code = CodeQr("768259", Code.read(CodeKind.TRANSACTION, "PNH4CHCP4W45G"))
    assert code.text == "EATA1:T:768259:PNH4CHCP4W45G"
    assert segno.make(code.text, error="m").symbol_size(border=0)[0] <= 25
    assert read_code(code.text, CodeKind.TRANSACTION) == code
    assert read_code(" 768259  pnh4-chcp-4w45g", CodeKind.TRANSACTION) == code
    for bad in ("EATA1:C:768259:PNH4CHCP4W45G", "EATA1:T:768259", "", "EATA1:T::PNH4CHCP4W45G"):
        with pytest.raises(Malformed):
            read_code(bad, CodeKind.TRANSACTION)


@pytest.mark.parametrize(("text", "data"), [("BB8", b"AB"), ("%69 VD92EX0", b"Hello!!"), ("UJCLQE7W581", b"base-45")])
def test_base45_is_rfc_9285(text: str, data: bytes) -> None:
    assert base45(data) == text
    assert from_base45(text) == data


@pytest.mark.parametrize("text", ["GGW", "A", "ab", ":::"])
def test_other_text_is_no_base45(text: str) -> None:
    with pytest.raises(Malformed):
        from_base45(text)


def test_a_genesis_with_a_shared_key_or_impossible_threshold_is_refused(world: World) -> None:
    for broken in (
        replace(world.genesis, root_threshold=2),
        replace(world.genesis, nodes=(world.genesis.nodes[0], world.genesis.nodes[0])),
    ):
        with pytest.raises(Malformed):
            Genesis.from_bytes(broken.to_bytes())
