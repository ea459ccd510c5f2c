"""The command's help is sorted by who runs what."""

from eata_clients.cli import SECTIONS, build
from typer.testing import CliRunner


def test_every_command_stands_under_who_runs_it() -> None:
    said = CliRunner().invoke(build(), ["--help"]).output
    assert "Others:" not in said
    listed = {line.split()[0] for line in said.splitlines() if line.startswith("  ") and line.strip()}
    for title, names in SECTIONS:
        assert f"{title}:" in said
        assert set(names) <= listed
