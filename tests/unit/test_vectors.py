"""The public vectors: what every implementation must accept, refuse and answer."""

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.goods.items import ITEMS as CODEC
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.journeys.journey import Journey, report
from eata_ledger.carnet.journeys.lawful import require_lawful
from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed, decode, encode
from eata_ledger.log import merkle
from eata_ledger.log.keys import acceptable, verify
from eata_ledger.log.leaf import Leaf
from eata_ledger.proof import selftest
from eata_ledger.proof.statement import Statement
from eata_ledger.seal.aead import CannotOpen, Context, seal, unseal
from eata_ledger.seal.codes import Code, CodeKind, WrongCode, code_keys
from eata_ledger.seal.schedule import earlier, journal_key, leaf_key
from eata_ledger.seal.verification import Occurrence, share, verification_code, verified_by

VECTORS = Path(__file__).parents[1] / "vectors"


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return found


JOURNEYS, TRANSITS, ITEMS, CODES, SEALS = (load(n) for n in ("journeys", "transits", "items", "codes", "seals"))
ENCODING, MERKLE, LEAVES, RECEIPTS = (load(n) for n in ("encoding", "merkle", "leaves", "receipts"))
SCHEDULE, SIGNATURES = load("schedule"), load("signatures")


@pytest.mark.rule("C-08")
@pytest.mark.rule("D1")
@pytest.mark.rule("D2")
@pytest.mark.rule("D3")
@pytest.mark.rule("D4")
@pytest.mark.rule("D5")
@pytest.mark.rule("D6")
@pytest.mark.rule("D7")
@pytest.mark.rule("D9")
@pytest.mark.rule("D10")
@pytest.mark.rule("883")
@pytest.mark.rule("884")
@pytest.mark.rule("885")
@pytest.mark.rule("886")
@pytest.mark.rule("ACC-55")
@pytest.mark.rule("CORE-11")
@pytest.mark.parametrize("case", JOURNEYS["valid"], ids=lambda case: case["id"])
def test_a_journey_reconciles_as_the_source_says(case: dict[str, Any]) -> None:
    """Status, and a reason for each open balance, on the last valid day and the day after."""
    journey = Journey.from_json(case["journey"])
    require_lawful(journey)
    for expected in case["expected"]:
        found = report(journey, day_of(expected["as_of"]))
        assert {k: found[k] for k in ("status", "reasons")} == {k: expected[k] for k in ("status", "reasons")}


@pytest.mark.parametrize("case", JOURNEYS["invalid"], ids=lambda case: case["id"])
def test_a_malformed_journey_is_refused_with_its_place(case: dict[str, Any]) -> None:
    """Bad input gets a sentence, never a stack trace; what the rules refuse gets their code (C30)."""
    with pytest.raises(Malformed) as caught:
        require_lawful(Journey.from_json(case["journey"]))
    assert getattr(caught.value, "code", "MALFORMED") == case["code"]


@pytest.mark.rule("C-19")
@pytest.mark.rule("ACC-46")
@pytest.mark.parametrize("case", TRANSITS["valid"], ids=lambda case: case["id"])
def test_a_transit_has_the_state_of_its_days(case: dict[str, Any]) -> None:
    """Orange, green or red by office-local days; a late close stays red with `closed_late`."""
    journey = Journey.from_json({"carnet": TRANSITS["carnet"], "transactions": case["rows"]})
    [transit] = report(journey, day_of(case["as_of"]))["transits"]
    assert (transit["state"], transit["closed_late"]) == (case["state"], case["closed_late"])


@pytest.mark.parametrize(("text", "encoded"), ITEMS["encoded"], ids=[f"{t[:12]}" for t, _ in ITEMS["encoded"]])
def test_items_have_one_encoding(text: str, encoded: str) -> None:
    """Ranges, or a bit string once there are more than 32 of them."""
    value = CODEC.dump(Items.parse(text))
    assert encode(value).hex() == encoded
    assert CODEC.load(decode(bytes.fromhex(encoded))) == Items.parse(text)


@pytest.mark.parametrize("encoded", ITEMS["not_encoded"])
def test_another_encoding_of_items_is_refused(encoded: str) -> None:
    with pytest.raises(Malformed):
        CODEC.load(decode(bytes.fromhex(encoded)))


@pytest.mark.rule("APP-11")
@pytest.mark.parametrize(("text", "shortest"), ITEMS["valid"])
def test_item_ranges_read_as_sets_and_print_shortest(text: str, shortest: str) -> None:
    assert str(Items.parse(text)) == shortest


@pytest.mark.parametrize("text", ITEMS["invalid"])
def test_item_ranges_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        Items.parse(text)


@pytest.mark.rule("APP-08")
@pytest.mark.parametrize("case", CODES["valid"], ids=lambda case: case["text"])
def test_a_code_has_its_check_symbol_and_keys(case: dict[str, Any]) -> None:
    """The check symbol, the printed form, and where given the keys Argon2id derives."""
    code = Code(CodeKind(case["kind"]), case["symbols"])
    assert (code.text, code.shown) == (case["text"], case["shown"])
    assert Code.read(code.kind, case["shown"]) == code
    if "wrap" in case:
        keys = code_keys(code, bytes.fromhex(case["ledger"]), case["carnet_id"])
        assert (keys.sign.public.hex(), keys.wrap.hex()) == (case["sign_public"], case["wrap"])


@pytest.mark.parametrize(("kind", "typed", "symbols"), CODES["read"])
def test_a_code_is_read_as_people_type_it(kind: str, typed: str, symbols: str) -> None:
    """Any case, I and L as 1, O as 0, separators ignored."""
    assert Code.read(CodeKind(kind), typed).symbols == symbols


@pytest.mark.parametrize(("kind", "typed", "why"), CODES["invalid"])
def test_a_mistyped_code_is_refused_and_not_repeated(kind: str, typed: str, why: str) -> None:
    with pytest.raises(WrongCode) as caught:
        Code.read(CodeKind(kind), typed)
    assert not typed or typed not in str(caught.value)


def test_no_swap_and_no_substitution_is_missed() -> None:
    """The check symbol catches every single substitution and every swap of neighbours."""
    text = Code(CodeKind.TRANSACTION, "PNH4CHCP4W45").text
    wrong = {text[:i] + c + text[i + 1 :] for i in range(13) for c in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"}
    wrong |= {text[:i] + text[i + 1] + text[i] + text[i + 2 :] for i in range(12)}
    for typed in wrong - {text}:
        with pytest.raises(WrongCode):
            Code.read(CodeKind.TRANSACTION, typed)


def _context(case: dict[str, Any]) -> Context:
    return Context(bytes.fromhex(case["ledger"]), case["carnet_id"], Label(case["label"]), case["slot"])


@pytest.mark.parametrize("case", SEALS["valid"], ids=lambda case: str(case["slot"]))
def test_sealing_gives_the_frozen_bytes(case: dict[str, Any]) -> None:
    key, salt, message = (bytes.fromhex(case[n]) for n in ("key", "salt", "message"))
    assert seal(key, _context(case), message, salt).hex() == case["sealed"]
    assert unseal(key, _context(case), bytes.fromhex(case["sealed"])) == message


@pytest.mark.parametrize("case", SEALS["valid"], ids=lambda case: str(case["slot"]))
def test_the_commitment_is_plain_hkdf(case: dict[str, Any]) -> None:
    """HKDF recomputed from HMAC alone (RFC 5869): salt, info and commitment are where the format says."""
    info = encode(["eata/v1/seal", 1, hashlib.sha256(_context(case).to_bytes()).digest()])
    prk = hmac.digest(bytes.fromhex(case["salt"]), bytes.fromhex(case["key"]), "sha256")
    first = hmac.digest(prk, info + b"\x01", "sha256")
    second = hmac.digest(prk, first + info + b"\x02", "sha256")
    assert bytes.fromhex(case["sealed"])[33:65] == second


@pytest.mark.parametrize("case", SEALS["invalid"], ids=lambda case: case["why"])
def test_an_altered_or_moved_seal_does_not_open(case: dict[str, Any]) -> None:
    with pytest.raises(CannotOpen):
        unseal(bytes.fromhex(case["key"]), _context(case), bytes.fromhex(case["sealed"]))


@pytest.mark.rule("U9")
@pytest.mark.parametrize("case", SCHEDULE["slots"], ids=lambda case: str(case["slot"]))
def test_the_key_schedule_is_frozen(case: dict[str, Any]) -> None:
    root, ledger, carnet_id = bytes.fromhex(SCHEDULE["root"]), bytes.fromhex(SCHEDULE["ledger"]), SCHEDULE["carnet_id"]
    journal = journal_key(root, ledger, carnet_id, case["slot"])
    assert (journal.hex(), leaf_key(journal).hex()) == (case["journal"], case["leaf"])
    for kind, name in ((CodeKind.TRANSACTION, "transaction_code"), (CodeKind.CANCELLATION, "cancellation_code")):
        assert Code.of_slot(kind, root, ledger, carnet_id, case["slot"]).text == case[name]


def test_a_journal_key_opens_the_past_and_nothing_later() -> None:
    """J_5 gives J_1 to J_5; there is no way to J_6 (domain §2.10)."""
    root = bytes.fromhex(SCHEDULE["root"])
    fifth = journal_key(root, bytes(32), 883, 5)
    for slot in range(1, 6):
        assert earlier(fifth, 5, slot) == journal_key(root, bytes(32), 883, slot)
    with pytest.raises(ValueError, match="earlier"):
        earlier(fifth, 5, 6)


@pytest.mark.parametrize("data", ENCODING["valid"])
def test_deterministic_cbor_is_read(data: str) -> None:
    assert encode(decode(bytes.fromhex(data), maps=True)).hex() == data


@pytest.mark.parametrize(("data", "why"), ENCODING["invalid"])
def test_any_other_cbor_is_refused(data: str, why: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(data), maps=True)
    with pytest.raises(Malformed):
        decode(bytes.fromhex(data))


def _tree() -> dict[tuple[int, int], bytes]:
    nodes: dict[tuple[int, int], bytes] = {}
    for n, leaf in enumerate(MERKLE["leaves"]):
        for level, number, digest in merkle.append(lambda k, i: nodes[k, i], n, bytes.fromhex(leaf)):
            nodes[level, number] = digest
    return nodes


def test_roots_and_proofs_are_those_of_certificate_transparency() -> None:
    nodes = _tree()

    def get(level: int, number: int) -> bytes:
        return nodes[level, number]

    assert merkle.EMPTY_ROOT.hex() == MERKLE["empty_root"]
    assert [merkle.root(get, n).hex() for n in range(1, 9)] == MERKLE["roots"]
    for case in MERKLE["inclusion"]:
        assert [h.hex() for h in merkle.inclusion(get, case["index"], case["size"])] == case["path"]
    for case in MERKLE["consistency"]:
        assert [h.hex() for h in merkle.consistency(get, case["old"], case["new"])] == case["path"]


def test_every_proof_verifies_and_no_altered_one_does() -> None:
    """All indexes and sizes up to 8; a flipped, cut, lengthened or moved proof proves nothing."""
    nodes = _tree()
    leaves, roots = [bytes.fromhex(x) for x in MERKLE["leaves"]], [merkle.EMPTY_ROOT.hex(), *MERKLE["roots"]]
    for size in range(1, 9):
        root = bytes.fromhex(roots[size])
        for index in range(size):
            path = merkle.inclusion(lambda k, i: nodes[k, i], index, size)
            assert merkle.root_from_inclusion(leaves[index], index, size, path) == root
            assert merkle.root_from_inclusion(leaves[index], index, size, [*path, bytes(32)]) != root
            assert not path or merkle.root_from_inclusion(leaves[index], index, size, path[:-1]) != root
            assert merkle.root_from_inclusion(leaves[index] + b"x", index, size, path) != root
        for old in range(size + 1):
            before = bytes.fromhex(roots[old])
            proof = merkle.consistency(lambda k, i: nodes[k, i], old, size)
            assert merkle.consistent(old, before, size, root, proof)
            assert not merkle.consistent(old, bytes(32), size, root, proof)
            assert not merkle.consistent(old, before, size, root, [*proof, bytes(32)])


@pytest.mark.parametrize("case", LEAVES["valid"])
def test_a_leaf_has_119_frozen_bytes(case: dict[str, Any]) -> None:
    facts = hashlib.sha256(bytes.fromhex(case["facts"])).digest()
    leaf = Leaf(
        case["index"], case["log_time"], bytes.fromhex(case["entry_hash"]), case["rules"], case["outcome"], facts,
        bytes.fromhex(case["effects_hash"]),
    )  # fmt: skip
    assert leaf.to_bytes().hex() == case["leaf"]
    assert Leaf.from_bytes(bytes.fromhex(case["leaf"])) == leaf


@pytest.mark.parametrize(("why", "data"), LEAVES["invalid"])
def test_anything_else_is_no_leaf(why: str, data: str) -> None:
    with pytest.raises(Malformed):
        Leaf.from_bytes(bytes.fromhex(data))


NODES = {bytes.fromhex(kid): bytes.fromhex(public) for kid, public in RECEIPTS["nodes"].items()}


@pytest.mark.parametrize("case", RECEIPTS["valid"], ids=lambda case: case["why"])
def test_a_receipt_counts_each_known_signer_once(case: dict[str, Any]) -> None:
    statement = Statement.from_bytes(bytes.fromhex(case["statement"]))
    assert len(statement.signers(NODES)) == case["signers"]
    assert statement.claim.leaf.to_bytes().hex() == case["leaf"]


@pytest.mark.parametrize(("why", "data"), RECEIPTS["invalid"])
def test_a_malformed_receipt_is_refused(why: str, data: str) -> None:
    with pytest.raises(Malformed):
        Statement.from_bytes(bytes.fromhex(data))


@pytest.mark.parametrize(("why", "public", "signature", "message"), SIGNATURES["valid"])
def test_a_good_signature_verifies(why: str, public: str, signature: str, message: str) -> None:
    assert verify(bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message))


@pytest.mark.parametrize(("why", "public", "signature", "message"), SIGNATURES["invalid"])
def test_what_others_accept_the_one_verify_refuses(why: str, public: str, signature: str, message: str) -> None:
    """A mix of verifiers would fork replicas (docs/formats.md)."""
    assert not verify(bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message))


@pytest.mark.parametrize("public", SIGNATURES["weak_keys"])
def test_weak_keys_are_refused_at_registration(public: str) -> None:
    assert not acceptable(bytes.fromhex(public))


def test_the_two_watch_ciphertext_opens_under_one_key_only() -> None:
    """Plain GCM takes it under both keys; the committed seal under the one it names (docs/formats.md)."""
    case = SEALS["two_watches"]
    sealed, context = bytes.fromhex(case["sealed"]), _context(case)
    for cipher_key in case["cipher_keys"]:
        AESGCM(bytes.fromhex(cipher_key)).decrypt(bytes(12), sealed[65:], None)
    assert unseal(bytes.fromhex(case["key"]), context, sealed) == bytes.fromhex(case["message"])
    for key, data in ((case["other_key"], sealed), (case["key"], bytes.fromhex(case["sealed_for_other"]))):
        with pytest.raises(CannotOpen):
            unseal(bytes.fromhex(key), context, data)


def test_a_node_stays_down_where_verify_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test takes this machine's libsodium, and refuses one that accepts everything or nothing."""
    selftest.check_verify()
    for answer in (True, False):
        monkeypatch.setattr(selftest, "verify", lambda *_, a=answer: a)
        with pytest.raises(RuntimeError, match="stays down"):
            selftest.check_verify()


@pytest.mark.rule("C-27")
@pytest.mark.rule("APP-08")
def test_a_verification_code_is_the_same_from_both_sides() -> None:
    """Nodes have their keys and the voucher's public one, the wallet the other halves; another slot gives another."""
    case = CODES["verification"]
    secret, public = (bytes.fromhex(case[name]) for name in ("verify_secret", "verify_public"))
    of = Occurrence(
        bytes.fromhex(case["ledger"]), case["carnet_id"], case["slot"], bytes.fromhex(case["declaration"]), case["outcome"]
    )  # fmt: skip
    shares = {node["name"]: share(bytes.fromhex(node["secret"]), public, of) for node in case["nodes"]}
    assert {name: found and found.hex() for name, found in shares.items()} == {
        n["name"]: n["share"] for n in case["nodes"]
    }
    by_nodes = verification_code(found for name, found in shares.items() if found and name in case["signers"])
    assert by_nodes.text == case["code"]
    nodes = [(node["name"], bytes.fromhex(node["public"])) for node in case["nodes"]]
    assert verified_by(by_nodes, secret, nodes, case["enough"], of) == tuple(case["signers"])
    for other in (replace(of, slot=6), replace(of, outcome=1)):
        assert verified_by(by_nodes, secret, nodes, case["enough"], other) == ()
    assert verified_by(by_nodes, bytes(range(32)), nodes, case["enough"], of) == ()


def test_fewer_than_half_of_the_nodes_make_no_verification_code() -> None:
    """One node of three, with its own share as often as it likes: the wallet takes none of it."""
    case = CODES["verification"]
    secret, nodes = (
        bytes.fromhex(case["verify_secret"]),
        [(n["name"], bytes.fromhex(n["public"])) for n in case["nodes"]],
    )
    of = Occurrence(
        bytes.fromhex(case["ledger"]), case["carnet_id"], case["slot"], bytes.fromhex(case["declaration"]), case["outcome"]
    )  # fmt: skip
    alone = bytes.fromhex(case["nodes"][0]["share"])
    for shares in ([alone], [alone, alone], [alone, bytes(32)]):
        assert verified_by(verification_code(shares), secret, nodes, case["enough"], of) == ()


@pytest.mark.parametrize("public", CODES["verification"]["refused"])
def test_a_verify_key_of_small_order_gets_no_code(public: str) -> None:
    of = Occurrence(bytes(32), 883, 1, bytes(32), 0)
    assert share(bytes(range(1, 33)), bytes.fromhex(public), of) is None
