"""Terminals as their users have them: an issuer without a system, anybody at the registry, an officer, an operator's drill."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from tests.office import EATA, Office, number, order


@pytest.mark.rule("NICS-09")
@pytest.mark.rule("APP-27")
def test_an_issuer_without_a_system_works_from_its_terminal(office: Office, tmp_path: Path) -> None:
    """Draft, issue, read, discharge: `eata issuer` is the generic platform."""
    home = office.cluster.home / "offices" / "CH-ALLIANCE"
    file = tmp_path / "order.json"
    file.write_text(json_format.MessageToJson(order(request_id="cli", number=number(10))))

    def eata(*arguments: str) -> Any:
        done = subprocess.run(
            [str(EATA), *arguments, "--gateway", office.address, "--home", str(home), "--json"],
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert eata("issuer", "validate", str(file))["problems"] == []
    eata("issuer", "draft", str(file), "--id", "cli")
    issued = eata("issuer", "drafts", "--issue", "cli")
    assert (issued["number"], issued["format"]["use_case"]) == (number(10), 3)
    assert eata("issuer", "transactions", number(10))["transactions"] == []
    assert eata("issuer", "sets", number(10), "--add", "EXPORT=2", "--request-id", "c1")["index"]
    ended = eata("issuer", "cancel", number(10), "--request-id", "c2")
    assert ended["carnet_id"] == issued["carnet_id"]


@pytest.mark.rule("GTP-12")
@pytest.mark.rule("C-06")
@pytest.mark.rule("ACC-72")
@pytest.mark.rule("ACC-61")
def test_the_public_registry_is_read_by_anybody(office: Office) -> None:
    """Readiness, offices with their fields, regions, acceptance, voucher sets, news, directory: no certificate."""

    def registry(what: str) -> Any:
        network = str(office.cluster.home / "network.json")
        done = subprocess.run(
            [str(EATA), "registry", what, "--network", network, "--json"],
            capture_output=True, text=True, timeout=240, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    readiness = registry("readiness")
    assert {t["territory"]: t["digital"] for t in readiness["territories"]}["EU"] is True
    assert readiness["where_digital"].startswith("Paper ATA carnets may be used only")
    zurich = next(o for o in registry("offices") if o["code"] == "CH-ZRH")
    assert (zurich["region"], zurich["latitude"], zurich["types"]) == (
        "CH-NORD",
        47.4582,
        ["ADMINISTRATIVE", "AIRPORT"],
    )
    assert [r["code"] for r in registry("regions")] == ["CH-NORD", "XS-ALL"]
    assert {a["territory"] for a in registry("acceptance")} == {"CH", "EU", "XS", "XB"}
    assert {(v["type"], v["home"]) for v in registry("sets")} == {("ATA", None), ("ATA", "US"), ("CPD_TW", None)}
    assert [n["key"] for n in registry("news")] == ["2026-06-live"]
    assert [d["key"] for d in registry("directory")] == ["CH-ALLIANCE"]


@pytest.mark.rule("ACC-20")
@pytest.mark.rule("ACC-22")
@pytest.mark.rule("ACC-23")
def test_an_officer_at_a_terminal_needs_three_enters(office: Office, tmp_path: Path) -> None:
    """A wedge scanner types the code; verdict, goods, commit, final. Nothing else is asked."""
    home = office.cluster.home
    desk, wallet, network = home / "offices" / "CH", tmp_path / "wallet", ("--network", str(home / "network.json"))
    issued = office.issue(order(request_id="desk", number=number(9)))

    def eata(*arguments: str, given: str = "") -> str:
        return subprocess.run(
            [str(EATA), *arguments, *(() if arguments[1:2] == ("qr",) else network)],
            capture_output=True,
            text=True,
            input=given,
            timeout=240,
            check=True,
        ).stdout

    identity = str(issued.carnet_id)
    eata("wallet", "download", "--home", str(wallet), given=f"{identity} {issued.pin}\n")
    eata("wallet", "sign", identity, "--accept-terms", "--home", str(wallet), given=f"{issued.pin}\n")
    eata(
        "wallet",
        "travel",
        identity,
        "--voucher",
        "VALIDATION:CH:1",
        "--voucher",
        "EXPORTATION:CH:1",
        "--home",
        str(wallet),
    )
    first, second = (eata("wallet", "qr", identity, slot, "--home", str(wallet)).strip() for slot in "12")
    eata(
        "customs", "sign-in", "--office", "CH-ZRH", "--authority", str(desk / "desk-authority.key"), "--home", str(desk)
    )
    said = eata(
        "desk",
        "--home",
        str(desk),
        given=f"{second}\n\n{first}\n\n5\n1;;x\n1\n\nf 31/12\n\n{second}\nr\n\nno seal\n{first}\n\nnonsense\nq\n",
    )
    assert "5: not on this carnet, which lists items 1" in said  # C6: asked again, the scan goes on
    assert "is not an item number or range" in said
    assert "A reason is needed; q goes back." in said
    assert "STOP" in said
    assert "NOT_VALIDATED" in said
    assert "GO" in said
    assert "Muster AG" in said
    assert re.search(r"● final, signed by [4-6] of 6 nodes, \d+ ms", said)
    assert "Rejected" in said
    assert "CODE_CONSUMED" in said
    assert "Traceback" not in said


def test_a_leaked_desk_key_is_revoked_everywhere_and_desks_work_again(office: Office) -> None:
    """The drill as an operator runs it: six of six refuse, nothing committed is lost, a new authority goes on."""
    home = office.cluster.home
    done = subprocess.run(
        [str(EATA), "drill", "leaked-desk-key", "--network", str(home / "network.json"), "--offices",
         str(home / "offices"), "--json"],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (done.returncode, found["refused_by"], found["nodes"], found["lost"]) == (0, 6, 6, 0), done.stderr


def test_what_a_scanner_sends_after_its_code_answers_no_question(office: Office, tmp_path: Path) -> None:
    """C10: a wedge that ends with CR LF. The second line end comes before the verdict is shown: it does not accept it."""
    home = office.cluster.home
    desk, network = home / "offices" / "CH", str(home / "network.json")
    run = [str(EATA), "customs", "sign-in", "--office", "CH-ZRH", "--authority", str(desk / "desk-authority.key"),
           "--home", str(desk), "--network", network]  # fmt: skip
    subprocess.run(run, capture_output=True, timeout=240, check=True)
    terminal, inner = pty.openpty()
    counter = subprocess.Popen(
        [str(EATA), "desk", "--home", str(desk), "--network", network], stdin=inner, stdout=inner, stderr=inner
    )
    os.close(inner)
    said = b""
    try:
        for wanted, typed in ((b"scan \xe2\x96\xb8", b"o\r\nq\r\n"), (b"scan \xe2\x96\xb8", b"q\r\n")):
            said = _until(terminal, wanted)
            os.write(terminal, typed)
        assert counter.wait(60) == 0, "a line of its own ends it, one that was typed ahead does not"
    finally:
        counter.kill()
        counter.wait()
        os.close(terminal)
    assert said


def _until(terminal: int, wanted: bytes) -> bytes:
    """What a terminal shows until that is there."""
    shown = b""
    while wanted not in shown:
        shown += os.read(terminal, 4096)
    return shown
