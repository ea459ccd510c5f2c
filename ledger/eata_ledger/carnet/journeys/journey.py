"""A journey as a list of transactions in log order, reconciled without any ledger.

This is the form of the public vectors and of `eata reconcile` (domain §2.6, seed vectors 883–886, D1–D10).
"""

import re
from dataclasses import dataclass
from typing import Any

from eata_ledger.carnet.dates import day_of, iso
from eata_ledger.carnet.goods.balances import EMPTY, Balances
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.goods.transit import Transit, close
from eata_ledger.carnet.journeys.reconciliation import reconcile
from eata_ledger.carnet.territories import territory_of
from eata_ledger.carnet.vocabulary import RETURNS, Kind
from eata_ledger.encoding import Malformed
from eata_ledger.outcomes import Outcome, Refused, sentence

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?", re.ASCII)
_KIND = re.compile(r"[A-Za-z]+([ _-][A-Za-z]+)*", re.ASCII)


class Breach(Malformed):
    """The file reads, and the rules refuse what it says; `code` is the ledger's."""

    def __init__(self, place: str, outcome: Outcome, detail: str = "") -> None:
        super().__init__(f"{place}: {(detail or sentence(outcome)).rstrip('.')}")
        self.code = outcome.name


@dataclass(frozen=True)
class JourneyStep:
    """One committed transaction; `day` is local to the office."""

    kind: Kind
    day: int
    territory: str
    declared: Items
    not_returned: Items
    final_day: int | None
    cancelled: bool


@dataclass(frozen=True)
class Journey:
    """A carnet and what happened to it."""

    number: str
    country: str  # of home, as it was written
    home: str
    items: Items
    issued: int | None
    valid_until: int
    transactions: tuple[JourneyStep, ...]
    as_of: int | None

    @classmethod
    def from_json(cls, source: object) -> "Journey":
        """Reads the documented journey form; `Malformed` with the place that is wrong, `Breach` where a rule says so."""
        root = _mapping(source, "the journey")
        carnet = _mapping(root.get("carnet"), "carnet")
        count = carnet.get("items")
        if type(count) is not int or count < 1:
            raise Malformed("carnet.items is a number of items, 1 or more")
        valid_until = day_of(_text(carnet, "valid_until"))
        country = _text(carnet, "home")
        home = territory_of(country)
        items = Items.span(1, count)
        rows = root.get("transactions")
        if type(rows) is not list:
            raise Malformed("transactions is an array")
        transactions = tuple(_transaction(row, n, items, home) for n, row in enumerate(rows, 1))
        as_of, issued = _blank(root, "as_of"), _blank(carnet, "issued")
        return cls(
            _blank(carnet, "number"), country, home, items, day_of(issued) if issued else None, valid_until, transactions,
            day_of(as_of) if as_of else None,
        )  # fmt: skip

    def until(self, as_of: int) -> tuple[JourneyStep, ...]:
        """The live transactions made up to and on the day `as_of`."""
        return tuple(t for t in self.transactions if not t.cancelled and t.day <= as_of)

    def balances(self, as_of: int) -> Balances:
        balances = EMPTY
        for t in self.until(as_of):
            balances = balances.after(t.kind, t.territory, t.declared, t.not_returned)
        return balances

    def transits(self, as_of: int) -> tuple[Transit, ...]:
        found: tuple[Transit, ...] = ()
        for t in self.until(as_of):
            if t.kind is Kind.TRANSIT_OPEN:
                final = self.valid_until if t.final_day is None else t.final_day
                found += (Transit(t.territory, t.declared, t.day, final, t.declared),)
            elif t.kind is Kind.TRANSIT_CLOSE:
                found = close(found, t.territory, t.declared, t.day)
        return found


def _mapping(value: object, name: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise Malformed(f"{name} is an object")
    return value


def _text(source: dict[str, Any], name: str) -> str:
    value = source.get(name)
    if type(value) is not str or not value:
        raise Malformed(f"“{name}” is missing or not text")
    return value


def _blank(source: dict[str, Any], name: str) -> str:
    """Text, empty where there is none."""
    value = source.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise Malformed(f"“{name}” is not text")
    return value


def _kind(name: str) -> Kind:
    plain = {kind.name.replace("_", ""): kind for kind in Kind}
    found = plain.get(re.sub("[ _-]", "", name).upper()) if _KIND.fullmatch(name) else None
    if found is None:
        raise Malformed(f"“{name[:30]}” is not a kind; kinds are {', '.join(kind.name for kind in Kind)}")
    return found


def _transaction(row: object, n: int, items: Items, home: str) -> JourneyStep:
    try:
        source = _mapping(row, "it")
        kind = _kind(_text(source, "kind"))
        declared = Items.parse(_text(source, "declared") if kind not in RETURNS else _blank(source, "declared"))
        not_returned = Items.parse(_blank(source, "not_returned"))
        if not (declared | not_returned) <= items:
            raise Refused(Outcome.ITEM_OUT_OF_RANGE)
        if declared & not_returned:
            raise Refused(Outcome.LISTS_OVERLAP)
        if not_returned and kind not in RETURNS:
            raise Refused(Outcome.FIELD_NOT_OF_KIND, "only returns leave items behind")
        if not declared | not_returned:
            raise Malformed("no items")
        final = _blank(source, "final_date")  # blank is the carnet's last day (ACC-26)
        cancelled = source.get("cancelled", False)
        if type(cancelled) is not bool:
            raise Malformed("“cancelled” is true or false")
        territory = territory_of(_blank(source, "territory") or home)
        return JourneyStep(
            kind, _local_day(_text(source, "at")), territory, declared, not_returned,
            _local_day(final) if final else None, cancelled,
        )  # fmt: skip
    except Refused as refused:
        raise Breach(f"transaction {n}", refused.outcome, refused.detail) from None
    except Malformed as error:
        raise Malformed(f"transaction {n}: {error}") from None


def _local_day(text: str) -> int:
    """The day of an ISO date, or of an ISO date and time as the office's clock showed it."""
    day, _, time = text.partition("T")
    if _DATE.fullmatch(day) and (text == day or _TIME.fullmatch(time)):
        return day_of(day)
    raise Malformed(f"“{text[:20]}” is not an ISO date, or date and time at the office such as 2026-06-01T14:34")


def report(journey: Journey, as_of: int) -> dict[str, Any]:
    """Status, reasons and transits as `eata reconcile --json` prints them."""
    status, reasons = reconcile(journey.balances(as_of), journey.home, journey.valid_until, as_of)
    return {
        "status": status.value,
        "reasons": [{"kind": r.kind.value, "territory": r.territory, "items": str(r.items)} for r in reasons],
        "transits": [
            {
                "territory": t.territory,
                "items": str(t.items),
                "opened": iso(t.opened),
                "final_date": iso(t.final_day),
                "closed": None if t.closed is None else iso(t.closed),
                "state": t.state(as_of).value,
                "closed_late": t.closed_late,
            }
            for t in journey.transits(as_of)
        ],
    }
