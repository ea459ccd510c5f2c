"""Receipts from several nodes: what one node says is ordered, what more than half of them have signed is final."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from eata_ledger.encoding import Malformed, Value
from eata_ledger.log.genesis import Charter
from eata_ledger.outcomes import Outcome, advice, sentence
from eata_ledger.proof.statement import Claim, Statement
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.net.errors import EataError, Outdated, Untrusted
from eata_clients.net.transport import Transport

_GATHER_SECONDS, _OWN_SECONDS = 4.0, 2.0
_DOES_NOT_KNOW = ("OUT_OF_RANGE", "NOT_VISIBLE")


@dataclass(frozen=True)
class Committed:
    """A logged, accepted entry: its ledger index, public facts, and its receipt as `signers` of `nodes` have signed it."""

    index: int
    facts: Value
    statement: bytes
    entry_hash: bytes
    signers: int
    nodes: int
    enough: int
    verification: str = ""

    @property
    def final(self) -> bool:
        """More than half of the nodes have signed."""
        return self.signers >= self.enough

    @property
    def standing(self) -> str:
        """For a person."""
        by = f"signed by {self.signers} of {self.nodes} nodes"
        return f"final, {by}" if self.final else f"ordered, provisional: {by}"


def committed(statement: bytes, charter: Charter, entry_hash: bytes, verification: str = "") -> Committed:
    """What a statement says of this entry. Raises `Untrusted`, and `EataError` where the log refused the entry."""
    claim, signers = check_statement(statement, charter)
    if claim.entry_hash != entry_hash:
        raise Untrusted("the statement is of another entry")
    return _accepted(claim, statement, charter, signers, verification)


def _accepted(claim: Claim, statement: bytes, charter: Charter, signers: int, verification: str) -> Committed:
    """Raises `EataError` where the log refused the entry."""
    if claim.outcome != Outcome.ACCEPTED:
        if claim.outcome not in Outcome._value2member_map_:
            raise Outdated(f"outcome {claim.outcome}")
        outcome = Outcome(claim.outcome)
        raise EataError(outcome.name, sentence(outcome), advice(outcome), final=True)
    return Committed(
        claim.index, claim.facts, statement, claim.entry_hash, signers, len(charter.nodes), charter.enough, verification
    )


def check_statement(data: bytes, charter: Charter) -> tuple[Claim, int]:
    """The claim and how many known nodes signed it; at least one must. Raises `Untrusted`."""
    statement = read_statement(data)
    claim, signers = statement.claim, len(statement.signers(charter.statement_keys))
    if not signers or claim.ledger_prefix != charter.ledger[:8]:
        raise Untrusted("no known node signed the statement")
    return claim, signers


def read_statement(data: bytes) -> Statement:
    """Raises `Untrusted` for what is none; no signature is checked."""
    try:
        return Statement.from_bytes(data)
    except Malformed as error:
        raise Untrusted(f"the statement is malformed: {error}") from None


@dataclass
class Gathered:
    """Statements of one entry by what they say, each with the signatures of nodes that say so."""

    charter: Charter
    entry_hash: bytes
    said: dict[bytes, Statement] = field(default_factory=dict)
    codes: dict[bytes, str] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)  # nodes that answered and do not know the entry
    refusal: EataError | None = None

    def take(self, data: bytes, verification: str = "") -> None:
        """One node's statement; what does not verify is left out."""
        try:
            statement = read_statement(data)
        except Untrusted:
            return
        claim = statement.claim
        if claim.entry_hash != self.entry_hash or claim.ledger_prefix != self.charter.ledger[:8]:
            return
        known = self.said.get(statement.payload, Statement(statement.payload, ()))
        good = statement.signers(self.charter.statement_keys)
        for kid, signature in statement.signatures:
            if kid in good:
                known = known.merged(kid, signature)
        if known.signatures:
            self.said[statement.payload] = known
            self.codes[statement.payload] = verification or self.codes.get(statement.payload, "")

    @property
    def signers(self) -> int:
        return max((len(statement.signatures) for statement in self.said.values()), default=0)

    @property
    def final(self) -> bool:
        return self.signers >= self.charter.enough

    def committed(self) -> Committed:
        """What most nodes say. Raises `EataError` where that is a refusal, or no node says anything."""
        if not self.said:
            raise self.refusal or Untrusted("no known node signed a statement of this entry")
        best = max(self.said.values(), key=lambda statement: len(statement.signatures))
        code, signers = self.codes[best.payload], len(best.signatures)
        found = _accepted(best.claim, best.to_bytes(), self.charter, signers, code)
        return found if found.final else replace(found, verification="")


async def gather(transport: Transport, gathered: Gathered, index: int, first: str) -> bool:
    """Asks `first` for the whole receipt, then every other node for its own word; True where `first` made it final."""
    wanted = gathered.charter.enough
    await _ask(transport, gathered, index, first, wanted, _GATHER_SECONDS)
    if gathered.final:
        return True
    others = [name for name in transport.nearest if name != first]
    await asyncio.gather(*(_ask(transport, gathered, index, name, 1, _OWN_SECONDS) for name in others))
    return False


async def _ask(
    transport: Transport, gathered: Gathered, index: int, name: str, signers: int, seconds: float
) -> None:  # fmt: skip
    request = ledger_pb2.ReceiptRequest(index=index, signers=signers, entry_hash=gathered.entry_hash)
    try:
        reply = await transport.at(name, lambda c: ledger_pb2_grpc.LedgerStub(c).Receipt, request, seconds)
    except EataError as error:
        gathered.refusal = error
        if error.code in _DOES_NOT_KNOW:
            gathered.strangers.append(name)
        return
    gathered.take(reply.statement, reply.verification)


async def receipt(transport: Transport, charter: Charter, index: int, entry_hash: bytes, signers: int = 0) -> Committed:
    """The receipt of an entry one knows, with `signers` signatures if the nodes give them; 0: more than half of the nodes.

    A node alone may give none, or a false one: then the others are asked.
    """
    gathered = Gathered(charter, entry_hash)
    wanted = signers or charter.enough
    for name in await transport.near():
        await _ask(transport, gathered, index, name, wanted, _GATHER_SECONDS)
        if gathered.signers >= wanted:
            break
    return gathered.committed()


async def report(transport: Transport, statement: bytes, names: Iterable[str]) -> None:
    """Tells these nodes of a statement that is not so; what they make of it is theirs."""
    request = ledger_pb2.ReportRequest(statement=statement)

    async def tell(name: str) -> None:
        try:
            await transport.at(name, lambda c: ledger_pb2_grpc.LedgerStub(c).Report, request, _OWN_SECONDS)
        except EataError:
            return  # one that is away learns of it from the others' operators

    await asyncio.gather(*(tell(name) for name in names))
