"""The commands others build on: exact JSON, exit codes, one line for a person, never a stack trace."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from eata_node.engine.members import Members, assign
from eata_node.ground.config import ClusterFile, read_genesis

from scripts import debian

EATA = Path(sys.executable).with_name("eata")
VECTORS = Path(__file__).parents[1] / "vectors"
VISIBILITY, PLANNER = (json.loads((VECTORS / f"{n}.json").read_text())["valid"] for n in ("visibility", "planner"))
JOURNEYS: list[dict[str, Any]] = json.loads((VECTORS / "journeys.json").read_text())["valid"]


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "EATA_ETCD": os.environ.get("EATA_ETCD", "")}


def eata(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(EATA), *arguments],
        capture_output=True,
        text=True,
        input=given,
        timeout=240,
        env=environment(),
        check=False,
    )


@pytest.mark.rule("ACC-55")
@pytest.mark.parametrize("case", [c for c in JOURNEYS if c["id"] in ("883", "885", "D7")], ids=lambda c: c["id"])
def test_reconcile_prints_the_documented_json(case: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "journey.json"
    for expected in case["expected"]:
        file.write_text(json.dumps({**case["journey"], "as_of": expected["as_of"]}))
        done = eata("reconcile", str(file), "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert set(found) == {"status", "reasons", "transits"}
        assert (found["status"], found["reasons"]) == (expected["status"], expected["reasons"])


@pytest.mark.rule("U4")
def test_evidence_names_what_answers_a_claim_and_what_nothing_does(tmp_path: Path) -> None:
    """884: ten items came back through the EU's own desk, ten are missing both ways."""
    file = tmp_path / "journey.json"
    case = next(c for c in JOURNEYS if c["id"] == "884")
    file.write_text(json.dumps(case["journey"]))
    found = json.loads(eata("evidence", str(file), "--json").stdout)
    assert [(c["kind"], c["items"], c["missing"]) for c in found["claims"]] == [
        ("MISSING_REEXPORTATION", "11-20", "11-20"), ("MISSING_REIMPORTATION", "11-20", "11-20"),
    ]  # fmt: skip
    assert found["lodge_by"] == "2022-06-07"


@pytest.mark.rule("ACC-57")
def test_visible_prints_a_bare_list_of_numbers(tmp_path: Path) -> None:
    """Countries of a territory will do; a stranger sees the final return alone."""
    [case] = [c for c in VISIBILITY if c["id"] == "ch-eu-us-ch"]
    file = tmp_path / "journey.json"
    file.write_text(json.dumps(case["journey"]))
    for viewer, numbers in case["expected"].items():
        assert json.loads(eata("visible", str(file), "--viewer", viewer, "--json").stdout) == numbers


@pytest.mark.rule("GTP-04")
@pytest.mark.parametrize("case", PLANNER, ids=lambda c: c["id"])
def test_plan_prints_the_documented_json(case: dict[str, Any]) -> None:
    arguments = ["--home", case["home"], "--itinerary", ",".join(case["itinerary"]), "--date", case["date"]]
    if case["transit"]:
        arguments += ["--transit", ",".join(case["transit"])]
    for country, day in case.get("begun", {}).items():
        arguments += ["--begun", f"{country}:{day}"]
    assert json.loads(eata("plan", *arguments, "--json").stdout) == case["expected"]


@pytest.mark.parametrize(
    "arguments", [["--itinerary", "ZZ"], ["--itinerary", ""], ["--itinerary", "DE", "--date", "x"]]
)
def test_a_plan_that_makes_no_sense_gets_one_line(arguments: list[str]) -> None:
    done = eata("plan", "--home", "CH", *arguments, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "MALFORMED")


def test_reconcile_takes_another_day(tmp_path: Path) -> None:
    file = tmp_path / "journey.json"
    file.write_text(json.dumps({**JOURNEYS[0]["journey"], "as_of": "2021-06-04"}))
    assert json.loads(eata("reconcile", str(file), "--as-of", "2021-06-03", "--json").stdout)["status"] == "N/A"
    assert eata("reconcile", str(file)).stdout.startswith("To check\n")


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 50_000, '{"carnet": {"items": 1e999}}', "1" * 6000, "\x00"])
def test_a_bad_file_gets_one_line_and_no_trace(content: str, tmp_path: Path) -> None:
    file = tmp_path / "journey.json"
    file.write_text(content)
    for arguments in (("reconcile", str(file)), ("receipt", "verify", str(file), "--trust", str(file))):
        done = eata(*arguments)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr + done.stdout
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_missing_file_and_a_folder_are_errors_for_people(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        done = eata("reconcile", str(path), "--json")
        assert done.returncode == 1
        assert json.loads(done.stdout)["error"]["code"] == "FILE"
        assert "Traceback" not in done.stderr


def test_a_damaged_picture_is_no_receipt(tmp_path: Path) -> None:
    picture = tmp_path / "receipt.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    done = eata("receipt", "verify", str(picture), "--trust", str(picture))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_codes_are_never_arguments() -> None:
    """Secrets come by standard input: no command has an option or argument for a code or PIN."""
    for command in (("wallet", "download"), ("customs", "scan"), ("customs", "commit")):
        shown = eata(*command, "--help").stdout.lower()
        assert "--pin" not in shown
        assert "--code" not in shown


@pytest.mark.parametrize("command", [("customs", "reject"), ("customs", "hold", "883"), ("customs", "commit")])
def test_what_is_sealed_comes_from_a_file(command: tuple[str, ...], tmp_path: Path) -> None:
    """A list of processes shows arguments: a reason there is refused as no file."""
    done = eata(*command, "--home", str(tmp_path), "--network", str(tmp_path), "--reason", "smells of contraband")
    assert done.returncode == 2
    assert "a text file is wanted" in done.stderr.replace("\n", " ")


def test_every_command_explains_itself() -> None:
    shown = eata("--help")
    assert shown.returncode == 0
    for command in ("reconcile", "receipt", "audit", "wallet", "customs", "init", "up", "status", "nics"):
        assert command in shown.stdout


@pytest.mark.timeout(600)
@pytest.mark.rule("CORE-03")
@pytest.mark.rule("APP-26")
@pytest.mark.rule("CORE-01")
@pytest.mark.rule("CORE-08")
@pytest.mark.rule("PRX-01")
@pytest.mark.rule("PRX-02")
@pytest.mark.rule("OBJ-06")
@pytest.mark.rule("APP-10")
@pytest.mark.rule("APP-15")
@pytest.mark.parametrize(
    ("how", "statuses", "commits"),
    [
        (["--short"], ["To check", "Terminated"], 13),
        pytest.param([], ["To check", "To check", "Terminated", "Terminated"], 25, marks=pytest.mark.slow),
    ],
)
def test_the_demo_tells_its_story(how: list[str], statuses: list[str], commits: int, tmp_path: Path) -> None:
    """The demo: exact JSON shape, no loss, six equal roots, every receipt good."""
    out = tmp_path / "result.json"
    environment = {**os.environ, "EATA_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.journeys", "--json", str(out), "--out", str(tmp_path / "report"), *how],
        capture_output=True, text=True, timeout=580, env=environment, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert set(found) == {"carnets", "replicas", "commits", "lost", "p50_ms", "p99_ms", "receipts"}
    assert [c["status"] for c in found["carnets"]] == statuses
    assert {c["status_on_last_day"] for c in found["carnets"]} == {"N/A"}
    assert (len({r["root"] for r in found["replicas"]}), len(found["replicas"]), found["lost"]) == (1, 6, 0)
    assert out.read_text().count('"root"') == 6
    assert found["commits"] == len(found["receipts"]) == commits
    assert all(receipt["good"] for receipt in found["receipts"])
    page = (tmp_path / "report" / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert page.count("data:image/png;base64,") == commits


def test_a_nodes_leaked_keys_are_replaced_by_three_of_five_and_nothing_is_lost() -> None:
    """The drill on a cluster of its own: the root signs at three desks, five nodes go on, the sixth comes back."""
    done = subprocess.run(
        [str(EATA), "drill", "leaked-node-key", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["nodes_before"], data["nodes_between"], data["nodes_after"]) == (6, 5, 6)
    assert (data["leaked_counts"], data["lost"], data["committed"]) == (0, 0, 2)


def test_up_says_at_once_which_member_has_ended(tmp_path: Path) -> None:
    """A passphrase that opens no key: one sentence, what to do, nothing left running."""
    home = tmp_path / "home"
    assert eata("init", "--home", str(home)).returncode == 0
    (home / "passphrase").write_text("another one")
    done = eata("up", "--home", str(home))
    assert done.returncode == 1
    assert "MEMBER_ENDED" in done.stderr
    assert "Traceback" not in done.stderr


def test_init_prepares_an_etcd_of_ones_own(tmp_path: Path) -> None:
    """Each member's certificate, for the name or address it is reached at; no even number of voters is made."""
    home = tmp_path / "home"
    assert eata("init", "--home", str(home), "--endpoints", "a.example:2379, 192.0.2.7:2379").returncode == 0
    assert ClusterFile.read(home).endpoints == ["a.example:2379", "192.0.2.7:2379"]
    names = [
        x509.load_pem_x509_certificate((home / "etcd" / f"voter-{n}" / "tls.pem").read_bytes())
        .extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for n in (1, 2)
    ]  # fmt: skip
    assert "a.example" in names[0].get_values_for_type(x509.DNSName)
    assert "192.0.2.7" in map(str, names[1].get_values_for_type(x509.IPAddress))
    refused = eata("init", "--home", str(tmp_path / "other"), "--engine", "etcd", "--voters", "4")
    assert refused.returncode == 1
    assert "VALUE" in refused.stderr


def test_up_on_etcd_says_that_a_passphrase_opens_no_key(tmp_path: Path) -> None:
    debian.etcd()
    home = tmp_path / "home"
    assert eata("init", "--home", str(home), "--engine", "etcd").returncode == 0
    (home / "passphrase").write_text("another one")
    done = eata("up", "--home", str(home))
    assert done.returncode == 1
    assert "PASSPHRASE_WRONG" in done.stderr


def test_up_runs_on_an_etcd_of_ones_own_and_leaves_it_running(tmp_path: Path) -> None:
    """Its members are somebody else's; what has been ordered there is not moved to another engine by a word."""
    debian.etcd()
    home = tmp_path / "home"
    assert eata("init", "--home", str(home)).returncode == 0
    members = Members(home, assign(3), read_genesis(home).ledger, 64 << 20)
    members.start_all()
    try:
        up = subprocess.Popen(
            [str(EATA), "up", "--home", str(home), "--endpoints", ",".join(members.endpoints)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(),
        )  # fmt: skip
        assert up.stdout is not None
        assert up.stdout.readline().startswith("Up.")
        found = json.loads(eata("status", "--home", str(home), "--json").stdout)
        assert (found["engine"]["engine"], found["engine"]["state"]) == ("etcd", "LIVE")
        assert [row["state"] for row in found["replicas"]] == ["FOLLOWING"] * 6
        up.send_signal(signal.SIGTERM)
        up.wait(60)
        up.stdout.close()
        assert all(process.poll() is None for process in members.processes.values())
        moved = eata("up", "--home", str(home), "--engine", "embedded")
        assert moved.returncode == 1
        assert "ENGINE_IN_USE" in moved.stderr
    finally:
        members.stop_all()


@pytest.mark.parametrize(
    "name",
    [
        "lost-region",
        pytest.param("divergence", marks=pytest.mark.slow),
        pytest.param("quorum", marks=pytest.mark.slow),
        pytest.param("full-disk", marks=pytest.mark.slow),
    ],
)
def test_a_drill_loses_nothing(name: str) -> None:
    """Each on a cluster of its own: a node and its disk, a replica that differs, the engine, a full disk."""
    done = eata("drill", name, "--json")
    data = json.loads(done.stdout)
    if name == "full-disk" and data.get("error", {}).get("code") == "NOT_HERE":
        pytest.skip("this user may not mount a small disk")
    assert done.returncode == 0, done.stderr
    assert data["lost"] == 0
    assert data["committed"] >= 6
    assert data["recovered_ms"] < 60_000
