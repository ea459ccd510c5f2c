"""What the gateway answers: replies from what the ledger gave, and refusals with code, sentence and advice."""

from collections.abc import Sequence
from datetime import UTC, datetime

import grpc
from eata_clients.authoring import issuing
from eata_clients.net.errors import EataError
from eata_clients.net.receipts import Committed
from eata_clients.opened.parts import Excerpts
from eata_clients.trust.registry import Registry
from eata_host.faults import Fault
from eata_ledger.carnet.dates import MINUTE, iso
from eata_ledger.carnet.journeys.reconciliation import reconcile
from eata_ledger.encoding import Malformed
from eata_ledger.log import bodies
from eata_ledger.state import Carnet, CarnetState, GoodsOut, Incident, Stay, Transaction
from eata_proto.errors import to_bytes
from eata_proto.v1 import gateway_pb2, reading_pb2

from eata_nics.formats import format_of

S = grpc.StatusCode
_STATUS = {"REQUEST_ID_REUSED": S.ALREADY_EXISTS, "NUMBER_TAKEN": S.ALREADY_EXISTS, "NOT_VISIBLE": S.PERMISSION_DENIED,
           "NOT_FOUND": S.NOT_FOUND, "ORDER_MALFORMED": S.INVALID_ARGUMENT, "ROLE_FORBIDDEN": S.PERMISSION_DENIED}  # fmt: skip


def changed(carnet_id: int, done: Committed) -> gateway_pb2.ChangeReply:
    return gateway_pb2.ChangeReply(
        carnet_id=carnet_id, index=done.index, statement=done.statement, standing=standing(done)
    )


def standing(done: Committed) -> gateway_pb2.Standing:
    return gateway_pb2.Standing(final=done.final, signers=done.signers, nodes=done.nodes)


def open_goods(reply: reading_pb2.CarnetReply) -> list[gateway_pb2.GatewayReason]:
    """What reconciliation would miss if the carnet ended now."""
    carnet, state = Carnet.from_bytes(reply.record), CarnetState.from_bytes(reply.state)
    balances = GoodsOut.of(state, map(Stay.from_bytes, reply.stays)).balances
    _, reasons = reconcile(balances, carnet.home, carnet.valid_until, carnet.valid_until + 1)
    return [gateway_pb2.GatewayReason(kind=r.kind.value, territory=r.territory, items=str(r.items)) for r in reasons]


def in_words(reasons: Sequence[gateway_pb2.GatewayReason]) -> str:
    """Items and territories."""
    words = {"MISSING_REEXPORTATION": "not re-exported from", "MISSING_REIMPORTATION": "not re-imported into"}
    return "; ".join(f"items {r.items} {words.get(r.kind, 'in transit through')} {r.territory}" for r in reasons)


def asked(excerpts: Excerpts, incident: Incident) -> gateway_pb2.GatewayAsk:
    """What a holder has asked, by the header it signed (APP-27, U7)."""
    body = excerpts.header(incident.index).body
    assert isinstance(body, bodies.Ask), "an issuer is shown no other incidents"
    return gateway_pb2.GatewayAsk(kind=body.kind.name, sets={kind.name: n for kind, n in body.sets.items()})


def summary(found: Transaction, full: bool) -> gateway_pb2.GatewayTransaction:
    local = datetime.fromtimestamp((found.event_time + found.offset * MINUTE) / 1000, UTC)
    return gateway_pb2.GatewayTransaction(
        index=found.index, kind=found.kind.name, territory=found.territory, office=found.office,
        items=str(found.items), not_returned=str(found.not_returned), time=local.strftime("%Y-%m-%dT%H:%M"),
        final_date="" if found.final_day is None else iso(found.final_day), cancelled=found.cancelled is not None,
        full=full,
    )  # fmt: skip


def issued(
    request: gateway_pb2.IssueRequest, issued: issuing.Issued, done: Committed, registry: Registry
) -> gateway_pb2.IssueReply:
    return gateway_pb2.IssueReply(
        carnet_id=issued.carnet_id, number=request.number, pin=issued.pin.shown, index=done.index,
        statement=done.statement, format=format_of(registry, request.home, list(request.itinerary)),
        standing=standing(done),
    )  # fmt: skip


def answer(
    request: gateway_pb2.IssueRequest,
    found: tuple[issuing.Issued, Committed] | EataError | Malformed,
    registry: Registry,
) -> gateway_pb2.IssueAnswer:
    if isinstance(found, EataError | Malformed):
        return gateway_pb2.IssueAnswer(refused=to_bytes(*coded(found)))
    return gateway_pb2.IssueAnswer(reply=issued(request, *found, registry))


def coded(error: Fault | Malformed) -> tuple[grpc.StatusCode, str, str, dict[str, str]]:
    """Status, code, sentence and advice."""
    if isinstance(error, Malformed):
        return S.INVALID_ARGUMENT, "ORDER_MALFORMED", f"{error}.", {"advice": "Correct the order."}
    retryable = isinstance(error, EataError) and error.retryable
    code = S.UNAVAILABLE if retryable else _STATUS.get(error.code, S.FAILED_PRECONDITION)
    return code, error.code, error.message, {"advice": error.advice}
