"""Following the charter: entries by which the root changes itself or the node set, judged from genesis down.

For whoever does not run `apply`: clients, trust files, the log engine. Replicas take the charter from their facts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.bodies import EntryType, RegisterNode, RemoveNode, RotateOperations, RotateRoot
from eata_ledger.log.entry import Header
from eata_ledger.log.genesis import Charter, Genesis
from eata_ledger.log.keys import key_id, verify
from eata_ledger.log.leaf import SIZE, Leaf
from eata_ledger.log.merkle import root_from_inclusion
from eata_ledger.outcomes import Outcome
from eata_ledger.record import HASH, KEY_ID, Record, array, blob, f, nested

# [1, ledger (32 bytes), type, …]: the type follows 36 bytes of array head, version and ledger.
_TYPE_AT = 36
_TYPES = (
    bytes([EntryType.REGISTER_NODE]), bytes([0x18, EntryType.REMOVE_NODE]), bytes([0x18, EntryType.ROTATE_ROOT]),
    bytes([0x18, EntryType.ROTATE_OPERATIONS]),
)  # fmt: skip


@dataclass(frozen=True)
class CharterSignature(Record):
    """Key id and Ed25519 signature."""

    key_id: bytes = f(KEY_ID)
    value: bytes = f(blob(64))


@dataclass(frozen=True)
class CharterEntry(Record):
    """A decision of the root as trust files carry it: header, signatures, its leaf, and the leaf's way to their checkpoint."""

    header: bytes = f(blob(1, 32 * 1024))
    signatures: tuple[CharterSignature, ...] = f(array(nested(CharterSignature), 8))
    leaf: bytes = f(blob(SIZE))
    path: tuple[bytes, ...] = f(array(HASH, 64))

    @property
    def by_key(self) -> dict[bytes, bytes]:
        return {signature.key_id: signature.value for signature in self.signatures}

    def index(self, header: Header, size: int, root: bytes) -> int:
        """Where the log took it, as the tree of `size` with that root proves. Raises `Malformed`."""
        leaf = Leaf.from_bytes(self.leaf)
        if leaf.entry_hash != sha256(header.signed) or leaf.outcome != Outcome.ACCEPTED:
            raise Malformed("a root decision's leaf is of another entry, or refuses it")
        if root_from_inclusion(self.leaf, leaf.index, size, self.path) != root:
            raise Malformed("a root decision is not in the tree of the checkpoint")
        return leaf.index


@dataclass(frozen=True)
class Reign:
    """A charter, and the ledger index of the decision that brought it (-1: the genesis)."""

    since: int
    charter: Charter


def declares(header: bytes) -> bool:
    """True if an entry header is one that changes the charter; reads a few bytes."""
    return header.startswith(_TYPES, _TYPE_AT)


def follow(charter: Charter, header: Header, signatures: Mapping[bytes, bytes]) -> Charter:
    """The charter after such an entry. Raises `Malformed` unless enough root keys signed it."""
    if header.ledger != charter.ledger:
        raise Malformed("a charter entry of another ledger")
    _require(charter.root_keys, charter.root_threshold, header, signatures)
    body = header.body
    if not isinstance(body, Decision):
        raise Malformed("not a charter entry")
    if isinstance(body, RotateRoot):
        _require(body.keys, body.threshold, header, signatures)
    return decided(charter, body)


Decision = RegisterNode | RemoveNode | RotateRoot | RotateOperations


def decided(charter: Charter, body: Decision) -> Charter:
    """The charter after a decision that enough root keys have signed. Raises `Malformed` where it cannot follow."""
    if body.serial != charter.serial + 1:
        raise Malformed(f"the root's decision {body.serial} does not follow {charter.serial}")
    match body:
        case RegisterNode(_, node):
            if node.id in charter.by_id:
                raise Malformed("a node's group key is new")
            return charter.with_node(node)
        case RemoveNode(_, name):
            return charter.without_node(name)
        case RotateRoot(_, keys, threshold):
            return charter.with_root(keys, threshold)
        case RotateOperations(_, key):
            return charter.with_operations(key)


def follow_all(genesis: Genesis, entries: Iterable[CharterEntry], size: int, root: bytes) -> list[Reign]:
    """From genesis through the root's decisions, each proved to stand in the tree of `size`. Raises `Malformed`."""
    reigns = [Reign(-1, genesis.charter)]
    for entry in entries:
        header = Header.from_bytes(entry.header)
        charter = follow(reigns[-1].charter, header, entry.by_key)
        since = entry.index(header, size, root)
        if since <= reigns[-1].since:
            raise Malformed("root decisions are not in ledger order")
        reigns.append(Reign(since, charter))
    return reigns


def in_force(reigns: Sequence[Reign], index: int) -> Charter:
    """The charter by which the entry at `index` was judged."""
    return next(reign.charter for reign in reversed(reigns) if reign.since < index or reign.since < 0)


def signed_by_enough(
    keys: tuple[bytes, ...], threshold: int, header: Header, signatures: Mapping[bytes, bytes]
) -> bool:
    """True if at least `threshold` of these keys signed the header."""
    signed = header.signed
    good = sum(verify(key, signatures.get(key_id(key), b""), signed) for key in set(keys))
    return good >= threshold >= 1


def _require(keys: tuple[bytes, ...], threshold: int, header: Header, signatures: Mapping[bytes, bytes]) -> None:
    if not signed_by_enough(keys, threshold, header, signatures):
        raise Malformed(f"fewer than {threshold} root keys signed")
