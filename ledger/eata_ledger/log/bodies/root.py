"""What only the ICC root signs: its own rotation, that of operations, and the node set.

`serial` counts these decisions from 1: none is left out, shown twice or in another order.
"""

from dataclasses import dataclass

from eata_ledger.log.bodies.base import Body, EntryType
from eata_ledger.log.genesis import NodeRecord
from eata_ledger.record import CODE, KEY, U8, U32, array, f, nested


@dataclass(frozen=True)
class RotateRoot(Body):
    """New root keys and their threshold; signed by enough of the old and enough of the new."""

    TYPE = EntryType.ROTATE_ROOT
    serial: int = f(U32)
    keys: tuple[bytes, ...] = f(array(KEY, 16))
    threshold: int = f(U8)


@dataclass(frozen=True)
class ActivateRules(Body):
    """From the next entry on these rules judge; every node has said before that it knows them."""

    TYPE = EntryType.ACTIVATE_RULES
    rules: int = f(U32)


@dataclass(frozen=True)
class RegisterNode(Body):
    """A node's keys from here on, in the place of those its name had: what it signs with others counts no more."""

    TYPE = EntryType.REGISTER_NODE
    serial: int = f(U32)
    node: NodeRecord = f(nested(NodeRecord))


@dataclass(frozen=True)
class RemoveNode(Body):
    """A node that is gone for good, or has lied: from here on it counts nowhere."""

    TYPE = EntryType.REMOVE_NODE
    serial: int = f(U32)
    name: str = f(CODE)


@dataclass(frozen=True)
class RotateOperations(Body):
    """Another key for ICC operations: what the old one signed before stays."""

    TYPE = EntryType.ROTATE_OPERATIONS
    serial: int = f(U32)
    key: bytes = f(KEY)
