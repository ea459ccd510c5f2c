"""The public facts of a declaration (rules 3): what its receipt proves of a travel and its carnet."""

from dataclasses import dataclass

from eata_ledger.carnet.items import ITEMS, Items
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.encoding import Malformed, Value
from eata_ledger.proof.bodies import EntryType
from eata_ledger.record import BOOL, CODE, DAY, HASH, KEY, RANDOM16, U16, U64, Record, array, enum, f, nested

_DECLARING = frozenset({int(EntryType.TRAVEL), int(EntryType.EDIT_TRAVEL), int(EntryType.RENEW)})


@dataclass(frozen=True)
class Prepared(Record):
    """One voucher of a travel as its public facts tell it; `listed` if Box P names its territory."""

    slot: int = f(U16)
    kind: Kind = f(enum(Kind))
    territory: str = f(CODE)
    items: Items = f(ITEMS)
    not_returned: Items = f(ITEMS)
    digest: bytes = f(HASH)
    voucher_key: bytes = f(KEY)
    listed: bool = f(BOOL)


@dataclass(frozen=True)
class TravelFacts(Record):
    """The public facts of Travel, EditTravel and Renew under rules 3."""

    type: int = f(U16)
    carnet_id: int = f(U64)
    travel_id: bytes = f(RANDOM16)
    vouchers: tuple[Prepared, ...] = f(array(nested(Prepared), 32))
    number: str = f(CODE)
    issuer: str = f(CODE)
    home: str = f(CODE)
    valid_until: int = f(DAY)
    validated: bool = f(BOOL)
    test: bool = f(BOOL)
    replaces_slot: int = f(U16)


def facts_of(facts: Value) -> TravelFacts:
    """The facts of a declaration. Raises `Malformed`."""
    found = TravelFacts.from_value(facts)
    if found.type not in _DECLARING:
        raise Malformed("the statement is of no declaration")
    return found
