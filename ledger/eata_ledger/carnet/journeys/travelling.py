"""Which vouchers a travel needs (APP-15, domain §2.4), and where goods will be once everything prepared has been done."""

from collections.abc import Iterable, Sequence

from eata_ledger.carnet.goods.balances import Balances
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.journeys.foresight import Place, Whereabouts, whereabouts
from eata_ledger.carnet.vocabulary import RETURNS, Kind
from eata_ledger.encoding import Malformed

Prepared = tuple[Kind, str, Items, Items]  # kind, territory, declared, not returned


def vouchers(
    home: str, origin: str, to: str, transits: Sequence[str] = (), validate: bool = False
) -> tuple[tuple[Kind, str], ...]:
    """In the order they are used; at least two. Raises `Malformed` where no customs border is crossed."""
    if origin == to:
        raise Malformed(f"the goods are in {to} already: no customs border is crossed")
    first = ((Kind.VALIDATION, home),) if validate else ()
    out = (Kind.EXPORTATION, home) if origin == home else (Kind.REEXPORTATION, origin)
    across = tuple((kind, place) for place in transits for kind in (Kind.TRANSIT_OPEN, Kind.TRANSIT_CLOSE))
    into = ((Kind.REIMPORTATION, home),) if to == home else ((Kind.IMPORTATION, to),)
    return (*first, out, *across, *into)


def then(
    home: str, listed: Items, balances: Balances, gone: Items, prepared: Iterable[Prepared]
) -> tuple[Whereabouts, ...]:
    """Where each item is once what is prepared has been transacted, in that order."""
    for kind, territory, items, not_returned in prepared:
        balances = balances.after(kind, territory, items, not_returned)
        gone |= not_returned if kind in RETURNS else Items()
    return whereabouts(home, listed, balances, gone)


def origin_of(places: Iterable[Whereabouts], home: str, chosen: Items) -> str:
    """The one territory that all the chosen items are in. Raises `Malformed`, naming where they are."""
    found = [place for place in places if place.items & chosen]
    if len(found) == 1 and found[0].place in (Place.HOME, Place.ABROAD):
        return found[0].territory or home
    said = ", ".join(f"{p.items & chosen} {_said(p)}" for p in found)
    raise Malformed(f"these items do not travel together: {said or 'they are not on the carnet'}")


def _said(place: Whereabouts) -> str:
    match place.place:
        case Place.OUT:
            return "have left home and entered nowhere yet"
        case Place.GONE:
            return "were left behind for good"
        case Place.TRANSIT:
            return f"are in transit through {place.territory}"
        case _:
            return f"are in {place.territory}"
