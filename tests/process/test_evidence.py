"""Evidence that stands without us: a bundle and a single file that checks it; forks shown from two trust files."""

import ast
import asyncio
import copy
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eata_clients.holder.evidence import collect, pack
from eata_clients.trust import verify_bundle as verify
from eata_clients.trust.trust_file import TrustKeeper, fetch_trust
from eata_ledger.encoding import decode, encode
from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.checkpoint import Checkpoint, note, signature_lines
from eata_node.ground.config import read_locked
from eata_node.operator.commands import write_network
from typer.testing import CliRunner

from tests.process.scene import Scene, scene

__all__ = ["scene"]


@pytest.mark.rule("U4")
@pytest.mark.rule("NICS-11")
async def test_a_bundle_is_checked_by_one_file_with_no_network(scene: Scene, tmp_path: Path) -> None:
    """Run alone, in another folder, with nothing of this project to be imported."""
    await scene.commit(1, "CH-ZRH")
    await scene.commit(2, "CH-ZRH")
    bundle = await collect(scene.wallet, scene.public, scene.carnet_id, lambda done, total: None)
    (tmp_path / "bundle.zip").write_bytes(pack(bundle))
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path)
    ledger = scene.mesh.genesis.ledger.hex()
    arguments = [sys.executable, "-I", "verify.py", "bundle.json", ledger]
    done = await asyncio.to_thread(subprocess.run, arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "VALIDATION 1-20 CH CH-ZRH LIVE" in lines[0]
    assert lines[-1].startswith("good: 2 transactions")
    wrong = await asyncio.to_thread(
        subprocess.run, [*arguments[:-1], "00" * 32], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, wrong.stdout.startswith("NOT GOOD: the genesis")) == (1, True)
    for name, lie in LIES:
        forged = copy.deepcopy(bundle)
        lie(forged)
        with pytest.raises((verify.Wrong, ValueError, KeyError, TypeError, IndexError)):
            pytest.fail(f"{name}: {verify.check_bundle(forged, scene.mesh.genesis.ledger)}")


def _flip(text: str, at: int) -> str:
    data = bytearray(bytes.fromhex(text))
    data[at] ^= 1
    return data.hex()


def _unsigned(text: str) -> str:
    """The statement with no signature at all: its leaf is proved, its standing is not."""
    outer = decode(bytes.fromhex(text), maps=True)
    assert isinstance(outer, list)
    return encode([*outer[:3], []]).hex()


def _set(*path: Any, to: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def lie(bundle: Any) -> None:
        for step in path[:-1]:
            bundle = bundle[step]
        bundle[path[-1]] = to(bundle[path[-1]])

    return lie


LIES: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("another form", _set("format", to=lambda _: "eata-evidence-2")),
    ("genesis", _set("genesis", to=lambda text: _flip(text, 20))),
    ("a checkpoint of three", _set("checkpoint", to=lambda text: "".join(
        part + ("" if n else "\n\n") for n, part in enumerate(
            [text.partition("\n\n")[0], "".join(f"{line}\n" for line in text.partition("\n\n")[2].splitlines()[:3])])))),
    ("another size", _set("checkpoint", to=lambda text: text.replace(text.split("\n")[1], "9", 1))),
    ("another tree path", _set("transactions", 0, "inclusion", 0, to=lambda text: _flip(text, 3))),
    ("a path cut short", _set("transactions", 0, "inclusion", to=lambda path: path[:-1])),
    ("a path extended", _set("transactions", 0, "inclusion", to=lambda path: [*path, path[0]])),
    ("other facts", _set("transactions", 0, "statement", to=lambda text: text.replace(b"1-20".hex(), b"1-29".hex()))),
    ("another header", _set("transactions", 0, "header", to=lambda text: _flip(text, -3))),
    ("a key that does not open", _set("transactions", 0, "counterfoil", "key", to=lambda text: _flip(text, 0))),
    ("another counterfoil", _set("transactions", 0, "counterfoil", "part", to=lambda text: _flip(text, -1))),
    ("one transaction twice", _set("transactions", to=lambda rows: [rows[0], rows[0]])),
    ("nobody's word that it stands", _set("transactions", 0, "statement", to=lambda text: _unsigned(text))),
    ("another index", _set("transactions", 0, "index", to=lambda index: index + 1)),
    ("trailing bytes", _set("transactions", 0, "statement", to=lambda text: text + "00")),
]  # fmt: skip


def test_the_verifier_needs_only_python_and_cryptography() -> None:
    tree = ast.parse(Path(verify.__file__).read_text(encoding="utf-8"))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


async def test_two_trees_of_one_size_show_who_signed_both(scene: Scene, tmp_path: Path) -> None:
    """Four nodes' stolen statement keys sign another root: the two trust files together prove it."""
    from eata_clients.commands.prove import _read, _signed

    registry = await scene.wallet.registry()
    good = await fetch_trust(scene.public, registry)
    told = signature_lines(good.checkpoint)[0]
    other = Checkpoint(told.origin, told.size, bytes(32))
    nodes = scene.mesh.genesis.nodes[:4]
    keys = [SigningKey(read_locked(scene.people.home / "nodes" / n.name / "statement.key")) for n in nodes]
    forged_note = note(other, [(node, other.sign(key)) for node, key in zip(nodes, keys, strict=True)])
    from dataclasses import replace

    forged = replace(good, checkpoint=forged_note)
    for name, trust in (("good", good), ("forged", forged)):
        (tmp_path / name).write_bytes(trust.to_bytes())
    network = write_network(scene.people.home)
    pairs = [_signed(_read(tmp_path / name, network)) for name in ("good", "forged")]
    assert pairs[0][0].root != pairs[1][0].root
    from eata_clients.cli import build

    arguments = ["prove", "fork", str(tmp_path / "good"), str(tmp_path / "forged"), "--network", str(network), "--json"]
    done = CliRunner().invoke(build(), arguments)
    data = json.loads(done.stdout)
    assert (done.exit_code, data["fork"]) == (0, True)
    assert set(data["nodes"]) == pairs[0][1] & pairs[1][1]
    same = CliRunner().invoke(build(), [*arguments[:3], str(tmp_path / "good"), *arguments[4:]])
    assert (same.exit_code, json.loads(same.stdout)["fork"]) == (1, False)
    keeper = TrustKeeper(tmp_path / "desk", scene.mesh.genesis.ledger)
    (tmp_path / "desk").mkdir()
    keeper.keep(good)
    with pytest.raises(Exception, match="two trees"):
        keeper.keep(forged)
