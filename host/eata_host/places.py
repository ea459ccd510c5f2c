"""Where things are when no option says otherwise."""

import os
from pathlib import Path


def default_network() -> Path:
    """Where `eata init` writes the network file."""
    return default_home() / "network.json"


def default_home() -> Path:
    """$EATA_HOME, or the folder a cluster has by default."""
    return Path(os.environ.get("EATA_HOME") or Path.home() / ".local" / "share" / "eata")


def default_auditor() -> Path:
    """The sandbox's auditor."""
    return default_home() / "offices" / "ICC-AUDIT"
