"""The public facts of a declaration: what its receipt proves of a travel and its carnet, with the declared part beside it."""

from dataclasses import dataclass

from eata_ledger.encoding import Malformed, Value
from eata_ledger.log.bodies import EntryType
from eata_ledger.log.declared import MOST_VOUCHERS
from eata_ledger.record import BOOL, CODE, DAY, HASH, U16, U64, Record, array, f, nested

_DECLARING = frozenset({int(EntryType.TRAVEL), int(EntryType.EDIT_TRAVEL), int(EntryType.RENEW)})


@dataclass(frozen=True)
class Prepared(Record):
    """One voucher: its declaration's digest; `listed` if it is for home or Box P; the slot it replaces, 0 for none."""

    slot: int = f(U16)
    digest: bytes = f(HASH)
    listed: bool = f(BOOL)
    replaces: int = f(U16)


@dataclass(frozen=True)
class TravelFacts(Record):
    """The public facts of Travel, EditTravel and Renew: nothing here says where the goods go."""

    type: int = f(U16)
    carnet_id: int = f(U64)
    vouchers: tuple[Prepared, ...] = f(array(nested(Prepared), MOST_VOUCHERS))
    number: str = f(CODE)
    issuer: str = f(CODE)
    home: str = f(CODE)
    valid_until: int = f(DAY)
    validated: bool = f(BOOL)
    test: bool = f(BOOL)


def facts_of(facts: Value) -> TravelFacts:
    """The facts of a declaration. Raises `Malformed`."""
    found = TravelFacts.from_value(facts)
    if found.type not in _DECLARING:
        raise Malformed("the statement is of no declaration")
    return found
