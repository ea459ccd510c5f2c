"""The trust file: what a client needs to check a receipt with no network and no trust in one node."""

from dataclasses import dataclass

from eata_ledger.encoding import Malformed
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.chartering import CharterEntry, follow_all
from eata_ledger.proof.checkpoint import read_note
from eata_ledger.proof.cosignature import read as read_cosignatures
from eata_ledger.proof.genesis import Charter, Genesis, origin
from eata_ledger.proof.statement import Claim, Standing, Statement
from eata_ledger.record import U8, U32, U64, Record, array, blob, f, integer, nested, text

FINAL = 4


@dataclass(frozen=True)
class Trust(Record):
    """Genesis, the newest checkpoint seen, how many signers a receipt needs, the log time it was made at."""

    version: int = f(integer(1, 1))
    genesis_bytes: bytes = f(blob(1, 900_000))
    era: int = f(U32)
    checkpoint: str = f(text(64_000))
    least: int = f(U8)
    log_time: int = f(U64)
    charter_entries: tuple[CharterEntry, ...] = f(array(nested(CharterEntry), 4_096))

    @property
    def charter(self) -> Charter:
        """Node set and root as of the charter entries. Raises `Malformed`."""
        return follow_all(self.genesis, self.charter_entries)

    @property
    def genesis(self) -> Genesis:
        return Genesis.from_bytes(self.genesis_bytes)

    @property
    def vouched_at(self) -> int:
        """ms UTC when enough nodes last vouched for the checkpoint; the log time it was made at where none can."""
        nodes = self.charter.nodes
        times = sorted(read_cosignatures(self.checkpoint, nodes).values(), reverse=True)
        enough = self.charter.enough
        return times[enough - 1] * 1000 if len(times) >= enough else 0

    def check(self, pinned: bytes | None = None) -> None:
        """Raises `Malformed` unless the genesis is the pinned one and the checkpoint has enough signers."""
        genesis = self.genesis
        if pinned is not None and genesis.ledger != pinned:
            raise Malformed("the trust file is of another ledger than the one pinned")
        charter = self.charter
        if not 1 <= self.least <= len(charter.nodes):
            raise Malformed("the trust file asks for no signers, or more than there are")
        checkpoint, signed = read_note(self.checkpoint, charter.nodes)
        if checkpoint.origin != origin(genesis.ledger, self.era):
            raise Malformed("the checkpoint is of another log")
        if len(signed) < charter.enough:
            raise Malformed(f"only {len(signed)} nodes signed the trust file's checkpoint")


def _name(outcome: int) -> str:
    return Outcome(outcome).name if outcome in set(Outcome) else f"outcome {outcome}"


@dataclass(frozen=True)
class Verdict:
    """The one answer of receipt verification; `why` is a sentence for a person."""

    good: bool
    why: str
    claim: Claim | None = None
    signers: tuple[str, ...] = ()


def verify_receipt(data: bytes, trust: Trust) -> Verdict:
    """Checks a receipt against a trust file, offline."""
    try:
        trust.check()
        statement = Statement.from_bytes(data)
    except ValueError as error:
        return Verdict(False, f"not a receipt: {error}")
    genesis, claim = trust.genesis, statement.claim
    if claim.ledger_prefix != genesis.ledger[:8]:
        return Verdict(False, "the receipt is of another ledger", claim)
    if claim.era != trust.era:
        return Verdict(False, f"the receipt is of era {claim.era}, the trust file of era {trust.era}", claim)
    charter = trust.charter
    keys = charter.statement_keys
    names = tuple(sorted(charter.by_kid[kid].name for kid in statement.signers(keys)))
    if len(names) < trust.least:
        strangers = sum(kid not in keys for kid, _ in statement.signatures)
        hint = (
            f"; {strangers} signed that it does not know: the trust file or the receipt is from another node set"
            if strangers
            else ""
        )
        return Verdict(False, f"{len(names)} of {len(keys)} nodes signed, {trust.least} are needed{hint}", claim, names)
    if claim.standing is not Standing.LIVE:
        return Verdict(False, f"cancelled as of ledger index {claim.at_index}", claim, names)
    if claim.outcome != Outcome.ACCEPTED:
        return Verdict(False, f"the entry was refused: {_name(claim.outcome)}", claim, names)
    word = "final" if len(names) >= FINAL else "provisional"
    return Verdict(True, f"{word}: signed by {len(names)} of {len(keys)} nodes", claim, names)
