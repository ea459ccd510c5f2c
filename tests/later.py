"""Made-up rules 2, so that what brings later rules into force is tried before there are any.

They open one type, by which an issuer leaves a mark on a carnet of its own, and nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from eata_ledger import rules
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.log.bodies import Body, EntryType
from eata_ledger.record import U64, f
from eata_ledger.rules import authors
from eata_ledger.rules.act import Act
from eata_ledger.rules.issuer import own_carnet

LATER = 2


def _made_up(number: int) -> EntryType:
    member = int.__new__(EntryType, number)
    member._name_, member._value_ = "MARK", number
    return member


@dataclass(frozen=True)
class Mark(Body):
    """A type that rules 1 do not know."""

    TYPE = _made_up(127)
    carnet_id: int = f(U64)


def _mark(act: Act, body: Mark) -> Value:
    act.require_parts()
    carnet, _ = own_carnet(act, body.carnet_id)
    act.record(body.carnet_id, carnet.home)
    return [int(body.TYPE), body.carnet_id]


@contextmanager
def later_rules() -> Iterator[None]:
    """This process is a build that knows rules 2; a node that announces 1 among its own is an older one."""
    with (
        mock.patch.dict(EntryType._value2member_map_, {127: Mark.TYPE}),
        mock.patch.dict(bodies.BODIES, {127: Mark}),
        mock.patch.dict(bodies.SINCE, {Mark.TYPE: LATER}),
        mock.patch.dict(rules._RULES, {Mark: _mark}),
        mock.patch.object(authors, "_BY_ORGANISATION", (*authors._BY_ORGANISATION, Mark)),
    ):
        yield
