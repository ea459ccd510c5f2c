"""One entry under judgement: its facts, its moment, its signatures."""

from collections.abc import Callable
from dataclasses import dataclass, field

from eata_ledger.carnet.dates import AHEAD, AHEAD_STALLED
from eata_ledger.carnet.vocabulary import Label
from eata_ledger.facts import Facts
from eata_ledger.log.certificate import DeskCertificate
from eata_ledger.log.entry import Entry
from eata_ledger.log.genesis import Charter, Genesis
from eata_ledger.log.keys import key_id
from eata_ledger.outcomes import Outcome, Refused, Skipped
from eata_ledger.seal.stanza import MAX_CONTENT as MAX_STANZA
from eata_ledger.seal.stanza import OVERHEAD as STANZA_OVERHEAD
from eata_ledger.state import Carnet, CarnetState, Chain, CharterFact, Incident, Shredded, charter_of

KIB = 1_024
# No writer makes another's reading too much: the longest part of each kind, in bytes as sealed (docs/budgets.md).
LONGEST = {
    Label.CARNET: 480 * KIB, Label.DECLARED: 4 * KIB, Label.DECLARATION: 16 * KIB, Label.PACKET: KIB,
    Label.COUNTERFOIL: 16 * KIB, Label.FINAL: 16 * KIB, Label.REMARKS: 64 * KIB, Label.STANZA: STANZA_OVERHEAD + MAX_STANZA,
    Label.PIN_STANZA: KIB, Label.NOTICE: 8 * KIB, Label.ANSWER: 4 * KIB, Label.NOTE: 4 * KIB, Label.ATTACHMENT: 4 * KIB,
    Label.GRANT: 4 * KIB, Label.HOLDER_STANZA: KIB, Label.KEPT: 8 * KIB, Label.LINK: KIB,
}  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """Where in the log the entry stands; `log_time` is ms UTC, `announced` the newest rules that every node knows."""

    genesis: Genesis
    index: int
    log_time: int
    clock_stalled: bool = False
    announced: int = 0


@dataclass
class Act:
    """What a rule works with. `author` is the public key whose signature has been checked.

    `rules` is the version in force; `revoked`: it, or the authority that certified it, was revoked earlier in the log.
    """

    facts: Facts
    entry: Entry
    moment: Moment
    verify: Callable[[bytes, bytes, bytes], bool]
    rules: int
    author: bytes = b""
    revoked: bool = False
    desks: dict[bytes, tuple[DeskCertificate, str]] = field(default_factory=dict)

    def require_signature(self, public: bytes) -> None:
        """Raises `Skipped` unless `public` signed this header."""
        value = self.entry.signature_of(key_id(public))
        if value is None or not self.verify(public, value, self.entry.header.signed):
            raise Skipped(Outcome.SIGNATURE_INVALID)

    def require_parts(self, *wanted: tuple[Label, int, bytes | None]) -> None:
        """Raises `Refused` unless the sealed parts are exactly these: (label, slot, recipient)."""
        infos = self.entry.header.parts
        if tuple((info.label, info.slot, info.recipient) for info in infos) != wanted:
            raise Refused(Outcome.STANZAS_WRONG)
        for info in infos:
            if info.length > LONGEST[info.label]:
                raise Refused(Outcome.PART_TOO_LARGE, f"at most {LONGEST[info.label]} bytes of {info.label.name}")
            if info.label is Label.STANZA and info.length <= STANZA_OVERHEAD:
                raise Refused(Outcome.STANZAS_WRONG, "a stanza has another length")

    def require_not_ahead(self) -> None:
        """What has happened has happened by log time, as far as that runs. Raises `Skipped`: a little later it may be so."""
        ahead = AHEAD_STALLED if self.moment.clock_stalled else AHEAD
        if self.entry.header.event_time > self.moment.log_time + ahead:
            raise Skipped(Outcome.EVENT_AHEAD)

    def require_not_before(self, since: int, why: str) -> None:
        """What it rests on was there already, at `since` (ms UTC), but for clocks that are a little off. Raises `Refused`."""
        if self.entry.header.event_time + AHEAD < since:
            raise Refused(Outcome.EVENT_TIME_WRONG, why)

    def record(
        self, carnet_id: int, territory: str, by: tuple[str, bytes] | None = None, slot: int = 0,
        about: int | None = None,
    ) -> None:  # fmt: skip
        """The incident that this entry is, in the carnet's history; `by` is an office and its officer."""
        office, officer = by or (None, None)
        header, index = self.entry.header, self.moment.index
        incident = Incident(
            index, header.body.TYPE, territory, office, officer, slot, about, header.event_time, header.offset
        )  # fmt: skip
        self.facts.put(incident, carnet_id, index)

    def carnet(self, carnet_id: int) -> Carnet:
        found = self.facts.get(Carnet, carnet_id)
        if found is None:
            raise Refused(Outcome.CARNET_NOT_FOUND)
        if self.facts.get(Shredded, carnet_id) is not None:
            raise Refused(Outcome.CARNET_ERASED)
        return found

    def state(self, carnet_id: int) -> CarnetState:
        found = self.facts.get(CarnetState, carnet_id)
        assert found is not None, "every carnet has a state"
        return found

    @property
    def charter(self) -> Charter:
        """The node set and root in force where this entry stands."""
        return charter_of(self.moment.genesis, self.facts.get(CharterFact, b""))

    def chain(self) -> Chain:
        return self.facts.get(Chain, b"") or Chain(self.moment.genesis.first_id, 0)
