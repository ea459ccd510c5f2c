"""A journey file judged as the ledger would judge its transactions, one after another, each breach with its code."""

from dataclasses import replace

from eata_ledger.carnet.blocks import Case, final_day, require_open
from eata_ledger.carnet.dates import last_valid_day
from eata_ledger.carnet.journeys.journey import Breach, Journey, JourneyStep
from eata_ledger.carnet.territories import known
from eata_ledger.carnet.vocabulary import HOME_KINDS, Kind, Validated
from eata_ledger.outcomes import Outcome, Refused


def require_lawful(journey: Journey) -> None:
    """Raises `Breach` with the first place that the rules refuse. Balances are warnings there, and pass here too."""
    if not known(journey.home):
        raise Breach("carnet.home", Outcome.TERRITORY_UNKNOWN)
    issued, until = journey.issued, journey.valid_until
    if issued is not None and not issued <= until <= last_valid_day(issued):
        raise Breach("carnet.valid_until", Outcome.VALIDITY_WRONG)
    done: list[JourneyStep] = []
    for number, made in enumerate(journey.transactions, 1):
        try:
            _require(journey, made, done)
        except Refused as refused:
            raise Breach(f"transaction {number}", refused.outcome, refused.detail) from None
        done.append(made)


def _require(journey: Journey, made: JourneyStep, done: list[JourneyStep]) -> None:
    home, until = journey.home, journey.valid_until
    if not known(made.territory):
        raise Refused(Outcome.TERRITORY_UNKNOWN)
    if (made.territory == home) != (made.kind in HOME_KINDS):
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE)
    if journey.issued is not None and made.day < journey.issued:
        raise Refused(Outcome.EVENT_TIME_WRONG, "it happened before the carnet was issued")
    validated = any(one.kind is Kind.VALIDATION and not one.cancelled for one in done)
    here = Case(
        made.kind, made.day, made.territory, made.kind, made.territory, home, (made.territory,), until, False, True,
        validated=Validated.YES if validated else Validated.NO,
        in_transit=_in_transit(journey, made.territory, done),
    )  # fmt: skip
    require_open(here)
    final_day(made.kind, made.final_day, made.day, until)


def _in_transit(journey: Journey, territory: str, done: list[JourneyStep]) -> bool:
    so_far = replace(journey, transactions=tuple(done)).transits(max((one.day for one in done), default=0))
    return any(transit.left for transit in so_far if transit.territory == territory)
