"""A journey as a list of transactions in log order, reconciled without any ledger.

This is the form of the public vectors and of `eata reconcile` (domain §2.6, seed vectors 883–886, D1–D10).
"""

from dataclasses import dataclass
from typing import Any

from eata_ledger.carnet.balances import EMPTY, Balances
from eata_ledger.carnet.dates import day_of, iso
from eata_ledger.carnet.items import Items
from eata_ledger.carnet.reconciliation import reconcile
from eata_ledger.carnet.territories import territory_of
from eata_ledger.carnet.transit import Transit, close
from eata_ledger.carnet.vocabulary import ARRIVALS, RETURNS, Kind
from eata_ledger.encoding import Malformed


@dataclass(frozen=True)
class Transaction:
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
    home: str
    items: Items
    valid_until: int
    transactions: tuple[Transaction, ...]
    as_of: int | None

    @classmethod
    def from_json(cls, source: object) -> "Journey":
        """Reads the documented journey form; raises `Malformed` with the place that is wrong."""
        root = _mapping(source, "the journey")
        carnet = _mapping(root.get("carnet"), "carnet")
        count = carnet.get("items")
        if type(count) is not int or count < 1:
            raise Malformed("carnet.items is a number of items, 1 or more")
        valid_until = day_of(_text(carnet, "valid_until"))
        home = territory_of(_text(carnet, "home"))
        items = Items.span(1, count)
        rows = root.get("transactions")
        if type(rows) is not list:
            raise Malformed("transactions is an array")
        transactions = tuple(_transaction(row, n, items, home) for n, row in enumerate(rows, 1))
        as_of = root.get("as_of")
        return cls(
            str(carnet.get("number", "")), home, items, valid_until, transactions,
            None if as_of is None else day_of(str(as_of)),
        )  # fmt: skip

    def until(self, as_of: int) -> tuple[Transaction, ...]:
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


def _kind(name: str) -> Kind:
    plain = {kind.name.replace("_", ""): kind for kind in Kind}
    found = plain.get("".join(c for c in name.upper() if c.isalpha()))
    if found is None:
        raise Malformed(f"“{name[:30]}” is not a kind; kinds are {', '.join(kind.name for kind in Kind)}")
    return found


def _transaction(row: object, n: int, items: Items, home: str) -> Transaction:
    try:
        source = _mapping(row, "it")
        kind = _kind(_text(source, "kind"))
        declared = Items.parse(_text(source, "declared") if kind not in RETURNS else str(source.get("declared") or ""))
        not_returned = Items.parse(str(source.get("not_returned") or ""))
        if not (declared | not_returned) <= items:
            raise Malformed("an item number is not on the list")
        if declared & not_returned:
            raise Malformed("an item is both declared and not returned")
        if not_returned and kind not in RETURNS:
            raise Malformed("only returns leave items behind")
        if not declared | not_returned:
            raise Malformed("no items")
        final = source.get("final_date")
        if final is not None and kind not in ARRIVALS | {Kind.EXPORTATION}:
            final = None
        cancelled = source.get("cancelled", False)
        if type(cancelled) is not bool:
            raise Malformed("“cancelled” is true or false")
        territory = territory_of(str(source.get("territory") or home))
        return Transaction(
            kind, day_of(_text(source, "at")[:10]), territory, declared, not_returned,
            None if final is None else day_of(str(final)[:10]), cancelled,
        )  # fmt: skip
    except Malformed as error:
        raise Malformed(f"transaction {n}: {error}") from None


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
