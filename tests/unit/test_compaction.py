"""What the log may forget: only behind a landmark that four have fsynced and signed, and everybody who is counted."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from eata_node.recovery.compaction import SILENT, low_waters

NOW = 10**12


@dataclass
class Log:
    """Six nodes and what the log tells of them; landmarks as (position, size, signers)."""

    synced: list[int]
    silent: list[int] = field(default_factory=list)
    landmarks: list[tuple[int, int, int]] = field(default_factory=lambda: [(16, 10, 6), (32, 20, 6), (48, 30, 6)])

    def before(self, full: float = 0.0) -> int:
        nodes = {
            bytes([n]): SimpleNamespace(synced=synced, clock=NOW - (SILENT + 1 if n in self.silent else 0))
            for n, synced in enumerate(self.synced)
        }
        kept = [
            SimpleNamespace(landmark=SimpleNamespace(position=at, size=size), signers=lambda _, n=signers: n)
            for at, size, signers in self.landmarks
        ]
        replica: Any = SimpleNamespace(
            nodes=nodes, state=SimpleNamespace(log_time=NOW), position=100,
            charter=SimpleNamespace(enough=4), landmarks=lambda: kept,
        )  # fmt: skip
        return next(low_waters(replica, full), 0)


@pytest.mark.parametrize(
    ("log", "full", "before", "why"),
    [
        (Log([60] * 6), 0.0, 48, "all have it"),
        (Log([60, 60, 60, 60, 60, 40]), 0.0, 32, "the slowest is waited for"),
        (Log([60, 60, 60, 60, 60, 0]), 0.0, 0, "one with nothing is waited for"),
        (Log([60, 60, 60, 60, 60, 0], silent=[5]), 0.0, 48, "but not after a day of silence: it must bootstrap"),
        (Log([60, 60, 60, 0, 0, 0]), 0.5, 48, "with little room left only those who sign are waited for"),
        (Log([0] * 6), 1.0, 48, "what a full log can no longer tell of syncing, the signatures do"),
        (Log([60] * 6, landmarks=[(16, 10, 6), (32, 20, 3)]), 0.0, 16, "no further than four have signed a landmark"),
        (Log([60] * 6, landmarks=[(16, 10, 6), (32, 20, 3)]), 1.0, 16, "however full the log is"),
        (Log([60] * 6, landmarks=[]), 0.0, 0, "without a landmark nothing"),
    ],
)
def test_what_may_be_forgotten(log: Log, full: float, before: int, why: str) -> None:
    assert log.before(full) == before, why
