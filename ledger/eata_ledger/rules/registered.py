"""The registry's running head: how many entries it has, and the chain of their hashes. Nobody can leave one out unseen."""

from eata_ledger.carnet.dates import DAY
from eata_ledger.log.bodies import REGISTRY, RevokeKey
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.proof.registered import NONE, next_head
from eata_ledger.rules.act import Act
from eata_ledger.state import Family, KeyFact, RegisteredBy, RegistryHead

# What an administration may register in a year: its offices and their descriptions, and all of them once more.
A_YEAR, SIZE_A_YEAR = 4_000, 8 * 2**20


def register(act: Act) -> None:
    """Counts an accepted registration, and charges its administration."""
    if not isinstance(act.entry.header.body, REGISTRY):
        return
    if not isinstance(act.entry.header.body, RevokeKey):  # once a key, and never in vain
        _charge(act)
    known = act.facts.get(RegistryHead, b"") or RegistryHead(0, NONE)
    head = next_head(known.head, act.moment.index, act.entry.hash)
    act.facts.put(RegistryHead(known.count + 1, head), b"")


def _charge(act: Act) -> None:
    key = act.facts.get(KeyFact, act.entry.header.author)
    if key is None or key.owner_family is not Family.ADMINISTRATION:  # operations and the root are ICC's own
        return
    year = act.moment.log_time // DAY // 365
    known = act.facts.get(RegisteredBy, year, key.owner) or RegisteredBy(0, 0)
    by = RegisteredBy(known.entries + 1, known.size + act.entry.size)
    if by.entries > A_YEAR or by.size > SIZE_A_YEAR:
        raise Refused(Outcome.BUDGET_SPENT, f"{key.owner} has registered {known.entries} entries this year")
    act.facts.put(by, year, key.owner)
