"""Pre-notifications as the office reads them, with its territory's opener (ACC-43)."""

from contextlib import suppress
from dataclasses import dataclass, replace

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import RegisterOffice
from eata_ledger.seal.aead import unpack
from eata_ledger.state import Notice, Voucher
from eata_proto.v1 import lists_pb2

from eata_clients.authoring.content import CarnetContent, DeclarationContent, NoticeDetails
from eata_clients.net.errors import Untrusted
from eata_clients.opened.parts import Excerpts, Openers, open_keys
from eata_clients.zones import local_time, offset_at, shown_offset


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

    def eta(self, office: RegisterOffice | None) -> str:
        """When it is expected, ISO by the office's own clock; empty where that is sealed."""
        if self.details is None:
            return ""
        offset = 0 if office is None else offset_at(office, self.details.eta)
        return local_time(self.details.eta, offset) + shown_offset(offset)

    def lines(self) -> list[str]:
        """What was opened of it, for the office."""
        found = [] if self.content is None else [f"holder: {self.content.holder}"]
        names = ("shipment", "mode", "identification", "representative", "representative_id", "city", "country", "text")
        said = [] if self.details is None else [(name, getattr(self.details, name)) for name in names]
        return found + [f"{name.replace('_', ' ')}: {text}" for name, text in said if text]


def read_arrival(listed: lists_pb2.ListedNotice, excerpts: Excerpts, openers: Openers) -> Arrival:
    """Opens what the notice hands this territory."""
    notice = Notice.from_bytes(listed.record)
    voucher = Voucher.from_bytes(listed.voucher) if listed.voucher else None
    carnet_id, keys = notice.carnet_id, None
    with suppress(Untrusted):
        keys = open_keys(excerpts, notice.entry, openers, carnet_id)
    found = Arrival(listed.number, notice, listed.kind, voucher, None, None, None, None)
    if keys is None or keys.extra is None:
        return found
    found = replace(found, key=keys.extra)
    with suppress(Untrusted, Malformed):
        part = excerpts.find(Label.NOTICE, notice.entry)
        found = replace(
            found, details=None if part is None else NoticeDetails.from_bytes(part.unsealed(keys.extra, carnet_id))
        )
        if keys.leaf is not None and keys.content is not None and voucher is not None:
            declared = excerpts.find(Label.DECLARATION, voucher.entry, voucher.slot)
            sealed = excerpts.find(Label.CARNET, listed.carnet)
            if declared is not None and sealed is not None:
                declaration = DeclarationContent.from_bytes(declared.unsealed(keys.leaf, carnet_id))
                content = CarnetContent.from_bytes(unpack(sealed.unsealed(keys.content, carnet_id)))
                found = replace(found, declaration=declaration, content=content)
    return found
