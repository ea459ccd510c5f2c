"""A voucher as the desk has opened it: what Customs may see at this moment, and no more."""

from dataclasses import dataclass, field

from eata_ledger.carnet.vocabulary import Kind, Label, OrderType
from eata_ledger.carnet.warnings import warnings
from eata_ledger.encoding import Malformed
from eata_ledger.log.declared import Declaration, Declared, declaration_digest
from eata_ledger.log.keys import verify
from eata_ledger.state import Carnet, CarnetState, HoldFact, Incident, Stay, Transaction, Voucher

from eata_clients.authoring.clearing import Decision, Presented
from eata_clients.authoring.content import CarnetContent, Counterfoil, DeclarationContent, Remarks
from eata_clients.net.errors import Untrusted
from eata_clients.opened.documents import Document
from eata_clients.opened.lending import Lent
from eata_clients.opened.parts import Excerpts
from eata_clients.trust.comparing import Agreed


@dataclass(frozen=True)
class Scanned:
    """A voucher as opened at the desk: what Customs may see at this moment, and no more.

    `stay` and `hold` are of this territory. `root` is the number of the holder's root now: a code from another is void. `declared_in` is (ledger index, entry hash) of the holder's declaration; `elsewhere` where else this code
    was shown before, as (office, ms UTC); `agreed` how many nodes tell all this alike, the registry
    that it is judged by among it. By ledger index of a transaction or an incident: `said` is what this territory's
    officers have sealed of it, where an opener's key was given; `notes` what the holder has against it.
    """

    presented: Presented
    carnet: Carnet
    state: CarnetState
    stay: Stay
    hold: HoldFact | None
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
    root: int
    lent: Lent | None
    agreed: Agreed
    said: dict[int, Remarks] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)

    @property
    def last(self) -> Transaction | None:
        """The newest live movement of goods before this one, as far as the territory sees."""
        moved = [row for row, _ in self.history if row.cancelled is None and row.kind is not Kind.VALIDATION]
        return moved[-1] if moved else None

    def warnings(self, decision: Decision, day: int) -> list[str]:
        """What the rules will want acknowledged on the office's local `day` (C-20)."""
        kind = decision.kind or self.presented.kind
        found = warnings(
            kind, self.state.local(self.stay), self.stay.open(kind), day, decision.items | decision.not_returned,
            self.exit_first and kind is Kind.EXPORTATION, self.replaced,
        )  # fmt: skip
        return sorted(warning.name for warning in found)

    @property
    def replaced(self) -> bool:
        """A replacement of this carnet was issued."""
        return any(relation == "REPLACED_BY" for relation, _ in self.links)

    @property
    def paper(self) -> bool:
        """A paper carnet goes with it (C-11)."""
        return self.carnet.order is OrderType.CLONE or any(relation == "TWIN" for relation, _ in self.links)

    def mark(self, item: int) -> str:
        """What this territory's Customs wrote of an item last; empty for nothing."""
        return next(
            (one.item_marks[item] for _, one in sorted(self.said.items(), reverse=True) if item in one.item_marks), ""
        )

    @property
    def exit_first(self) -> bool:
        """No pre-exportation on this voucher yet; it matters where home exports in two steps."""
        return self.two_step and self.voucher.pre_exported is None


def declared(
    excerpts: Excerpts, voucher: Voucher, key: bytes, ledger: bytes, carnet_id: int
) -> tuple[Declaration, bytes]:  # fmt: skip
    """This voucher's declaration, which the code itself has signed, and its digest, which the log has judged.

    What the node itself says of the declaration is not used: it could show fewer items than were declared.
    """
    part = excerpts.find(Label.DECLARED, voucher.entry, voucher.slot)
    if part is None or getattr(part.header.body, "carnet_id", None) != carnet_id:
        raise Untrusted("the voucher's travel is missing")
    digests = tuple(info.digest for info in part.header.parts if info.slot == voucher.slot)
    try:
        found = Declared.from_part(part.value)
    except Malformed as error:
        raise Untrusted(f"the declaration does not read: {error}") from None
    own = found.declaration.voucher_key == key and found.declaration.slot == voucher.slot
    if not own or len(digests) != 3 or not found.genuine(ledger, carnet_id, (digests[1], digests[2]), verify):
        raise Untrusted("the declaration is not signed by the voucher's own code")
    return found.declaration, declaration_digest(ledger, carnet_id, voucher.slot, digests)
