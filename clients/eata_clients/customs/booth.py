"""A booth with no network (U1): decides from a declaration card, shows how old its trust is, queues signed commits."""

from dataclasses import dataclass, replace
from pathlib import Path

from eata_host.files import write_secret
from eata_ledger.carnet.blocks import Case, require_open
from eata_ledger.carnet.dates import DAY, local_day
from eata_ledger.carnet.vocabulary import Label, Validated, Warning
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import Commit, RegisterOffice
from eata_ledger.log.certificate import Certified
from eata_ledger.log.entry import Entry
from eata_ledger.outcomes import Outcome, Refused, advice, sentence
from eata_ledger.proof.card import Card
from eata_ledger.proof.trust import ReceiptCheck as Proof
from eata_ledger.seal.aead import CannotOpen, Context, unseal
from eata_ledger.seal.codes import code_keys
from eata_ledger.seal.stanza import Keys

from eata_clients.authoring import clearing
from eata_clients.authoring.clearing import Decision, Desk, Presented
from eata_clients.authoring.content import Stamp
from eata_clients.customs.verdict import Verdict, Word, stop
from eata_clients.net.errors import EataError
from eata_clients.net.outbox import Outbox
from eata_clients.net.transport import Transport
from eata_clients.trust import registry_pages
from eata_clients.trust.registry import Registry
from eata_clients.trust.trust_file import Age, Freshness, TrustKeeper
from eata_clients.zones import offset_at

LIFE = 7 * DAY  # how long a queued commit may wait (trust §2)


@dataclass(frozen=True)
class Sight:
    """What a booth sees of a card: the declaration as the ledger vouched for it at `as_of` (ms UTC), and how sure."""

    card: Card
    presented: Presented
    proof: Proof
    age: Age
    as_of: int


class Booth:
    """One desk's folder: its trust file, its registry, its queue; no transport."""

    def __init__(self, folder: Path, ledger: bytes, desk: Desk) -> None:
        self._folder, self._ledger, self._desk = folder, ledger, desk
        self.trust, self.outbox = TrustKeeper(folder, ledger), Outbox(folder / "outbox")
        self._used = folder / "booth-used"

    async def prepare(self, transport: Transport) -> Age:
        """While on line: the newest trust file and registry. Their age is counted from here."""
        registry = await registry_pages.fetch(transport, registry_pages.read(self._folder, self._ledger))
        if registry.attested < registry.charter.one_honest:
            raise EataError(
                "TOO_FEW_NODES", "Too few nodes are there to prepare this desk.", "Try again when more of them are.",
                retryable=True,
            )  # fmt: skip
        trust = await self.trust.refresh(transport, registry)
        registry_pages.keep(self._folder, registry)
        return self.trust.age(trust.vouched_at)

    def registry(self) -> Registry:
        """As last fetched. Raises `EataError`."""
        found = registry_pages.read(self._folder, self._ledger)
        if found is None:
            raise EataError("TRUST_MISSING", "This desk is not prepared.", "Run `eata customs prepare` on line.")
        return found

    def look(self, text: str, now: int) -> Sight:
        """Opens a declaration card; 60 to 200 ms for its code. Raises `Malformed`, `EataError`."""
        card, trust = Card.read(text), self.trust.read()
        proof, claim = card.check(trust), card.claim
        if not proof.good:
            raise EataError(
                "CARD_NOT_PROVED",
                f"The declaration is not proved: {proof.why}.",
                "Do not go by it; have the holder fetch it again (`eata wallet cards`).",
            )
        self.trust.see(claim.log_time)
        facts, prepared, declaration = card.facts, card.prepared(self._ledger), card.declaration
        keys = code_keys(card.code, self._ledger, facts.carnet_id)
        if keys.sign.public != declaration.voucher_key:
            raise EataError("CODE_INVALID", "The card's code is not this voucher's.", "Ask the holder for another.")
        place = Context(self._ledger, facts.carnet_id, Label.PACKET, card.slot)
        try:
            packet = Keys.from_bytes(unseal(keys.wrap, place, card.packet))
        except CannotOpen:
            raise Malformed("the card's packet does not open with its code") from None
        presented = Presented(
            facts.carnet_id, card.slot, declaration.kind, declaration.territory, facts.home, prepared.digest,
            declaration.items, declaration.not_returned, keys, packet,
        )  # fmt: skip
        return Sight(card, presented, proof, self.trust.age(now), claim.log_time)

    def verdict(self, sight: Sight, now: int) -> Verdict:
        """What can be said with no network; holds, cancellations and a use elsewhere show on reconnecting."""
        registry = self.registry()
        office = registry.offices.get(self._desk.office)
        if office is None or not office.active:
            return stop(Outcome.OFFICE_INACTIVE)
        case = self._case(sight, now, registry, office)
        found = self._blocked(sight, now, case)
        if found is not None:
            return stop(found)
        if sight.age.freshness is Freshness.STALE:
            return Verdict(Word.LOOK, "TRUST_STALE", f"{sight.age}.", "Queue it, and decide when on line again.")
        if case.waits_for_validation:
            said = f"The carnet was not validated when this was prepared; {sight.age}."
            return Verdict(
                Word.LOOK,
                Outcome.NOT_VALIDATED.name,
                said,
                "See the validation's receipt; or have the holder prepare the travel again on line.",
            )
        said = f"Nothing stood in the way when the holder prepared it; {sight.age}."
        return Verdict(Word.GO, "", said, "Check the goods, then commit: it is provisional until on line.")

    def queued(self, voucher_key: bytes) -> bool:
        """A commit of this voucher waits here to be sent."""
        bodies = (entry.header.body for entry in self.outbox.waiting())
        return any(isinstance(body, Commit) and body.voucher_key == voucher_key for body in bodies)

    def _blocked(self, sight: Sight, now: int, case: Case) -> Outcome | None:
        certificate = Certified.from_bytes(self._desk.certificate).certificate
        if not certificate.lives_at(now):
            return Outcome.CERT_EXPIRED
        if self._taken(sight.presented.voucher.sign.public):
            return Outcome.CODE_CONSUMED
        try:
            require_open(replace(case, digital=False))  # a validation may have come since: no block here
        except Refused as refused:
            return refused.outcome
        return None

    def _case(self, sight: Sight, now: int, registry: Registry, office: RegisterOffice) -> Case:
        """What can be known with no network; the rest is taken to be well."""
        facts, shown, home = sight.card.facts, sight.presented, registry.territories.get(sight.card.facts.home)
        listed = (shown.territory, office.territory) if sight.card.prepared(self._ledger).listed else ()
        return Case(
            shown.kind, local_day(now, offset_at(office, now)), office.territory, shown.kind, shown.territory, facts.home,
            listed, facts.valid_until, home is not None and home.digital_from is not None,
            validated=Validated.YES if facts.validated else Validated.NO,
        )  # fmt: skip

    def _taken(self, voucher_key: bytes) -> bool:
        """This booth has taken the voucher before, sent or not."""
        used = self._used.read_text().split() if self._used.exists() else ()
        return voucher_key.hex() in used or self.queued(voucher_key)

    def commit(self, sight: Sight, decision: Decision, now: int) -> Entry:
        """Seals, signs and queues; `eata customs resend` brings it to the ledger, which alone decides.

        Balances cannot be seen from here, so every warning is acknowledged, with the officer's reason.
        """
        registry = self.registry()
        office = registry.offices.get(self._desk.office)
        if office is None:
            raise EataError("OFFICE_INACTIVE", f"Office {self._desk.office} is not registered.", "Choose another.")
        if self._taken(sight.presented.voucher.sign.public):
            raise EataError("CODE_CONSUMED", sentence(Outcome.CODE_CONSUMED), advice(Outcome.CODE_CONSUMED))
        entry = clearing.commit(
            self._ledger, self._desk, sight.presented, decision, registry.live(now),
            registry.issuer(sight.card.facts.issuer), Stamp(now, offset_at(office, now), LIFE),
        )  # fmt: skip
        self.outbox.keep(entry)  # first: a crash between the two loses no commit
        taken = sight.presented.voucher.sign.public.hex()
        before = self._used.read_text() if self._used.exists() else ""
        write_secret(self._used, f"{before}{taken}\n".encode())
        return entry


ALL_WARNINGS = tuple(sorted(Warning))
