"""Debian packages unpacked into a cache, for what needs one: no root, no system service."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def fetched(package: str) -> Path:
    """Where the package is unpacked. Raises `subprocess.CalledProcessError` where it cannot be had."""
    done = subprocess.run([str(ROOT / "scripts" / "fetch-debian"), package], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def etcd() -> None:
    """EATA_ETCD names a binary from here on: the one that is named or installed, else Debian's."""
    if not os.environ.get("EATA_ETCD"):
        installed = shutil.which("etcd")
        os.environ["EATA_ETCD"] = installed or str(fetched("etcd-server") / "usr" / "bin" / "etcd")
