"""Records that change on effective dates keep their earlier versions: late acts are judged by the day they happened."""

from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.state import Fact, Versions

_KEPT = 64


def put_version(act: Act, fact: Fact, code: str, first: int | None, effective: int) -> None:
    """Writes a record's first version, or a later one that takes effect after the last (`first`: the first's day)."""
    if first is None:
        act.facts.put(fact, code)
        return
    key = (bytes([fact.FAMILY]), code)
    versions = act.facts.get(Versions, *key)
    days = () if versions is None else versions.days
    if effective <= (days[-1] if days else first):
        raise Refused(Outcome.VERSION_WRONG, "a later version takes effect on a later day")
    act.facts.put(fact, code, b"@", effective)
    act.facts.put(Versions((*days, effective)[-_KEPT:]), *key)
