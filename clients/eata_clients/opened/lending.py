"""Vouchers in another's hands (U11): read from the header that the holder signed."""

from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.log import bodies

from eata_clients.authoring.keeping import GrantContent
from eata_clients.opened.parts import Excerpts


@dataclass(frozen=True)
class Lent:
    """Who else may present this voucher (U11); the window in ms UTC; `paper` the attached authority's blob."""

    content: GrantContent
    valid_from: int
    valid_to: int
    paper: bytes | None


def lent(excerpts: Excerpts, slot: int, key: bytes, carnet_id: int) -> Lent | None:
    """To whom the holder has lent a voucher, from the header the holder signed; None: to nobody. `key`: the slot's leaf key."""
    part = excerpts.find(Label.GRANT, slot=slot)
    body = None if part is None else part.header.body
    if part is None or not isinstance(body, bodies.Delegate) or body.carnet_id != carnet_id:
        return None
    content = GrantContent.from_bytes(part.unsealed(key, carnet_id))
    return Lent(content, body.valid_from, body.valid_to, body.authority)
