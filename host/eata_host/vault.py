"""Keys on this machine's disk are locked (docs/formats.md, “Keystores”); where the passphrase comes from.

EATA_PASSPHRASE_FILE, else systemd's credential `eata-passphrase`, else a sandbox's own `passphrase` file, else the
terminal. Never an argument, never an environment variable's value.
"""

import getpass
import os
from codecs import BOM_UTF8
from functools import lru_cache
from pathlib import Path

from eata_ledger.encoding import Malformed
from eata_ledger.seal.aead import CannotOpen
from eata_ledger.seal.keystore import Vault, is_locked

from eata_host.faults import Fault
from eata_host.files import write_secret
from eata_host.places import default_home

SHORTEST = 6  # digits of a wallet PIN (APP-04)


def write_locked(path: Path, content: bytes) -> None:
    """Durable and locked."""
    source = _source()
    if source is None and not _asked.confirmed and not any(_locked(other) for other in path.parent.glob("*")):
        _asked.confirm = True  # the first key of a folder: a slip of the finger would lock it for ever
    if source is not None and len(_read(source)) < SHORTEST:
        raise _too_short()
    write_secret(path, _vault(source).lock(content))


def read_locked(path: Path) -> bytes:
    """What `write_locked` wrote. Raises `Fault`."""
    try:
        return _vault(_source()).unlock(path.read_bytes())
    except CannotOpen:
        raise Fault(
            "WRONG_PASSPHRASE", f"{path.name} does not open with this passphrase.", "Give the one it was locked with."
        ) from None


def read_key(path: Path) -> bytes:
    """A 32-byte key. Raises `Malformed` for any other file."""
    data = read_locked(path)
    if len(data) != 32:
        raise Malformed(f"{path.name} is not a key file (32 bytes)")
    return data


class _Asked:
    """Whether the terminal has been asked, and is to be asked twice."""

    confirm = False
    confirmed = False


_asked = _Asked()


def _locked(path: Path) -> bool:
    return path.is_file() and is_locked(path.read_bytes()[:64])


@lru_cache(maxsize=8)
def _vault(source: Path | None) -> Vault:
    return Vault(lambda: _read(source))


def _source() -> Path | None:
    """The passphrase's file; None: the terminal."""
    given = os.environ.get("EATA_PASSPHRASE_FILE")
    if given:
        return Path(given)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    for path in (Path(credentials or "/") / "eata-passphrase", default_home() / "passphrase"):
        if path.exists() and (credentials or path.name == "passphrase"):
            return path
    return None


def _read(source: Path | None) -> bytes:
    if source is not None and not source.exists():
        raise Fault("PASSPHRASE_NEEDED", f"The passphrase's file {source.name} does not exist.", "Name the right one.")
    try:
        found = _from_terminal() if source is None else source.read_bytes().removeprefix(BOM_UTF8).strip()
    except OSError:
        raise Fault(
            "PASSPHRASE_NEEDED", "These keys are locked, and nobody is there to give the passphrase.",
            "Name a file with it in EATA_PASSPHRASE_FILE.",
        ) from None  # fmt: skip
    return found or b"\0"


def _too_short() -> Fault:
    return Fault("PASSPHRASE_SHORT", f"A passphrase has at least {SHORTEST} characters.", "Choose a longer one.")


def _from_terminal() -> bytes:
    os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))  # OSError where there is none
    given = getpass.getpass("Passphrase or wallet PIN: ")
    if _asked.confirm and len(given) < SHORTEST:
        raise _too_short()
    if _asked.confirm and getpass.getpass("Once more: ") != given:
        raise Fault("PASSPHRASE_DIFFERS", "The two were not the same.", "Try again.")
    _asked.confirmed = True
    return given.encode()
