"""Seeding a sandbox twice must not cost anyone a key."""

import json
import os
from importlib.resources import files
from pathlib import Path

from eata_clients.sandbox.registrations import registrations
from eata_host.vault import read_locked, write_locked


def test_a_second_seed_finds_the_same_keys(tmp_path: Path) -> None:
    """Keys on disk are reused: what they have signed or opened stays theirs."""
    write_locked(tmp_path / "icc" / "operations.key", os.urandom(32))
    source = json.loads((files("eata_clients.sandbox") / "sandbox.json").read_text(encoding="utf-8"))
    first = registrations(source, tmp_path, bytes(32))
    kept = {path: read_locked(path) for path in tmp_path.rglob("*") if path.is_file()}
    second = registrations(source, tmp_path, bytes(32))
    assert [entry.header.author for entry in first] == [entry.header.author for entry in second]
    assert {path: read_locked(path) for path in tmp_path.rglob("*") if path.is_file()} == kept
    assert len(kept) > 10
