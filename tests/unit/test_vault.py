"""Keys on disk are locked: what a thief with the files gets, what a person at a terminal is asked."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from eata_host.faults import Fault
from eata_host.vault import read_key, read_locked, write_locked
from eata_ledger.seal.aead import CannotOpen
from eata_ledger.seal.keystore import MAGIC, Vault

EATA = Path(sys.executable).with_name("eata")
ROOT = Path(__file__).parents[2]


def passphrase(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    path = folder / f"passphrase-{len(list(folder.glob('passphrase-*')))}"
    path.write_text(text)
    monkeypatch.setenv("EATA_PASSPHRASE_FILE", str(path))


def test_a_key_is_nowhere_in_its_file_and_only_the_passphrase_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passphrase(monkeypatch, tmp_path, "a good long one")
    key, path = os.urandom(32), tmp_path / "some.key"
    write_locked(path, key)
    data = path.read_bytes()
    assert (data.startswith(MAGIC), key in data, path.stat().st_mode & 0o777) == (True, False, 0o600)
    assert read_key(path) == key
    passphrase(monkeypatch, tmp_path, "another long one")
    with pytest.raises(Fault, match="does not open") as caught:
        read_locked(path)
    assert caught.value.code == "WRONG_PASSPHRASE"


def test_two_files_of_one_folder_share_no_keystream() -> None:
    vault = Vault(lambda: b"a good long one")
    first, second = vault.lock(bytes(64)), vault.lock(bytes(64))
    assert first[-80:] != second[-80:]
    assert Vault(lambda: b"a good long one").unlock(second) == bytes(64)
    with pytest.raises(CannotOpen):
        vault.unlock(first[:40] + second[40:])


def test_a_passphrase_is_asked_for_once_however_many_keys_there_are(tmp_path: Path) -> None:
    asked: list[int] = []

    def ask() -> bytes:
        asked.append(1)
        return b"a good long one"

    vault = Vault(ask)
    locked = [vault.lock(bytes([n])) for n in range(20)]
    assert [vault.unlock(data) for data in locked] == [bytes([n]) for n in range(20)]
    assert len(asked) == 1


@pytest.mark.rule("APP-04")
def test_a_passphrase_has_six_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passphrase(monkeypatch, tmp_path, "12345")
    with pytest.raises(Fault, match="at least 6"):
        write_locked(tmp_path / "some.key", bytes(32))
    passphrase(monkeypatch, tmp_path, "123456")
    write_locked(tmp_path / "some.key", bytes(32))


def at_terminal(answers: list[str], out: Path) -> tuple[int, str]:
    """`eata root new-key` at a real terminal where somebody types; (exit code, what the terminal showed)."""
    leader, follower = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "EATA_PASSPHRASE_FILE"} | {"HOME": str(out.parent)}
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", str(EATA), "root", "new-key", "--out", str(out)],
        stdin=follower, stdout=follower, stderr=follower, env={**environment, "EATA_HOME": str(out.parent / "none")},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    for answer in answers:
        asked = b""
        while not asked.rstrip().endswith(b":"):
            asked += os.read(leader, 1024)
        shown += asked
        os.write(leader, answer.encode() + b"\n")
    while True:
        try:
            read = os.read(leader, 1024)
        except OSError:  # the other side has closed
            break
        if not read:
            break
        shown += read
    os.close(leader)
    return process.wait(), shown.decode()


@pytest.mark.rule("APP-04")
def test_a_new_folders_passphrase_is_typed_twice_and_never_shown(tmp_path: Path) -> None:
    code, shown = at_terminal(["correct horse", "correct horse"], tmp_path / "root.key")
    assert (code, (tmp_path / "root.key").read_bytes().startswith(MAGIC)) == (0, True), shown
    assert "correct horse" not in shown
    code, shown = at_terminal(["correct horse", "correct house"], tmp_path / "other" / "root.key")
    assert (code, "PASSPHRASE_DIFFERS" in shown) == (1, True)
    assert not (tmp_path / "other" / "root.key").exists()


def test_with_nobody_there_the_command_says_what_to_do(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "EATA_PASSPHRASE_FILE"} | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [str(EATA), "root", "new-key", "--out", str(tmp_path / "k")], env={**environment, "EATA_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    assert (done.returncode, "PASSPHRASE_NEEDED" in done.stderr) == (1, True)


@pytest.mark.rule("CORE-12")
def test_every_test_that_the_threat_model_leans_on_is_there() -> None:
    import re

    named = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")))
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(named) >= 20
    assert named <= there
