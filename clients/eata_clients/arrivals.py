"""Pre-notifications as the office reads them, with its territory's opener (ACC-43)."""

from collections.abc import Mapping
from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.state import Notice, Voucher
from eata_proto.v1 import lists_pb2

from eata_clients.authoring.content import CarnetContent, DeclarationContent, NoticeDetails
from eata_clients.errors import Untrusted
from eata_clients.opening import open_carnet, open_part, open_stanza


@dataclass(frozen=True)
class Arrival:
    """A pre-notification; what the opener's keys do not open is None. `key` seals the answer."""

    number: str
    notice: Notice
    kind: str
    voucher: Voucher | None
    details: NoticeDetails | None
    declaration: DeclarationContent | None
    content: CarnetContent | None
    key: bytes | None


def read_arrival(listed: lists_pb2.ListedNotice, openers: Mapping[bytes, SealingKey], ledger: bytes) -> Arrival:
    """Opens what the notice hands this territory."""
    notice = Notice.from_bytes(listed.record)
    voucher = Voucher.from_bytes(listed.voucher) if listed.voucher else None
    carnet_id, found = notice.carnet_id, None
    for key_id, opener in openers.items():
        try:
            found = found or open_stanza(listed.parts, opener, key_id, ledger, carnet_id)
        except Untrusted:
            continue
    details = declaration = content = key = None
    if found is not None and found.extra is not None:
        key = found.extra
        try:
            opened = open_part(listed.parts, Label.NOTICE, key, ledger, carnet_id)
            details = None if opened is None else NoticeDetails.from_bytes(opened)
            if found.leaf is not None and found.content is not None and listed.carnet:
                declared = open_part(listed.parts, Label.DECLARATION, found.leaf, ledger, carnet_id)
                declaration = None if declared is None else DeclarationContent.from_bytes(declared)
                content = CarnetContent.from_bytes(open_carnet(listed.carnet, found.content, ledger, carnet_id))
        except (Untrusted, Malformed):
            pass
    return Arrival(listed.number, notice, listed.kind, voucher, details, declaration, content, key)
