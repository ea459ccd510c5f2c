"""One word for the officer: may this voucher be committed as it stands? (ACC-21, domain §2.2)

The log decides; this only says beforehand what it would, from what the desk has just been shown.
"""

from dataclasses import dataclass
from enum import StrEnum

from eata_ledger.carnet.blocks import Case, require_open
from eata_ledger.carnet.vocabulary import Kind, VoucherState
from eata_ledger.outcomes import Outcome, Refused, advice, sentence

from eata_clients.authoring.clearing import Decision
from eata_clients.customs.scanned import Scanned


class Word(StrEnum):
    """Green, orange, red; the word says it without the colour."""

    GO = "GO"
    LOOK = "LOOK"
    STOP = "STOP"


@dataclass(frozen=True)
class Verdict:
    """The word, the code behind it, a sentence and what to do."""

    word: Word
    code: str
    sentence: str
    advice: str


def stop(blocked: Outcome) -> Verdict:
    """The ledger would refuse it, and why."""
    return Verdict(Word.STOP, blocked.name, sentence(blocked), advice(blocked))


def verdict(scanned: Scanned, decision: Decision, day: int, digital_home: bool) -> Verdict:
    """On the office's local day; `digital_home`: the carnet's home was digital when it was issued."""
    blocked = _blocked(scanned, decision, day, digital_home)
    if blocked is not None:
        return stop(blocked)
    found = scanned.warnings(decision, day)
    if found:
        return Verdict(Word.LOOK, ", ".join(found), "The balance looks wrong.", "Check the goods and type a reason.")
    if scanned.elsewhere:
        office, _ = scanned.elsewhere[-1]
        said = f"This code was shown at {office} before."
        return Verdict(Word.LOOK, "SECOND_PRESENTATION", said, "Ask the holder; call that office.")
    if not scanned.agreed.sure:
        return Verdict(
            Word.LOOK, "UNCONFIRMED", f"This is {scanned.agreed.standing}.", "Go by it as by a booth's: check more."
        )
    return Verdict(Word.GO, "", "Nothing stands in the way.", "Check the goods, then commit.")


def _blocked(scanned: Scanned, decision: Decision, day: int, digital_home: bool) -> Outcome | None:
    """The first block, as the ledger judges it."""
    if scanned.voucher.state is not VoucherState.PREPARED:
        return Outcome.CODE_CONSUMED
    try:
        require_open(_case(scanned, decision.kind or scanned.presented.kind, day, digital_home))
    except Refused as refused:
        return refused.outcome
    if scanned.voucher.root != scanned.root:
        return Outcome.CODE_VOIDED
    return Outcome.STALE_VERSION if scanned.voucher.content != scanned.carnet.content else None


def _case(scanned: Scanned, kind: Kind, day: int, digital_home: bool) -> Case:
    state, carnet, voucher, territory = scanned.state, scanned.carnet, scanned.voucher, scanned.presented.territory
    return Case(
        kind, day, territory, voucher.kind, voucher.territory, carnet.home, carnet.box_p, carnet.valid_until, digital_home,
        scanned.two_step, state.status, state.blocked, False, scanned.hold is not None, state.validated,
        state.signed is not None, bool(scanned.stay.transit),
    )  # fmt: skip
