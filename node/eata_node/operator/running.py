"""Which members of a home run on this machine: a pid in cluster.json counts only while it is that member's own process."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from eata_node.ground.config import ClusterFile

_ENDS = 20.0  # seconds


def runs(home: Path, name: str, pid: int) -> bool:
    """That process is this member of this home, and no zombie; another's that has its number by now is not."""
    if not pid:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        said = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return False
    wanted = ["core"] if name == "core" else ["proxy", name]
    texts = [os.fsdecode(word) for word in said]
    place = next((text for text in texts if text.startswith("/") and Path(text) == home.absolute()), "")
    return state != "Z" and bool(place) and texts[-len(wanted) :] == wanted


def still_running(home: Path) -> dict[str, int]:
    """Member → pid."""
    cluster = ClusterFile.read(home)
    return {member.name: member.pid for member in (cluster.core, *cluster.nodes) if runs(home, member.name, member.pid)}


def stop_member(home: Path, name: str, pid: int) -> bool:
    """Asks a member to end; False where it has not after 20 s."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _ENDS
    while runs(home, name, pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
