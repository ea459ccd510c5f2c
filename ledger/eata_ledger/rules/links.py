"""Links between carnets: replacement, twin, clone (CORE-06, NICS-08, ACC-REPL)."""

from eata_ledger.carnet.vocabulary import OrderType, Status
from eata_ledger.log.bodies import Issue
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.state import Carnet, CarnetState, Link

REPLACES, REPLACED_BY = b">", b"<"
_LINKED = frozenset({OrderType.REPLACEMENT, OrderType.TWIN})


def linked(act: Act, carnet_id: int, relation: OrderType, direction: bytes) -> tuple[int, ...]:
    """The carnets on the other end that are not cancelled."""
    found = act.facts.get(Link, carnet_id, int(relation), direction)
    others = () if found is None else found.others
    return tuple(other for other in others if act.state(other).status is not Status.CANCELLED)


def link(act: Act, body: Issue, issuer: str, today: int) -> None:
    """Writes both ends of the new carnet's link, or refuses it. A clone has the paper's own number: no other ID."""
    if body.order not in _LINKED:
        if body.links:
            raise Refused(Outcome.LINK_WRONG)
        return
    if [relation for relation, _ in body.links] != [body.order]:
        raise Refused(Outcome.LINK_WRONG)
    other = act.facts.get(Carnet, body.links[0][1])
    if other is None or other.issuer != issuer or other.home != body.home:
        raise Refused(Outcome.LINK_WRONG, "the other carnet is not one of this issuer's and this home")
    if body.order is OrderType.REPLACEMENT:
        _require_replaceable(act, other, today)
    for carnet_id, direction, end in (
        (body.carnet_id, REPLACES, other.carnet_id),
        (other.carnet_id, REPLACED_BY, body.carnet_id),
    ):
        kept = act.facts.get(Link, carnet_id, int(body.order), direction)
        others = (*(() if kept is None else kept.others), end)
        if len(others) > 8:
            raise Refused(Outcome.LINK_WRONG, "too many twins")
        act.facts.put(Link(others), carnet_id, int(body.order), direction)


def _require_replaceable(act: Act, original: Carnet, today: int) -> None:
    """Used, still valid, and once in a chain (domain §2.1)."""
    state: CarnetState = act.state(original.carnet_id)
    if state.status is not Status.ACTIVATED or today > original.valid_until:
        raise Refused(Outcome.NOT_REPLACEABLE)
    if original.order is OrderType.REPLACEMENT or linked(act, original.carnet_id, OrderType.REPLACEMENT, REPLACED_BY):
        raise Refused(Outcome.NOT_REPLACEABLE, "a chain has one replacement")
