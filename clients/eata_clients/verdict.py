"""One word for the officer: may this voucher be committed as it stands? (ACC-21, domain §2.2)

The log decides; this only says beforehand what it would, from what the desk has just been shown.
"""

from dataclasses import dataclass
from enum import StrEnum

from eata_ledger.carnet.vocabulary import RETURNS, Kind, Status, VoucherState
from eata_ledger.outcomes import Outcome, advice, sentence
from eata_ledger.state import Validated

from eata_clients.authoring.clearing import Decision
from eata_clients.scanned import Scanned

NEED_VALIDATION = frozenset({Kind.EXPORTATION, Kind.IMPORTATION, Kind.TRANSIT_OPEN})


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


def verdict(scanned: Scanned, decision: Decision, day: int, digital_home: bool) -> Verdict:
    """On the office's local day; `digital_home`: the carnet's home was digital when it was issued."""
    blocked = _blocked(scanned, day, digital_home)
    if blocked is not None:
        return Verdict(Word.STOP, blocked.name, sentence(blocked), advice(blocked))
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


def _blocked(scanned: Scanned, day: int, digital_home: bool) -> Outcome | None:
    """The first hard block, in the domain's order."""
    state, carnet, kind = scanned.state, scanned.carnet, scanned.presented.kind
    returning = kind in RETURNS
    blocks = (
        (scanned.voucher.state is not VoucherState.PREPARED, Outcome.CODE_CONSUMED),
        (state.status is Status.CANCELLED, Outcome.CARNET_CANCELLED),
        (state.status is Status.TERMINATED, Outcome.CARNET_TERMINATED),
        (state.blocked, Outcome.CARNET_BLOCKED),
        (scanned.hold is not None, Outcome.HELD_IN_TERRITORY),
        (day > carnet.valid_until and not returning, Outcome.CARNET_EXPIRED),
        (scanned.presented.territory not in (carnet.home, *carnet.box_p), Outcome.TERRITORY_NOT_IN_BOX_P),
        (kind in NEED_VALIDATION and digital_home and state.validated is Validated.NO, Outcome.NOT_VALIDATED),
        (state.signed is None, Outcome.NOT_SIGNED),
        (scanned.voucher.content != carnet.content, Outcome.STALE_VERSION),
        (kind is Kind.VALIDATION and state.validated is Validated.YES, Outcome.ALREADY_VALIDATED),
        (kind is Kind.TRANSIT_CLOSE and not scanned.stay.transit, Outcome.NO_OPEN_TRANSIT),
    )
    return next((outcome for holds, outcome in blocks if holds), None)
