"""How much of the log nobody needs any more (design: compaction). Read from the log and the signed landmarks."""

from collections.abc import Iterator

from eata_node.replica.replica import Replica

SILENT = 24 * 3600 * 1000  # ms: a replica silent for longer must bootstrap, and is not waited for
ROOM, FULL = 0.4, 0.7  # of the engine's quota: from here on laggards are not waited for; from here on nothing is taken


def low_waters(replica: Replica, full: float) -> Iterator[int]:
    """Positions before any of these may go, the farthest first: landmarks behind every replica that is counted.

    Enough replicas have fsynced and signed each. The landmark itself stays, and so can whoever lost everything start from it.
    """
    least = min(
        (s.synced for s in replica.nodes.values() if replica.state.log_time - s.clock <= SILENT),
        default=0,
    ) if full <= ROOM else replica.position  # fmt: skip
    for one in reversed(replica.landmarks()):
        if one.landmark.position <= least and one.signers(replica.charter) >= replica.charter.enough:
            yield one.landmark.position
