"""Everything that is wrong with an order, at once: what its fields say, what the registry knows, what the ledger holds."""

from eata_clients.issuer.client import Issuer
from eata_clients.net.errors import EataError
from eata_clients.trust.registry import Registry
from eata_ledger.carnet.vocabulary import CarnetType, Status
from eata_ledger.encoding import Malformed
from eata_ledger.rules.reference import sets_code
from eata_ledger.state import Carnet, CarnetState
from eata_proto.v1 import gateway_pb2

from eata_nics.orders import Problem, order_from, problems, sets_from


async def judge(request: gateway_pb2.IssueRequest, issuer: Issuer) -> list[Problem]:
    """As `Issue` and then the ledger would judge it now; nothing is written."""
    registry = await issuer.registry()
    own = registry.organisations.get(issuer.party.code)
    found = problems(request, set(registry.territories), own, registry.today)
    if not found:
        try:
            order_from(request)
        except Malformed as error:
            found.append(("GENERAL_LIST", str(error)))
    found += _sets(request, registry)
    found += [
        *await _taken(request, issuer),
        *await _link(request.twin_of, issuer, replaced=False),
        *await _link(request.replaces, issuer, replaced=True),
    ]
    return found


def _sets(request: gateway_pb2.IssueRequest, registry: Registry) -> list[Problem]:
    """Sets that the reference data does not give this type in this home."""
    try:
        kind, wanted = CarnetType[request.type or "ATA"], sets_from(request.sets)
    except (KeyError, Malformed):
        return []  # told already
    listed = registry.voucher_sets
    known = listed.get(sets_code(kind, request.home)) or listed.get(sets_code(kind, None))
    missing = [] if known is None else sorted(one.name for one, n in wanted.items() if n and one not in known.colours)
    return [
        ("SETS", f"sets: a carnet of type {kind.name} has no {name} vouchers in {request.home}") for name in missing
    ]


async def _taken(request: gateway_pb2.IssueRequest, issuer: Issuer) -> list[Problem]:
    if await _carnet(request.number, issuer) is None or issuer.files.knows(request.request_id):
        return []
    return [("BOX_G", f"box G(a): a carnet has the number {request.number} already")]


async def _link(number: str, issuer: Issuer, replaced: bool) -> list[Problem]:
    """The other carnet is this issuer's own; one that is replaced has been used, and has not ended."""
    if not number:
        return []
    found = await _carnet(number, issuer)
    if found is None:
        return [("LINK", f"the other carnet: {number[:30]} is none of yours")]
    _, state = found
    if replaced and state.status is not Status.ACTIVATED:
        return [("LINK", f"the other carnet: {number} has not been used, or has ended: it cannot be replaced")]
    return []


async def _carnet(number: str, issuer: Issuer) -> tuple[Carnet, CarnetState] | None:
    try:
        reply = await issuer.carnet(number)
    except EataError as error:
        if error.retryable:
            raise
        return None
    return Carnet.from_bytes(reply.record), CarnetState.from_bytes(reply.state)
