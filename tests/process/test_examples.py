"""The programs in `clients/examples/`, run as their readers run them, against a real cluster; and the face they stand on."""

import inspect
import subprocess
import sys
from pathlib import Path

import eata_clients
import pytest
from eata_clients import sync

from tests.office import EATA, Office, number, order

EXAMPLES = Path(__file__).parents[2] / "clients" / "examples"


def run(name: str, *arguments: object, given: str = "") -> str:
    """What it prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        input=given, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wallet_a_desk_and_an_auditor_of_thirty_lines(office: Office, tmp_path: Path) -> None:
    home = office.cluster.home
    network, desk = home / "network.json", home / "offices" / "CH"
    issued = office.issue(order(request_id="examples", number=number(61)))
    said = run("wallet.py", network, tmp_path / "wallet", "DE", given=f"{issued.carnet_id} {issued.pin}\n")
    assert "Holder code, to be written down:" in said
    code = next(line.partition(": ")[2] for line in said.splitlines() if line.startswith("VALIDATION CH"))
    subprocess.run(
        [str(EATA), "customs", "sign-in", "--office", "CH-ZRH", "--authority", str(desk / "desk-authority.key"),
         "--home", str(desk), "--network", str(network)],
        capture_output=True, timeout=240, check=True,
    )  # fmt: skip
    said = run("desk.py", network, desk, given=f"{code}\n")
    assert "VALIDATION of items 1, Muster AG" in said
    assert "final, signed by" in said
    assert "6/6 roots equal, 0 forks" in run("auditor.py", network, home / "offices" / "ICC-AUDIT")


@pytest.mark.parametrize("name", ["desk.py", "wallet.py", "auditor.py"])
def test_an_example_is_short(name: str) -> None:
    source = (EXAMPLES / name).read_text()
    code = [line for line in source.split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) <= 30


def test_every_public_name_loads_and_says_what_it_is() -> None:
    for name in eata_clients.__all__:
        assert inspect.getdoc(getattr(eata_clients, name)), name
    asynchronous = (eata_clients.CustomsDesk, eata_clients.Wallet, eata_clients.Issuer, eata_clients.Auditor)
    for face in (*asynchronous, sync.CustomsDesk, sync.Wallet, sync.Issuer, sync.Auditor, sync.Nodes):
        for name, member in vars(face).items():
            assert name.startswith("_") or inspect.getdoc(member), f"{face.__name__}.{name}"
    with pytest.raises(AttributeError):
        eata_clients.Nothing  # noqa: B018
