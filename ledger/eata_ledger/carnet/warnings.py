"""Soft warnings: breaches of the goods balance that need a typed reason (C-20, domain §2.2)."""

from eata_ledger.carnet.balances import NOTHING, Balances
from eata_ledger.carnet.items import Items
from eata_ledger.carnet.vocabulary import Kind, Warning


def warnings(
    kind: Kind, territory: str, balances: Balances, declared: Items, not_returned: Items, late: bool
) -> frozenset[Warning]:
    """What an officer must acknowledge. `late`: the act is after the territory's final day."""
    cleared = declared | not_returned
    admitted = balances.admitted.get(territory, NOTHING)
    opened = balances.transit.get(territory, NOTHING)
    elsewhere = NOTHING
    for held in balances.admitted.values():
        elsewhere = elsewhere | held
    found = {
        Kind.VALIDATION: {},
        Kind.PRE_EXPORTATION: {Warning.ITEMS_ALREADY_OUT: bool(cleared & balances.home_out)},
        Kind.EXPORTATION: {Warning.ITEMS_ALREADY_OUT: bool(cleared & balances.home_out)},
        Kind.IMPORTATION: {Warning.ITEMS_ALREADY_ADMITTED: bool(cleared & admitted)},
        Kind.REEXPORTATION: {
            Warning.ITEMS_NOT_ADMITTED: not cleared <= admitted,
            Warning.FINAL_DATE_PASSED: late,
        },
        Kind.REIMPORTATION: {
            Warning.ITEMS_NOT_OUT: not cleared <= balances.home_out,
            Warning.REEXPORTATION_MISSING: bool(cleared & elsewhere),
        },
        Kind.TRANSIT_OPEN: {Warning.TRANSIT_ALREADY_OPEN: bool(cleared & opened)},
        Kind.TRANSIT_CLOSE: {
            Warning.TRANSIT_ITEMS_DIFFER: cleared != opened,
            Warning.TRANSIT_LATE: late,
        },
    }[kind]
    return frozenset(warning for warning, holds in found.items() if holds)
