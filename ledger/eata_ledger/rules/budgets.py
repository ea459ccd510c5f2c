"""What a carnet may cost everybody: so many entries and bytes, each out of its own author's budget (docs/budgets.md).

What the carnet's slots, roots and devices bound, or what is done once, is not counted here.
"""

from typing import NamedTuple

from eata_ledger.log import bodies
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.rules.authors import desk_key
from eata_ledger.state import Device, Spent


class Budget(NamedTuple):
    """Entries and bytes on one carnet."""

    entries: int
    size: int


MIB = 2**20
EDITS, HOLDER = "edits", "holder"
BUDGETS = {EDITS: Budget(200, 64 * MIB), HOLDER: Budget(1_000, 64 * MIB), "issuer": Budget(1_000, 64 * MIB)}
ADMINISTRATION = Budget(4_096, 64 * MIB)
_EDITS = (bodies.EditTravel, bodies.Delegate)
# Bounded by the carnet's slots, roots, devices and holds, or done once: what mends a carnet is never refused for what a thief has spent.
_BOUNDED = (
    bodies.Issue, bodies.Travel, bodies.Renew, bodies.DeleteTravel, bodies.Commit, bodies.Sign, bodies.EnrolDevice,
    bodies.AdmitDevice, bodies.RevokeDevice, bodies.Recode, bodies.ResetHolder, bodies.CancelCarnet, bodies.Discharge,
    bodies.Shred, bodies.Release, bodies.Cancel,
)  # fmt: skip


def spend(act: Act) -> None:
    """Raises `Refused` where the author's budget on this carnet does not hold another entry like this."""
    body = act.entry.header.body
    carnet_id: int | None = getattr(body, "carnet_id", None)
    if carnet_id is None or isinstance(body, _BOUNDED):
        return
    who = spender(act, carnet_id)
    budget, earlier = BUDGETS.get(who, ADMINISTRATION), act.facts.get(Spent, carnet_id, who) or Spent(0, 0)
    spent = Spent(earlier.entries + 1, earlier.size + act.entry.size)
    if spent.entries > budget.entries or spent.size > budget.size:
        raise Refused(Outcome.BUDGET_SPENT, f"{budget.entries} entries and {budget.size // MIB} MiB, by {who}")
    act.facts.put(spent, carnet_id, who)


def spender(act: Act, carnet_id: int) -> str:
    """Whose budget it is: `edits`, `holder`, `issuer`, or an administration's code."""
    header = act.entry.header
    certificate: bytes | None = getattr(header.body, "certificate", None)
    if certificate is not None:
        return desk_key(act, certificate)[1]
    if isinstance(header.body, _EDITS):
        return EDITS
    return HOLDER if act.facts.get(Device, carnet_id, header.author) is not None else "issuer"
