"""Soft warnings: breaches of the goods balance that need a typed reason (C-20, domain §2.2)."""

from eata_ledger.carnet.goods.balances import Local
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.goods.openings import Open
from eata_ledger.carnet.vocabulary import Kind, Warning


def warnings(
    kind: Kind, here: Local, openings: Open, day: int, cleared: Items, exit_first: bool = False,
    replaced: bool = False,
) -> frozenset[Warning]:  # fmt: skip
    """What an officer must acknowledge on the local day `day`.

    `openings` are the territory's open transits for a transit's close, its open arrivals for all others;
    `cleared` is declared and not returned; `exit_first`: an EU exit with no pre-exportation before it; `replaced`: a replacement was issued,
    so that the original comes home before it leaves the territory (ACC-REPL).
    """
    touched = tuple(opening for opening in openings if opening.items & cleared)
    late = any(day > opening.final_day for opening in touched)
    found = {
        Kind.VALIDATION: {},
        Kind.PRE_EXPORTATION: {Warning.ITEMS_ALREADY_OUT: bool(cleared & here.home_out)},
        Kind.EXPORTATION: {
            Warning.ITEMS_ALREADY_OUT: bool(cleared & here.home_out),
            Warning.NO_PRE_EXPORTATION: exit_first,
        },
        Kind.IMPORTATION: {Warning.ITEMS_ALREADY_ADMITTED: bool(cleared & here.admitted)},
        Kind.REEXPORTATION: {Warning.ITEMS_NOT_ADMITTED: not cleared <= here.admitted, Warning.FINAL_DATE_PASSED: late},
        Kind.REIMPORTATION: {
            Warning.ITEMS_NOT_OUT: not cleared <= here.home_out,
            Warning.REEXPORTATION_MISSING: bool(cleared & here.abroad) and not replaced,
        },
        Kind.TRANSIT_OPEN: {Warning.TRANSIT_ALREADY_OPEN: bool(cleared & here.transit)},
        Kind.TRANSIT_CLOSE: {
            Warning.TRANSIT_ITEMS_DIFFER: all(opening.items != cleared for opening in touched),
            Warning.TRANSIT_LATE: late,
        },
    }[kind]
    return frozenset(warning for warning, holds in found.items() if holds)
