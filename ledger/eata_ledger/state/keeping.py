"""What keeps a carnet usable and private: wrapped PINs, repairs, attachments, grants, erasure; and the charter."""

from dataclasses import dataclass

from eata_ledger.log.genesis import MOST_NODES, MOST_ROOTS, Charter, Genesis, NodeRecord
from eata_ledger.record import KEY, RANDOM16, U8, U32, U64, array, f, nested
from eata_ledger.state.base import Fact, Family


@dataclass(frozen=True)
class PinWrapped(Fact):
    """The entry that carries a carnet's newest PIN stanza, where issue and amendment do not."""

    FAMILY = Family.PIN_WRAPPED
    entry: int = f(U64)


@dataclass(frozen=True)
class Repaired(Fact):
    """The entries that bring further stanzas for an entry, by (carnet, index of that entry, whose budget)."""

    FAMILY = Family.REPAIRED
    entries: tuple[int, ...] = f(array(U64, 16))


@dataclass(frozen=True)
class Shredded(Fact):
    """A carnet whose sealed parts are erased, by the index of the entry that said so."""

    FAMILY = Family.SHREDDED
    since: int = f(U64)


@dataclass(frozen=True)
class Attached(Fact):
    """A carnet's attachments: the entries that bring them, and their sizes together (bytes)."""

    FAMILY = Family.ATTACHED
    entries: tuple[int, ...] = f(array(U64, 64))
    total: int = f(U32)


@dataclass(frozen=True)
class Grant(Fact):
    """Who else may present a voucher, by (carnet, slot): the entry that says who, and the window (ms UTC)."""

    FAMILY = Family.GRANT
    grant_id: bytes = f(RANDOM16)
    entry: int = f(U64)
    valid_from: int = f(U64)
    valid_to: int = f(U64)


@dataclass(frozen=True)
class CharterFact(Fact):
    """The node set and the root once they differ from genesis."""

    FAMILY = Family.CHARTER
    STEADY = True
    nodes: tuple[NodeRecord, ...] = f(array(nested(NodeRecord), MOST_NODES))
    root_keys: tuple[bytes, ...] = f(array(KEY, MOST_ROOTS))
    root_threshold: int = f(U8)
    operations: bytes = f(KEY)
    serial: int = f(U32)


@dataclass(frozen=True)
class RulesFact(Fact):
    """The rules in force once they differ from those of genesis."""

    FAMILY = Family.RULES
    STEADY = True
    rules: int = f(U32)


def rules_of(genesis: Genesis, fact: RulesFact | None) -> int:
    """The rules version in force: the one the root last activated, else that of genesis."""
    return genesis.rules if fact is None else fact.rules


def charter_of(genesis: Genesis, fact: CharterFact | None) -> Charter:
    """The charter in force: the one the root last set, else that of genesis."""
    if fact is None:
        return genesis.charter
    return Charter(genesis.ledger, fact.nodes, fact.root_keys, fact.root_threshold, fact.operations, fact.serial)
