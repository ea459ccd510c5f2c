"""Vouchers in another's hands (U11): read from the header that the holder signed."""

from collections.abc import Iterable
from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.proof import bodies
from eata_proto.v1 import reading_pb2

from eata_clients.authoring.keeping import GrantContent
from eata_clients.opening import find, open_part


@dataclass(frozen=True)
class Lent:
    """Who else may present this voucher (U11); the window in ms UTC; `paper` the attached authority's blob."""

    content: GrantContent
    valid_from: int
    valid_to: int
    paper: bytes | None


def lent(parts: Iterable[reading_pb2.SealedPart], content_key: bytes, ledger: bytes, carnet_id: int) -> Lent | None:
    """To whom the holder has lent the voucher, from the header the holder signed; None: to nobody."""
    parts = list(parts)
    found = find(parts, Label.GRANT)
    body = None if found is None else found[0].body
    if not isinstance(body, bodies.Delegate) or body.carnet_id != carnet_id:
        return None
    opened = open_part(parts, Label.GRANT, content_key, ledger, carnet_id)
    assert opened is not None, "found above"
    return Lent(GrantContent.from_bytes(opened), body.valid_from, body.valid_to, body.authority)
