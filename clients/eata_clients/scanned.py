"""A voucher as the desk has opened it: what Customs may see at this moment, and no more."""

from collections.abc import Iterable
from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.carnet.warnings import warnings
from eata_ledger.encoding import sha256
from eata_ledger.proof import bodies
from eata_ledger.proof.bodies import EntryType
from eata_ledger.proof.entry import declaration_digest
from eata_ledger.state import Carnet, CarnetState, Incident, Transaction, Voucher
from eata_proto.v1 import reading_pb2

from eata_clients.authoring.clearing import Decision, Presented
from eata_clients.authoring.content import CarnetContent, Counterfoil, DeclarationContent
from eata_clients.comparing import Agreed
from eata_clients.documents import Document
from eata_clients.errors import Untrusted
from eata_clients.lent import Lent
from eata_clients.opening import find

_DECLARING = (bodies.Travel, bodies.EditTravel, bodies.Renew)


@dataclass(frozen=True)
class Scanned:
    """A voucher as opened at the desk: what Customs may see at this moment, and no more.

    `declared_in` is (ledger index, entry hash) of the holder's declaration; `elsewhere` where else this code
    was shown before, as (office, ms UTC); `agreed` how many nodes tell all this alike.
    """

    presented: Presented
    carnet: Carnet
    state: CarnetState
    voucher: Voucher
    two_step: bool
    content: CarnetContent
    details: DeclarationContent
    history: list[tuple[Transaction, Counterfoil | None]]
    incidents: list[Incident]
    links: list[tuple[str, str]]
    declared_in: tuple[int, bytes]
    elsewhere: list[tuple[str, int]]
    documents: list[Document]
    lent: Lent | None
    agreed: Agreed

    @property
    def held(self) -> Incident | None:
        """The hold in force in this territory."""
        released = {i.about for i in self.incidents if i.type is EntryType.RELEASE}
        holds = [i for i in self.incidents if i.type is EntryType.HOLD and i.index not in released]
        return holds[-1] if holds else None

    @property
    def last(self) -> Transaction | None:
        """The newest live movement of goods before this one, as far as the territory sees."""
        moved = [row for row, _ in self.history if row.cancelled is None and row.kind is not Kind.VALIDATION]
        return moved[-1] if moved else None

    def warnings(self, decision: Decision, day: int) -> list[str]:
        """What the rules will want acknowledged on the office's local `day` (C-20)."""
        kind, territory = decision.kind or self.presented.kind, self.presented.territory
        held = self.state.transits if kind is Kind.TRANSIT_CLOSE else self.state.arrivals
        found = warnings(
            kind, territory, self.state.balances, held.get(territory, ()), day,
            decision.items | decision.not_returned, self.exit_first and kind is Kind.EXPORTATION,
        )  # fmt: skip
        return sorted(warning.name for warning in found)

    @property
    def exit_first(self) -> bool:
        """No pre-exportation on this voucher yet; it matters where home exports in two steps."""
        return self.two_step and self.voucher.pre_exported is None


def declared(
    parts: Iterable[reading_pb2.SealedPart], voucher_key: bytes, ledger: bytes, carnet_id: int
) -> tuple[bodies.Declaration, bytes, bytes]:
    """The list item and digest of this voucher, and its entry's hash, from the header its holder signed.

    `apply` pins the digest.

    What the node itself says of the declaration is not used: it could show fewer items than were declared.
    """
    found = find(parts, Label.PACKET)
    body = None if found is None else found[0].body
    if found is None or not isinstance(body, _DECLARING) or body.carnet_id != carnet_id:
        raise Untrusted("the voucher's travel is missing")
    listed = (body.declaration,) if isinstance(body, bodies.Renew) else body.declarations
    declaration = next((d for d in listed if d.voucher_key == voucher_key), None)
    if declaration is None:
        raise Untrusted("the travel does not hold this voucher")
    infos = tuple(info for info in found[0].parts if info.slot == declaration.slot)
    digest = declaration_digest(ledger, carnet_id, declaration.to_value(), infos)
    return declaration, digest, sha256(found[0].signed)
