"""Notice rules of the readiness list: provisional 5 months ahead, confirmed 3 months ahead (GTP-02)."""

from eata_ledger.carnet.dates import months_after
from eata_ledger.carnet.vocabulary import ReadinessStage

PROVISIONAL_MONTHS, CONFIRMED_MONTHS = 5, 3


def may_announce(stage: ReadinessStage, digital: int, today: int, provisional: int | None, earlier: bool) -> bool:
    """True if a territory may be given this digital date today.

    `provisional` is the date notified before, if any; `earlier`: that date was confirmed or has slipped, so
    a later one follows it with the notice of a confirmation.
    """
    if stage is ReadinessStage.PROVISIONAL:
        months = CONFIRMED_MONTHS if earlier else PROVISIONAL_MONTHS
        return today <= months_after(digital, -months) and (provisional is None or not earlier or digital > provisional)
    return digital == provisional and today <= months_after(digital, -CONFIRMED_MONTHS)
