"""Entries replayed against the leaves they have: for auditors, and for a replica that fetches them from its peers."""

from eata_ledger.apply import Applied, Verify, apply
from eata_ledger.encoding import Malformed
from eata_ledger.facts import FactReader
from eata_ledger.log.entry import Entry
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.leaf import Leaf
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.rules.act import Moment

_EVERY_RULES = 2**32 - 1


def replayed(reader: FactReader, genesis: Genesis, entry: Entry, leaf: bytes, verify: Verify) -> Applied:
    """What the rules give, once it is exactly what the leaf binds: outcome, facts and state effects.

    The leaf does not tell whether the clock was stalled; both readings are tried. Whether every node had announced new rules
    only the log told: the leaf is taken at its word. Raises `Malformed`.
    """
    bound = Leaf.from_bytes(leaf)
    announced = _EVERY_RULES if bound.outcome == Outcome.ACCEPTED else 0
    try:
        for stalled in (False, True):
            result = apply(reader, entry, Moment(genesis, bound.index, bound.log_time, stalled, announced), verify)
            if isinstance(result, Applied) and result.leaf == leaf:
                return result
    except Skipped as skipped:
        raise Malformed(f"entry {bound.index} never was one: {skipped}") from None
    raise Malformed(f"entry {bound.index} has another outcome than its leaf binds")
