"""Fixtures shared by all suites."""

import os
import random

import pytest
from eata_ledger.log.keys import SigningKey
from eata_ledger.seal.codes import CodeKeys

from tests.world import World


@pytest.fixture(scope="session", autouse=True)
def passphrase(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every keystore of a test run is locked with this."""
    path = tmp_path_factory.mktemp("secret") / "passphrase"
    path.write_text("correct horse battery staple")
    os.environ["EATA_PASSPHRASE_FILE"] = str(path)


@pytest.fixture
def world() -> World:
    """Everything registered, nothing issued."""
    return World()


@pytest.fixture
def seeded() -> random.Random:
    """Randomness whose seed is printed, or taken from EATA_SEED, so that a failure can be played again."""
    seed = int(os.environ.get("EATA_SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"EATA_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def pin_keys(monkeypatch: pytest.MonkeyPatch) -> CodeKeys:
    """Issuing in unit tests takes this PIN's keys instead of running Argon2id for each carnet."""
    keys = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
    monkeypatch.setattr("eata_clients.authoring.issuing.code_keys", lambda *_: keys)
    return keys
