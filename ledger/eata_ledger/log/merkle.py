"""The RFC 6962 / RFC 9162 Merkle tree over a store of complete subtrees.

A node (level k, number i) is the root of leaves i·2^k to (i+1)·2^k - 1. Appending writes the new leaf and
every subtree it completes; everything else is computed from those.
"""

from collections.abc import Callable, Sequence

from eata_ledger.encoding import sha256

EMPTY_ROOT = sha256(b"")
GetNode = Callable[[int, int], bytes]


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf)


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def append(get: GetNode, size: int, leaf: bytes) -> list[tuple[int, int, bytes]]:
    """The nodes (level, number, hash) that the leaf at index `size` writes."""
    level, number, digest = 0, size, leaf_hash(leaf)
    written = [(0, size, digest)]
    while number & 1:
        digest = node_hash(get(level, number - 1), digest)
        level, number = level + 1, number >> 1
        written.append((level, number, digest))
    return written


def root(get: GetNode, size: int) -> bytes:
    """The root of the first `size` leaves."""
    return _range(get, 0, size) if size else EMPTY_ROOT


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _range(get: GetNode, low: int, high: int) -> bytes:
    count = high - low
    if count & (count - 1) == 0 and low % count == 0:
        level = count.bit_length() - 1
        return get(level, low >> level)
    middle = low + _split(count)
    return node_hash(_range(get, low, middle), _range(get, middle, high))


def inclusion(get: GetNode, index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves."""
    if not 0 <= index < size:
        raise ValueError("the index is not in the tree")
    path, low, high = [], 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(get, middle, high))
            high = middle
        else:
            path.append(_range(get, low, middle))
            low = middle
    return path[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that the path proves, None if it has the wrong length (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return None
    number, last, digest = index, size - 1, leaf_hash(leaf)
    for sibling in path:
        if last == 0:
            return None
        if number & 1 or number == last:
            digest = node_hash(sibling, digest)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        number, last = number >> 1, last >> 1
    return digest if last == 0 else None


def consistency(get: GetNode, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `old` leaves is a prefix of that of `new`."""
    if not 0 <= old <= new:
        raise ValueError("the old size is larger than the new one")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    low, high, whole = 0, new, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(_range(get, middle, high))
            high = middle
        else:
            proof.append(_range(get, low, middle))
            low, whole = middle, False
    if not whole:
        proof.append(_range(get, low, high))
    return proof[::-1]


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """True if the proof shows that nothing under the old root was changed (RFC 9162 §2.1.4.2)."""
    if old == new:
        return old_root == new_root and not proof
    if old == 0:
        return old_root == EMPTY_ROOT and not proof
    if not 0 < old < new or not proof:
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        number, last = number >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
