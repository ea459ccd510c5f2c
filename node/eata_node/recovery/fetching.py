"""What a replica does with entries from its peers: it applies them one by one, then stands at a landmark or enters an era."""

from dataclasses import dataclass

from eata_ledger import order
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log import merkle
from eata_ledger.log.bodies import ActivateRules, Shred
from eata_ledger.log.entry import Entry
from eata_ledger.log.genesis import Charter
from eata_ledger.log.leaf import Leaf
from eata_ledger.log.opening import EraOpening
from eata_ledger.outcomes import Outcome
from eata_ledger.replaying import replayed

from eata_node.replica.landmarks import Vouched
from eata_node.replica.replica import Divergence, Replica


@dataclass(frozen=True)
class Tree:
    """What entries are fetched towards: a size and the root that enough nodes, or the ICC root, have signed."""

    size: int
    root: bytes


class Fetching:
    """For one replica, which serves nothing meanwhile."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def take_entries(self, entries: list[tuple[int, Entry, bytes]], tree: Tree, proof: list[bytes]) -> None:
        """(position, entry, leaf) in order; each must give its leaf, and all be in the tree. Raises `Malformed`, `Divergence`."""
        replica = self._replica
        before, at = replica.fetching, replica.fetched
        try:
            for position, entry, leaf in entries:
                self._fetched_entry(at, position, entry, leaf)
                at += 1
            if not merkle.consistent(at, replica.store.root(at), tree.size, tree.root, proof):
                raise Malformed(f"these entries are not those of the tree of {tree.size}")
            replica.store.put_fetching(at)
            replica.store.commit()
            replica.fetching = at
        except BaseException:
            replica.store.discard()
            replica.fetching = before
            raise

    def _fetched_entry(self, index: int, position: int, entry: Entry, leaf: bytes) -> None:
        replica = self._replica
        if Leaf.from_bytes(leaf).index != index:
            raise Malformed(f"entry {index} comes next")
        applied = replayed(replica.store, replica.genesis, entry, leaf, replica.verified)
        replica.store.put_facts(applied.effects)
        accepted, body = applied.outcome is Outcome.ACCEPTED, entry.header.body
        if accepted and isinstance(body, ActivateRules):
            replica.require_known(body.rules)
        replica.store.put_entry(index, position, entry, leaf, applied.facts, applied.state if accepted else None)
        if accepted and isinstance(body, Shred):
            replica.store.shred(body.carnet_id)

    def stand_at(self, vouched: Vouched, vouching: Charter) -> None:
        """Everything below the landmark is here: from now on the log is followed. Raises `Divergence`.

        `vouching` is the newest node set known, which may be later than the landmark's own.
        """
        replica = self._replica
        landmark, charter = vouched.landmark, replica.store.charter(replica.genesis)
        signers = vouched.signers(vouching)
        if replica.fetched != landmark.size:
            raise Divergence(f"{replica.fetched} entries are here, the landmark is of {landmark.size}")
        if landmark.ledger != replica.genesis.ledger or signers < vouching.enough:
            raise Divergence(
                f"{signers} known nodes signed the landmark at {landmark.position}, {vouching.enough} must"
            )
        replica.state, replica.nodes = landmark.state, dict(landmark.nodes)
        replica.charter, replica.opened, replica.fetching = charter, True, None
        replica.store.put_log_state(replica.state, replica.nodes, set(replica.nodes))
        replica.store.put_anchor(landmark.position, landmark.size, landmark.group)
        replica.store.put_fetching(None)
        replica.store.commit()
        replica.cosigning.since = landmark.size
        replica.announce()

    def enter(self, data: bytes) -> None:
        """A new era over exactly the entries that are here. Raises `Divergence`: another tree, or not the root's word."""
        replica = self._replica
        opening = EraOpening.from_bytes(data)
        era, charter = opening.era, replica.store.charter(replica.genesis)
        if era.ledger != replica.genesis.ledger or not opening.authorised(charter):
            raise Divergence(f"era {era.era} is not opened by the root")
        if replica.store.root(era.size) != era.root:
            raise Divergence(f"era {era.era} opens over another tree of {era.size} entries")
        last = replica.store.entry(era.size - 1) if era.size else None
        log_time = replica.genesis.created if last is None else Leaf.from_bytes(last.leaf).log_time
        if era.log_time is not None:  # the root sets it right
            log_time = era.log_time
        replica.store.begin_era(set(replica.nodes))
        replica.state, replica.nodes = order.start_over(replica.genesis, charter, era.era, era.size, log_time)
        replica.charter, replica.opened, replica.fetching = charter, True, None
        replica.store.put_group(0, data)
        replica.store.put_opening(era.era, data)
        replica.store.put_log_state(replica.state, replica.nodes, set(replica.nodes))
        replica.store.put_anchor(0, era.size, sha256(data))
        replica.store.put_fetching(None)
        replica.store.commit()
        replica.cosigning.begin_era(era.size)
        replica.announce()
