"""The scrub: recomputes leaves and nodes from what is stored, and reads every block with its checksum."""

from collections.abc import Iterator

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.facts import Facts
from eata_ledger.log import merkle
from eata_ledger.log.entry import PAYLOAD_TYPE, Header
from eata_ledger.log.keys import pae
from eata_ledger.log.leaf import Leaf
from eata_ledger.outcomes import Outcome
from eata_ledger.state import Shredded

from eata_node.ground.rocks import DamagedError
from eata_node.replica.store import FAMILIES, Store

_STEP, _STEP_BYTES = 32, 1 << 20


def scrub(store: Store, size: int) -> Iterator[int]:
    """Yields, often, how many entries were found whole. Raises `DamagedError` with the place that is not."""
    for index in range(size):
        _entry(store, index)
        if index % _STEP == 0:
            yield index + 1
    for family in FAMILIES:
        read = 0
        for n, (_, value) in enumerate(store.everything(family)):
            read += len(value)
            if n % (8 * _STEP) == 0 or read > _STEP_BYTES:
                read = 0
                yield size
    for n, _ in enumerate(_tree(store, size)):
        if n % (8 * _STEP) == 0:
            yield size


def _entry(store: Store, index: int) -> None:
    try:
        stored = store.entry(index)
        if stored is None:
            raise DamagedError(f"entry {index} is missing")
        leaf = Leaf.from_bytes(stored.leaf)
        good = (
            leaf.index == index
            and leaf.entry_hash == sha256(pae(PAYLOAD_TYPE, stored.header))
            and leaf.facts_hash == sha256(stored.facts)
            and store.tree_node(0, index) == merkle.leaf_hash(stored.leaf)
        )
        header = Header.from_bytes(stored.header)
    except (Malformed, KeyError) as error:
        raise DamagedError(f"entry {index} does not read: {error}") from error
    if not good:
        raise DamagedError(f"entry {index} is not what its leaf binds")
    gone = leaf.outcome != Outcome.ACCEPTED or _erased(store, header)
    for number, info in enumerate(header.parts):
        if gone and info.label is not Label.DECLARED:
            continue
        part = store.part(index, number)
        if part is None or sha256(part) != info.digest:
            raise DamagedError(f"part {number} of entry {index} is not what was signed")


def _erased(store: Store, header: Header) -> bool:
    """Its carnet was erased: no part need be there."""
    carnet_id = getattr(header.body, "carnet_id", None)
    return carnet_id is not None and Facts(store).get(Shredded, carnet_id) is not None


def _tree(store: Store, size: int) -> Iterator[None]:
    """Every inner node is the hash of its children."""
    level, count = 0, size
    while count > 1:
        for number in range(count // 2):
            left, right = store.tree_node(level, 2 * number), store.tree_node(level, 2 * number + 1)
            if store.tree_node(level + 1, number) != merkle.node_hash(left, right):
                raise DamagedError(f"tree node ({level + 1}, {number}) is not the hash of its children")
            yield
        level, count = level + 1, count // 2
