"""Who is new is admitted from the command line, and offices are opened, described and closed by their administration."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.office import EATA, Office


def eata(office: Office, *arguments: str) -> Any:
    network = ("--network", str(office.cluster.home / "network.json"))
    done = subprocess.run(
        [str(EATA), "registry", *arguments, *network, "--json"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.rule("ACC-61")
@pytest.mark.rule("ACC-60")
def test_an_administration_opens_describes_and_closes_an_office(office: Office) -> None:
    home = ("--home", str(office.cluster.home / "offices" / "XS"))
    eata(office, "add-region", "XS-SUD", "--territory", "XS", "--name", "Syldavia South", *home)
    eata(office, "add-office", "XS-DBROX", "--territory", "XS", "--name", "Dbrox", "--zone", "Europe/Belgrade", *home)
    eata(office, "describe-office", "XS-DBROX", "--region", "XS-SUD", "--address", "Castle road 1", "--hours", "Mo-Fr 8-17",
         "--latitude", "45.5", "--longitude", "-20", "--type", "AIRPORT", *home)  # fmt: skip
    [found] = [one for one in eata(office, "offices") if one["code"] == "XS-DBROX"]
    assert (found["region"], found["hours"], found["longitude"], found["types"], found["active"]) == (
        "XS-SUD", "Mo-Fr 8-17", -20.0, ["AIRPORT"], True,
    )  # fmt: skip
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    eata(office, "close-office", "XS-DBROX", "--from", tomorrow, *home)


@pytest.mark.rule("GTP-02")
def test_operations_admit_who_is_new_and_issuers_hear_of_a_digital_date(office: Office, tmp_path: Path) -> None:
    key = ("--key", str(office.cluster.home / "offices" / "icc" / "operations.key"))
    made = tmp_path / "ma.json"
    subprocess.run([str(EATA), "registry", "new-party", "MA", "--home", str(tmp_path / "ma"), "--out", str(made)],
                   check=True, timeout=60, capture_output=True)  # fmt: skip
    eata(office, "add-administration", str(made), *key)
    eata(office, "add-territory", "MA", "--administration", "MA", *key)
    record = tmp_path / "ma-cci.json"
    subprocess.run([str(EATA), "registry", "new-party", "MA-CCI", "--home", str(tmp_path / "cci"), "--out", str(record)],
                   check=True, timeout=60, capture_output=True)  # fmt: skip
    eata(office, "add-issuer", str(record), "--home-territory", "MA", "--prefix", "MA", *key)
    since = (datetime.now(UTC).date() + timedelta(days=200)).isoformat()
    announced = eata(office, "announce", "MA", "--digital-from", since, *key)
    told = [event for event in office.events(announced["index"], 1) if event.type == "READINESS"]
    assert [(event.index, json.loads(event.json)["territory"]) for event in told] == [(announced["index"], "MA")]
    [row] = [one for one in eata(office, "readiness")["territories"] if one["territory"] == "MA"]
    assert (row["administrations"], row["announced"], row["stage"]) == (["MA"], since, "PROVISIONAL")
    letter = eata(office, "announce", "MA", "--digital-from", since, "--stage", "confirmed", "--letter")
    assert (
        f"as from {since}. Paper ATA carnets may be used only in cases where eATA carnets cannot be issued."
        in letter["text"]
    )
