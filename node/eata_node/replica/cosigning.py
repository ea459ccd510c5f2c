"""Checkpoint signatures in and out of the log, and what a contradicting one means (design: divergence).

A node agreeing with more than half goes on and excludes the odd one; a node that more than half contradict
halts itself; in an undecidable split every node that contradicts another halts.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable

import structlog
from eata_host.files import Slot
from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import Malformed, decode, encode
from eata_ledger.log.entry import Signed
from eata_ledger.log.genesis import Charter, origin
from eata_ledger.log.group import Cosignature, GroupHeader
from eata_ledger.log.keys import SigningKey, verify
from eata_ledger.proof.checkpoint import Checkpoint, note

from eata_node.replica.store import Store, StoredCheckpoint

_RECENT = 256
log = structlog.get_logger()


class Cosigning:
    """What the nodes have signed, as the log tells it."""

    def __init__(self, charter: Callable[[], Charter], store: Store, own_id: bytes, evidence: Slot) -> None:
        self._charter, self._store, self._own, self._evidence = charter, store, own_id, evidence
        self.newest: tuple[int, bytes] | None = None
        self.newest_final = 0
        self.signed_size = 0
        self.since = 0  # where this store began to follow: no checkpoint that closed before it was seen
        self.excluded: set[str] = set()
        self.verdict = ""
        self._claims: dict[bytes, tuple[int, bytes]] = {}
        self._recent: OrderedDict[int, tuple[bytes, set[bytes]]] = OrderedDict()
        self._kept = (evidence.read() or b"").decode()
        if self._kept:
            kept = json.loads(self._kept)
            self.excluded, self.verdict = set(kept["excluded"]), kept["verdict"]

    def keep_evidence(self) -> None:
        """What was proved outlives a restart; an operator who has dealt with it removes the file."""
        data = json.dumps({"excluded": sorted(self.excluded), "verdict": self.verdict})
        if data != self._kept:
            self._evidence.write(data.encode())
            self._kept = data

    @property
    def enough(self) -> int:
        """More than half of the nodes."""
        return self._charter().enough

    def _name(self, node: bytes) -> str:
        found = self._charter().by_id.get(node)
        return node.hex() if found is None else found.name

    def resume(self, size: int) -> None:
        """After a restart: the newest checkpoint closed before it."""
        stored, self.newest_final = self._store.checkpoint(size), self._store.newest_final()
        if stored is not None:
            self.newest = (size, stored.root)
            if any(signed.key_id == self._own for signed in stored.signatures):
                self.signed_size = size

    def begin_era(self, size: int) -> None:
        """What was signed under the era before counts no more."""
        self.newest, self.newest_final, self.signed_size, self.since = None, 0, 0, size
        self._claims.clear()
        self._recent.clear()

    def close(self, size: int, root: bytes) -> None:
        """The log closed a checkpoint here."""
        self.newest = (size, root)
        self._store.put_checkpoint(size, StoredCheckpoint(root, ()))
        self._recent[size] = (root, set())
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

    def to_sign(self) -> tuple[int, bytes] | None:
        """The checkpoint this node signs next: one that others have begun to sign, so that signatures meet."""
        for size, (root, signers) in self._recent.items():
            if size > self.signed_size and signers and len(signers) < self.enough:
                return size, root
        return self.newest if self.newest is not None and self.newest[0] > self.signed_size else None

    def receive(self, header: GroupHeader) -> None:
        """A node's newest signature, as its group carries it."""
        claim = header.cosignature
        if claim is None:
            return
        node = self._charter().by_id.get(header.node)
        if node is None:
            return
        mine = self._store.checkpoint(claim.size)
        if mine is not None and Signed(header.node, claim.signature) in mine.signatures and mine.root == claim.root:
            return  # several groups carry it until the log shows it
        text = Checkpoint(origin(self._charter().ledger, header.era), claim.size, claim.root).text
        if not verify(node.key(Purpose.STATEMENT), claim.signature, text.encode()):
            return
        if header.node == self._own:
            self.signed_size = max(self.signed_size, claim.size)
        if mine is None and claim.size <= self.since and self._store.root(claim.size) == claim.root:
            return
        if mine is None or mine.root != claim.root:
            self._contradicted(header.node, claim, mine)
            return
        if all(signed.key_id != header.node for signed in mine.signatures):
            signatures = (*mine.signatures, Signed(header.node, claim.signature))
            self._store.put_checkpoint(claim.size, StoredCheckpoint(mine.root, signatures))
            if claim.size in self._recent:
                self._recent[claim.size][1].add(header.node)
            counting = sum(signed.key_id in self._charter().by_id for signed in signatures)
            if counting >= self.enough and claim.size > self.newest_final:
                self.newest_final = claim.size
                self._store.put_newest_final(claim.size)
        self._judge(claim.size)

    def _contradicted(self, node: bytes, claim: Cosignature, mine: StoredCheckpoint | None) -> None:
        self._claims[node] = (claim.size, claim.root)
        if mine is None and self.newest_final:  # a size that never closed: a lie whatever the others say
            self.excluded.add(self._name(node))
        log.error(
            "contradicting root", node=self._name(node), size=claim.size, theirs=claim.root.hex(),
            mine=None if mine is None else mine.root.hex(),
        )  # fmt: skip
        self._judge(claim.size)

    def _judge(self, size: int) -> None:
        against = {node: root for node, (at, root) in self._claims.items() if at == size}
        if not against:
            return
        mine = self._store.checkpoint(size)
        with_me = {signed.key_id for signed in mine.signatures} | {self._own} if mine else {self._own}
        other = max(sum(1 for root in against.values() if root == value) for value in against.values())
        if len(with_me) >= self.enough:
            self.excluded |= {self._name(node) for node in against}
        elif other >= self.enough:
            self.verdict = f"{other} nodes signed another root at size {size}"
        elif len(with_me) + len(against) == len(self._charter().nodes):
            self.verdict = f"the nodes are split at size {size}"

    def note(self, size: int) -> str:
        """The checkpoint at `size` with every signature known. Raises `KeyError`."""
        stored = self._store.checkpoint(size)
        state = self._store.log_state()
        if stored is None or state is None:
            raise KeyError(size)
        known = self._charter().by_id
        checkpoint = Checkpoint(origin(self._charter().ledger, state[0].era), size, stored.root)
        signatures = [(known[s.key_id], s.value) for s in stored.signatures if s.key_id in known]
        return note(checkpoint, signatures)


class CosigningGuard:
    """Signs checkpoints, never two that contradict: (size, root) is fsynced outside RocksDB first."""

    def __init__(self, slot: Slot, key: SigningKey, ledger: bytes) -> None:
        self._slot, self._key, self._ledger = slot, key, ledger
        self.last: tuple[int, int, bytes] = self._read()
        self._signed: Cosignature | None = None
        self._one_at_a_time = threading.Lock()

    def _read(self) -> tuple[int, int, bytes]:
        data = self._slot.read()
        if data is None:
            return (0, 0, b"")
        match decode(data):
            case [int(era), int(size), bytes(root)]:
                return era, size, root
            case _:
                raise Malformed("the checkpoint guard is damaged; signing again needs an operator")

    def sign(self, era: int, size: int, root: bytes) -> Cosignature | None:
        """None for a smaller or contradicting checkpoint. Blocks for an fsync: call it in a thread."""
        with self._one_at_a_time:
            return self._sign(era, size, root)

    def _sign(self, era: int, size: int, root: bytes) -> Cosignature | None:
        last_era, last_size, last_root = self.last
        if (era, size) < (last_era, last_size):
            return None
        if (era, size) == (last_era, last_size):
            if root != last_root:
                return None
            if self._signed is not None:
                return self._signed
        else:
            self._write(era, size, root)
        text = Checkpoint(origin(self._ledger, era), size, root).text
        self._signed = Cosignature(size, root, self._key.sign(text.encode()))
        return self._signed

    def _write(self, era: int, size: int, root: bytes) -> None:
        self._slot.write(encode([era, size, root]))
        self.last = (era, size, root)
