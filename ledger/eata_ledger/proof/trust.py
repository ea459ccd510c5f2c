"""The trust file: what a client needs to check a receipt with no network and no trust in one node."""

from dataclasses import dataclass

from eata_ledger.encoding import Malformed
from eata_ledger.log.chartering import CharterEntry, Reign, follow_all, in_force
from eata_ledger.log.genesis import Charter, Genesis, origin
from eata_ledger.log.opening import FIRST, EraOpening
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.checkpoint import Checkpoint, read_note, signature_lines
from eata_ledger.proof.cosignature import read as read_cosignatures
from eata_ledger.proof.statement import Claim, Standing, Statement
from eata_ledger.record import U32, U64, Record, array, blob, f, integer, nested, text


@dataclass(frozen=True)
class Trust(Record):
    """Genesis, the newest checkpoint seen, every decision of the root and every later era up to it, and the log time."""

    version: int = f(integer(1, 1))
    genesis_bytes: bytes = f(blob(1, 900_000))
    era: int = f(U32)
    checkpoint: str = f(text(64_000, lines=True))
    log_time: int = f(U64)
    charter_entries: tuple[CharterEntry, ...] = f(array(nested(CharterEntry), 4_096))
    openings: tuple[bytes, ...] = f(array(blob(1, 4_096), 4_096))

    @property
    def tree(self) -> Checkpoint:
        """The checkpoint; who signed it `check` has looked at. Raises `Malformed`."""
        return signature_lines(self.checkpoint)[0]

    @property
    def reigns(self) -> list[Reign]:
        """Node set and root as genesis and each decision left them. Raises `Malformed`."""
        tree = self.tree
        return follow_all(self.genesis, self.charter_entries, tree.size, tree.root)

    @property
    def charter(self) -> Charter:
        """Node set and root as the last decision left them. Raises `Malformed`."""
        return self.reigns[-1].charter

    @property
    def genesis(self) -> Genesis:
        return Genesis.from_bytes(self.genesis_bytes)

    @property
    def vouched_at(self) -> int:
        """ms UTC when more than half of the nodes last vouched for the checkpoint; 0 where none can."""
        charter = self.charter
        times = sorted(read_cosignatures(self.checkpoint, charter.nodes).values(), reverse=True)
        return times[charter.enough - 1] * 1000 if len(times) >= charter.enough else 0

    def check(self, pinned: bytes | None = None) -> None:
        """Raises `Malformed` unless the genesis is the pinned one and more than half of the nodes signed the checkpoint."""
        genesis = self.genesis
        if pinned is not None and genesis.ledger != pinned:
            raise Malformed("the trust file is of another ledger than the one pinned")
        reigns = self.reigns
        charter = reigns[-1].charter
        checkpoint, signed = read_note(self.checkpoint, charter.nodes)
        if checkpoint.origin != origin(genesis.ledger, self.era):
            raise Malformed("the checkpoint is of another log")
        if len(signed) < charter.enough:
            raise Malformed(f"{len(signed)} nodes signed the trust file's checkpoint, {charter.enough} must")
        self._check_eras(reigns)

    def _check_eras(self, reigns: list[Reign]) -> None:
        """Every era after the first is opened by the root of its day, one after another."""
        eras = [EraOpening.from_bytes(data) for data in self.openings]
        if [opening.era.era for opening in eras] != list(range(FIRST + 1, self.era + 1)):
            raise Malformed("the trust file leaves out how an era was opened")
        for opening in eras:
            if opening.era.ledger != reigns[0].charter.ledger or not opening.authorised(
                in_force(reigns, opening.era.size)
            ):
                raise Malformed(f"era {opening.era.era} is not opened by the root")

    def holds(self, claim: Claim) -> bool:
        """Whether an entry of the claim's era at its index is in the log of today: an era may have left out the end."""
        later = (EraOpening.from_bytes(data).era for data in self.openings)
        return claim.era <= self.era and all(claim.index < era.size for era in later if era.era > claim.era)


def _name(outcome: int) -> str:
    return Outcome(outcome).name if outcome in set(Outcome) else f"outcome {outcome}"


@dataclass(frozen=True)
class ReceiptCheck:
    """The one answer of receipt verification; `why` is a sentence for a person."""

    good: bool
    why: str
    claim: Claim | None = None
    signers: tuple[str, ...] = ()


def verify_receipt(data: bytes, trust: Trust) -> ReceiptCheck:
    """Checks a receipt against a trust file, offline. Good: more than half of the nodes of its day, or of a later one, signed."""
    try:
        trust.check()
        statement = Statement.from_bytes(data)
    except ValueError as error:
        return ReceiptCheck(False, f"not a receipt: {error}")
    claim = statement.claim
    if claim.ledger_prefix != trust.genesis.ledger[:8]:
        return ReceiptCheck(False, "the receipt is of another ledger", claim)
    if claim.era > trust.era:
        return ReceiptCheck(False, f"the receipt is of era {claim.era}, the trust file of era {trust.era}", claim)
    if not trust.holds(claim):
        return ReceiptCheck(
            False, f"a later era does not hold this entry of era {claim.era}: it must be handed in again", claim
        )
    charter, names = _signers(statement, claim, trust.reigns)
    if len(names) < charter.enough:
        strangers = sum(kid not in charter.by_kid for kid, _ in statement.signatures)
        hint = f"; {strangers} signed that it does not know: the trust file may be too old" if strangers else ""
        said = f"provisional: {len(names)} of {len(charter.nodes)} nodes signed, {charter.enough} are needed{hint}"
        return ReceiptCheck(False, said, claim, names)
    if claim.standing is not Standing.LIVE:
        return ReceiptCheck(False, f"cancelled as of ledger index {claim.at_index}", claim, names)
    if claim.outcome != Outcome.ACCEPTED:
        return ReceiptCheck(False, f"the entry was refused: {_name(claim.outcome)}", claim, names)
    return ReceiptCheck(True, f"final: signed by {len(names)} of {len(charter.nodes)} nodes", claim, names)


def _signers(statement: Statement, claim: Claim, reigns: list[Reign]) -> tuple[Charter, tuple[str, ...]]:
    """The charter, of those from the claim's day on, of which most signed; and the names of these nodes.

    A node set signs of its own days and of earlier ones, never of what came after it.
    """
    ended = [later.since for later in reigns[1:]]
    able = [
        reign.charter for reign, end in zip(reigns, [*ended, None], strict=True) if end is None or end >= claim.index
    ]
    found = [
        (charter, tuple(sorted(charter.by_kid[kid].name for kid in statement.signers(charter.statement_keys))))
        for charter in reversed(able)
    ]
    return max(found, key=lambda pair: len(pair[1]) - pair[0].enough)
