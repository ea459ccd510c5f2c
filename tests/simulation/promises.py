"""What must hold at every step, whatever breaks and whoever of two nodes lies.

P1: nothing that is final is lost; P2: one truth; P6: no older state; P7: the same outcome. Nobody is told final on fewer
than half, believes what liars tell of a carnet, or accuses an honest node.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from eata_clients.net.suspicions import Suspicion
from eata_ledger.encoding import sha256
from eata_ledger.log.leaf import Leaf
from eata_node.node import Node
from eata_node.replica.store import FACTS, META, TREE


class Broken(AssertionError):
    """A promise does not hold; the text says which, where and when."""


@dataclass
class Promises:
    """Everything that was seen of the log so far, by whichever replica showed it first."""

    states: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)  # position → (log state, root)
    entries: dict[int, bytes] = field(default_factory=dict)  # ledger index → entry hash
    places: dict[bytes, int] = field(default_factory=dict)  # entry hash → ledger index
    acknowledged: dict[bytes, int] = field(default_factory=dict)
    last_of: dict[str, int] = field(default_factory=dict)  # client → index of its newest acknowledged entry
    seen: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)
    honest: tuple[int, int] = (0, 2**62)  # what right clocks have said so far, ms UTC
    liars: frozenset[str] = frozenset()

    # -- replicas

    def applied(self, name: str, node: Node, size_before: int) -> None:
        """After every batch of groups an honest replica has written."""
        if name in self.liars:
            return
        replica = node.replica
        self.seen["steps"] += 1
        here = (replica.state.to_bytes(), replica.root)
        known = self.states.setdefault(replica.position, here)
        if known != here:
            raise Broken(f"P2: {name} has another state than others at position {replica.position}")
        for index in range(size_before, replica.state.size):
            self._entry(name, node, index)
        if not self.honest[0] <= replica.state.log_time <= self.honest[1]:
            raise Broken(f"time: log time {replica.state.log_time} is no right clock's reading")

    def _entry(self, name: str, node: Node, index: int) -> None:
        stored = node.store.entry(index)
        assert stored is not None, f"{name} counts an entry it does not have"
        digest = Leaf.from_bytes(stored.leaf).entry_hash
        if self.entries.setdefault(index, digest) != digest:
            raise Broken(f"P2: {name} has another entry at index {index}")
        if self.places.setdefault(digest, index) != index:
            raise Broken(f"P1: an entry stands twice, at {self.places[digest]} and {index}")

    def halted(self, name: str, why: str) -> None:
        """A node stops for damage, for a failing disk or for its own successor, never for what honest nodes did."""
        allowed = ("damaged", "failed: OSError", "another process runs", "failed: DamagedError")
        if not any(reason in why for reason in allowed):
            raise Broken(f"P2: {name} halted: {why}")

    # -- clients

    def answered(self, client: str, digest: bytes, index: int, in_order: bool = True) -> None:
        """An acknowledged entry has one index for ever, later than what its author was told before."""
        self.seen["acknowledged"] += digest not in self.acknowledged
        self.trace.append(f"{client} {digest.hex()[:12]} {index}")
        if self.acknowledged.setdefault(digest, index) != index:
            raise Broken(f"P7: the same bytes were answered with {self.acknowledged[digest]} and {index}")
        if self.places.get(digest) != index:
            raise Broken(f"H2: told final at {index}, but honest replicas have it at {self.places.get(digest)}")
        if self.entries.get(index, digest) != digest:
            raise Broken(f"P1: {index} was answered for one entry and holds another")
        if in_order:
            if index <= self.last_of.get(client, -1):
                raise Broken(f"P1: {client} was answered {index} after {self.last_of[client]}")
            self.last_of[client] = index

    def suspected(self, found: Sequence[Suspicion]) -> None:
        """A client accuses nodes that lie, and no other."""
        for suspicion in found:
            if suspicion.node not in self.liars:
                raise Broken(f"H2: {suspicion.node} is honest and was accused: it {suspicion.why}")

    # -- the end

    def at_the_end(self, nodes: dict[str, Node]) -> None:
        """Everything is well again: all honest ones hold the same, and all that is final."""
        nodes = {name: node for name, node in nodes.items() if name not in self.liars}
        whole = {name: digest_of(node) for name, node in nodes.items()}
        if len(set(whole.values())) != 1:
            raise Broken(f"P2: the replicas' facts differ: { {name: d.hex()[:8] for name, d in whole.items()} }")
        for name, node in nodes.items():
            for digest, index in self.acknowledged.items():
                stored = node.store.entry(index)
                if stored is None or Leaf.from_bytes(stored.leaf).entry_hash != digest:
                    raise Broken(f"P1: {name} does not hold what was acknowledged at {index}")
            if not node.replica.cosigning.excluded <= self.liars:
                raise Broken(f"P2: {name} excludes {sorted(node.replica.cosigning.excluded)}")


def digest_of(node: Node) -> bytes:
    """All facts, the tree and the log's state."""
    rows = [b"%b%b" % (key, value) for family in (FACTS, TREE) for key, value in node.store.everything(family)]
    state = [value for key, value in node.store.everything(META) if key == b"state" or key.startswith(b"node/")]
    return sha256(b"".join(sha256(row) for row in rows + state))
