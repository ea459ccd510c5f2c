"""Nodes whose word others do not bear out: kept as evidence, told to the person, reported to the other nodes."""

import json
from dataclasses import dataclass
from pathlib import Path

from eata_host.files import write_secret
from eata_ledger.encoding import sha256


@dataclass(frozen=True)
class Suspicion:
    """What a node said alone; `evidence` is its own signed words, and those of others, in hex."""

    node: str
    why: str
    evidence: dict[str, str]

    def __str__(self) -> str:
        return f"Node {self.node} {self.why}. Tell the operators; use another node."


class Suspicions:
    """Everything one client found while it ran; on disk where the client has a folder."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.found: list[Suspicion] = []

    def keep(self, node: str, why: str, **evidence: bytes) -> None:
        found = Suspicion(node, why, {name: data.hex() for name, data in evidence.items()})
        if found in self.found:
            return
        self.found.append(found)
        if self.folder is not None:
            data = json.dumps({"node": node, "why": why, **found.evidence}, indent=1).encode()
            write_secret(self.folder / f"{node}-{sha256(data).hex()[:16]}.json", data)
