"""What stops a commit whatever the goods, in the domain's order (§2.2): judged here for the ledger, desks and booths alike."""

from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import ARRIVALS, RETURNS, Kind, Status, Validated
from eata_ledger.outcomes import Outcome, Refused

NEED_VALIDATION = frozenset({Kind.PRE_EXPORTATION, Kind.EXPORTATION, Kind.IMPORTATION, Kind.TRANSIT_OPEN})


@dataclass(frozen=True)
class Case:
    """One commit of `kind` at a desk, on its local day; who knows less than the ledger says what it knows.

    `digital`: home was digital when the carnet was issued; `in_transit`: the territory has an open transit of it;
    `territory` is empty where the office is unknown.
    """

    kind: Kind
    day: int
    territory: str
    voucher_kind: Kind
    voucher_territory: str
    home: str
    box_p: tuple[str, ...]
    valid_until: int
    digital: bool
    two_step: bool = False
    status: Status = Status.ACTIVATED
    blocked: bool = False
    countersigned: bool = False
    held: bool = False
    validated: Validated = Validated.YES
    signed: bool = True
    in_transit: bool = True

    @property
    def waits_for_validation(self) -> bool:
        """Home validates it on the ledger first; a paper home's carnet is validated with its first transaction (C-12)."""
        return self.kind in NEED_VALIDATION and self.validated is Validated.NO and self.digital


def require_open(case: Case) -> None:
    """Raises `Refused` with the first block."""
    _carnet(case)
    _place(case)
    if case.waits_for_validation:
        raise Refused(Outcome.NOT_VALIDATED)
    if not case.signed:
        raise Refused(Outcome.NOT_SIGNED)
    if case.kind is Kind.VALIDATION and case.validated is Validated.YES:
        raise Refused(Outcome.ALREADY_VALIDATED)
    if case.kind is Kind.TRANSIT_CLOSE and not case.in_transit:
        raise Refused(Outcome.NO_OPEN_TRANSIT)


def _carnet(case: Case) -> None:
    returning = case.kind in RETURNS
    if case.status is Status.CANCELLED:
        raise Refused(Outcome.CARNET_CANCELLED)
    if case.status is Status.TERMINATED:
        raise Refused(Outcome.CARNET_TERMINATED)
    if case.blocked and not (returning and case.countersigned):
        raise Refused(Outcome.CARNET_BLOCKED)
    if case.held:
        raise Refused(Outcome.HELD_IN_TERRITORY)
    if case.day > case.valid_until and not returning:
        raise Refused(Outcome.CARNET_EXPIRED)


def _place(case: Case) -> None:
    if case.territory and case.territory not in (case.home, *case.box_p):
        raise Refused(Outcome.TERRITORY_NOT_IN_BOX_P)
    if case.territory and case.territory != case.voucher_territory:
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE)
    pre_export = case.kind is Kind.PRE_EXPORTATION and case.voucher_kind is Kind.EXPORTATION
    if case.kind is not case.voucher_kind and not pre_export:
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE, "the voucher is of another kind")
    if pre_export and not case.two_step:
        raise Refused(Outcome.WRONG_TERRITORY_FOR_TYPE, "only the EU exports in two steps")


def final_day(kind: Kind, wanted: int | None, day: int, valid_until: int) -> int | None:
    """The final date of what happens on `day`: blank is the carnet's last (ACC-26), None for a kind without one.

    Raises `Refused`.
    """
    if kind not in (*ARRIVALS, Kind.EXPORTATION):
        if wanted is not None:
            raise Refused(Outcome.FIELD_NOT_OF_KIND, "this kind has no final date")
        return None
    final = valid_until if wanted is None else wanted
    if final > valid_until:
        raise Refused(Outcome.FINAL_DATE_AFTER_VALIDITY)
    if final < day:
        raise Refused(Outcome.FINAL_DATE_PAST)
    return final
