"""Field cases of the command line: odd bytes, closed streams, foreign alphabets, wrong places. A code each, never INTERNAL."""

import json
import os
import random
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from eata_ledger.proof.qr import receipt_text
from eata_node.ground.config import ClusterFile
from eata_node.operator.cluster import create

from tests.office import EATA

JOURNEY = {
    "carnet": {"number": "CHTA1", "home": "CH", "items": 3, "issued": "2026-06-01", "valid_until": "2026-11-30"},
    "transactions": [
        {"kind": "VALIDATION", "at": "2026-06-02T10:00", "territory": "CH", "declared": "1-3"},
        {
            "kind": "EXPORTATION",
            "at": "2026-06-02T10:05",
            "territory": "CH",
            "declared": "1 2\u00a03",
            "final_date": "",
        },
    ],
}


def eata(
    *arguments: str | bytes, given: bytes | None = b"", environment: dict[str, str] | None = None, umask: int = 0o022
) -> subprocess.CompletedProcess[bytes]:
    """`given` None: standard input is closed."""
    closed = ("sh", "-c", 'exec "$0" "$@" <&-') if given is None else ()
    return subprocess.run(
        [*closed, str(EATA), *arguments], capture_output=True, input=given, timeout=120, check=False, umask=umask,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip


def code(done: subprocess.CompletedProcess[bytes]) -> str:
    """What stands before the colon of the error's line."""
    return done.stderr.decode().strip().split("\n")[-1].partition(":")[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster's folder; nothing of it runs."""
    folder: Path = tmp_path_factory.mktemp("place") / "home"
    create(folder, "test", first_id=883)
    return folder


def test_a_mark_before_a_text_is_no_part_of_it(tmp_path: Path) -> None:
    """C12, C1: a journey saved with a byte order mark, numbers apart by a no-break space."""
    file = tmp_path / "journey.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(JOURNEY).encode())
    done = eata("reconcile", str(file), "--as-of", "2026-12-01", "--json")
    assert json.loads(done.stdout)["reasons"] == [{"kind": "MISSING_REIMPORTATION", "territory": "CH", "items": "1-3"}]
    file.write_bytes(b"\xff\xfe{}")
    assert code(eata("reconcile", str(file))) == "MALFORMED"


def test_a_terminal_with_another_alphabet_shows_what_it_can(tmp_path: Path) -> None:
    """C17: a cluster made where standard output is Latin-1."""
    where = tmp_path / "home"
    done = eata("init", "--home", str(where), environment={"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"})
    assert (done.returncode, b"INTERNAL" in done.stderr) == (0, False), done.stderr


def test_an_empty_place_is_no_place(tmp_path: Path) -> None:
    """C16, C23: EATA_HOME set to nothing; with an open umask nobody else may read or write what is made."""
    here = tmp_path / "here"
    here.mkdir()
    done = subprocess.run(
        [str(EATA), "init"], capture_output=True, cwd=here, check=False, timeout=120,
        env={**os.environ, "EATA_HOME": "", "HOME": str(tmp_path)}, umask=0,
    )  # fmt: skip
    assert (done.returncode, list(here.iterdir())) == (0, []), done.stderr
    made = list((tmp_path / ".local" / "share" / "eata").rglob("*"))
    assert made
    assert not [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077], "others may read it"


def test_an_address_is_one(tmp_path: Path) -> None:
    assert code(eata("init", "--endpoints", "foo", "--home", str(tmp_path / "home"))) == "VALUE"
    assert not (tmp_path / "home").exists()


def test_a_port_that_another_has_is_named_and_nothing_moves(home: Path) -> None:
    """C21: the member list stays byte for byte."""
    before, address = (home / "cluster.json").read_bytes(), ClusterFile.read(home).node("tokyo").public
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(address.rpartition(":")[2])))
        done = eata("up", "--home", str(home))
    assert code(done) == "PORT_TAKEN"
    assert f"tokyo at {address}".encode() in done.stderr
    assert (home / "cluster.json").read_bytes() == before


def test_a_number_of_another_process_is_no_member(home: Path) -> None:
    """C20, C22, C25: this test's own pid stands in cluster.json; nobody ends it."""
    cluster = ClusterFile.read(home)
    cluster.node("tokyo").pid = os.getpid()
    cluster.write(home)
    assert code(eata("stop", "tokyo", "--home", str(home))) == "NOT_RUNNING"
    assert code(eata("down", "--all", "--home", str(home))) == "NOT_RUNNING"
    assert eata("status", "--home", str(home), "--json").returncode == 1


def test_what_cannot_be_read_is_not_told_as_not_good(tmp_path: Path) -> None:
    """C13: a receipt's text with a mark, an empty line, quotes; and one that is cut."""
    trust, file = tmp_path / "trust", tmp_path / "receipt.txt"
    trust.write_bytes(b"")
    for text in (b"EATA1:R:", receipt_text(b"nonsense").encode(), b'\xef\xbb\xbf\n "EATA1:R:ABC"\n', b""):
        file.write_bytes(text)
        done = eata("receipt", "verify", str(file), "--trust", str(trust))
        assert code(done) == "RECEIPT_UNREADABLE", done.stderr


ODD = (
    b"",
    b"\n",
    b"\xff\n",
    b"\xef\xbb\xbf883 ABC\n",
    b"x" * 100_000 + b"\n",
    b"883 \x00\x1b[2J\n",
    "883 \u202e\n".encode(),
    None,
)
COMMANDS: tuple[tuple[str | bytes, ...], ...] = (
    ("wallet", "download"), ("wallet", "sign", "883"), ("wallet", "qr", "883", "900"), ("wallet", "admit"),
    ("wallet", "travel", "883", "--to", b"\xff\xfe"), ("customs", "scan"), ("customs", "commit", "--items", "\u2014"),
    ("customs", "booth"), ("desk",), ("reconcile", b"\xff"), ("plan", "--home", "\u00df", "--itinerary", "DE"),
    ("receipt", "verify", "/dev/null", "--trust", "/dev/null"), ("opener", "recover"), ("visible", "/dev/zero", "--viewer", "X"),
    ("audit", "--node", "\n"), ("registry", "announce", "CH", "--digital-from", "99"), ("checklist", "/dev/full"),
)  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_odd_bytes_end_in_codes(tmp_path: Path, home: Path, seed: int) -> None:
    """Each command with something odd on its standard input, in a folder with damaged files: a code, a sentence, advice."""
    chance = random.Random(seed)
    folder = tmp_path / "client"
    (folder / "outbox").mkdir(parents=True)
    for name in ("outbox/00.entry", "desk.cbor", "trust.cbor", "log-time", "883.keys", "registry", "party.cbor"):
        (folder / name).write_bytes(chance.choice((b"", b"\0", b"\xff" * 40)))
    network = tmp_path / "network.json"
    network.write_bytes(chance.choice((b"", b"{", b"\xef\xbb\xbf[]")))
    places = {"EATA_CLIENT_HOME": str(folder), "EATA_NETWORK": str(network), "EATA_HOME": str(home)}
    for command in COMMANDS:
        done = eata(*command, given=chance.choice(ODD), environment=places)
        told = (command, done.returncode, done.stderr[-300:])
        assert done.returncode in (0, 1, 2), told
        assert b"Traceback" not in done.stderr, told
        assert b"INTERNAL" not in done.stderr, told
