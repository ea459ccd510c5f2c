"""What a node told a reader, as one digest: readers compare it between nodes, and a lie is kept with its signature."""

from collections.abc import Iterable

from eata_proto.v1 import reading_pb2

from eata_ledger.encoding import Value, encode, hash_of, sha256
from eata_ledger.proof.keys import pae

PAYLOAD_TYPE = "application/vnd.eata.told.v1+cbor"


def to_sign(ledger: bytes, asked: bytes, digest: bytes, era: int, position: int) -> bytes:
    """What a node's statement key signs; `asked` is the SHA-256 of what the reader signed."""
    return pae(PAYLOAD_TYPE, encode([ledger, asked, digest, era, position]))


def digest_of(reply: reading_pb2.CarnetReply) -> bytes:
    """Of everything in a carnet's reply that comes from the log; sealed parts by the headers that bind them."""
    reconciliation = reply.reconciliation
    told: list[Value] = [
        reply.record,
        reply.state,
        _parts(reply.parts),
        [[row.index, row.record, _parts(row.parts)] for row in reply.rows],
        [[voucher.slot, voucher.record, voucher.grant, _parts(voucher.parts)] for voucher in reply.vouchers],
        [reconciliation.status, reconciliation.as_of, _reasons(reconciliation.reasons)],
        [[incident.index, incident.record, _parts(incident.parts)] for incident in reply.incidents],
        [[link.relation, link.carnet_id, link.number] for link in reply.links],
        [[notice.record, _parts(notice.parts)] for notice in reply.notices],
        [[device.key_id, device.role, device.revoked] for device in reply.devices],
        [[found.index, found.code, found.office, found.slot, found.event_time] for found in reply.refused],
    ]
    return hash_of(told)


def _parts(parts: Iterable[reading_pb2.SealedPart]) -> Value:
    return [[sha256(part.header), part.number] for part in parts]


def _reasons(reasons: Iterable[reading_pb2.Reason]) -> Value:
    return [[reason.kind, reason.territory, reason.items] for reason in reasons]
