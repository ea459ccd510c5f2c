"""The goods ledger: what is out of the home territory, admitted in each territory, in transit through each.

Source: domain §2.5 and the last column of §2.2.
"""

from dataclasses import dataclass, replace

from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind

NOTHING = Items()


@dataclass(frozen=True)
class Balances:
    """Item sets; a territory with nothing left is not in the dict."""

    home_out: Items
    admitted: dict[str, Items]
    transit: dict[str, Items]

    def after(self, kind: Kind, territory: str, declared: Items, not_returned: Items) -> "Balances":
        """The balances once the transaction has been committed."""
        cleared = declared | not_returned
        match kind:
            case Kind.EXPORTATION:
                return replace(self, home_out=self.home_out | declared)
            case Kind.REIMPORTATION:
                return replace(self, home_out=self.home_out - cleared)
            case Kind.IMPORTATION:
                return replace(self, admitted=_with(self.admitted, territory, declared))
            case Kind.REEXPORTATION:
                return replace(self, admitted=_without(self.admitted, territory, cleared))
            case Kind.TRANSIT_OPEN:
                return replace(self, transit=_with(self.transit, territory, declared))
            case Kind.TRANSIT_CLOSE:
                return replace(self, transit=_without(self.transit, territory, declared))
            case Kind.VALIDATION | Kind.PRE_EXPORTATION:
                return self

    def local(self, territory: str) -> "Local":
        """What an officer there is warned by."""
        abroad = NOTHING
        for held in self.admitted.values():
            abroad |= held
        here = (self.admitted.get(territory, NOTHING), self.transit.get(territory, NOTHING))
        return Local(self.home_out, abroad, *here)

    def of(self, territory: str) -> "Balances":
        """Only what concerns one foreign territory."""

        def own(table: dict[str, Items]) -> dict[str, Items]:
            return {name: held for name, held in table.items() if name == territory}

        return Balances(NOTHING, own(self.admitted), own(self.transit))

    @property
    def settled(self) -> bool:
        """True when nothing is out, admitted or in transit."""
        return not (self.home_out or self.admitted or self.transit)


@dataclass(frozen=True)
class Local:
    """What is out of home, admitted in any territory, and admitted and in transit in this one."""

    home_out: Items
    abroad: Items
    admitted: Items
    transit: Items


EMPTY = Balances(NOTHING, {}, {})


def _with(balance: dict[str, Items], territory: str, items: Items) -> dict[str, Items]:
    return {**balance, territory: balance.get(territory, NOTHING) | items}


def _without(balance: dict[str, Items], territory: str, items: Items) -> dict[str, Items]:
    left = balance.get(territory, NOTHING) - items
    others = {name: held for name, held in balance.items() if name != territory}
    return {**others, territory: left} if left else others
