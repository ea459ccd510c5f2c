"""Submitting and receipts: bytes are persisted before they are first sent; every answer is verified."""

from dataclasses import dataclass
from pathlib import Path

from eata_ledger.encoding import Malformed, Value
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.entry import Entry
from eata_ledger.proof.genesis import Charter
from eata_ledger.proof.statement import Claim, Statement
from eata_ledger.wire import entry_from_proto, entry_to_proto
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.errors import EataError, Untrusted
from eata_clients.files import write_secret
from eata_clients.transport import Transport


@dataclass(frozen=True)
class Committed:
    """A logged, accepted entry: its ledger index, public facts, and receipt as signed so far."""

    index: int
    facts: Value
    statement: bytes
    signers: int
    entry_hash: bytes
    verification: str = ""


class Outbox:
    """Entries not yet answered, one file each; sending the same bytes again is always safe (P7)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, entry: Entry) -> Path:
        return self._folder / f"{entry.hash.hex()}.entry"

    def keep(self, entry: Entry) -> None:
        write_secret(self._path(entry), entry_to_proto(entry).SerializeToString())

    def answered(self, entry: Entry, refused: EataError | None = None) -> None:
        """It is committed, or a node has spoken: that ends the sending, and destroys nothing."""
        if refused is None:
            self._path(entry).unlink()
        elif refused.settled:
            self._path(entry).replace(self._path(entry).with_suffix(".refused"))

    def waiting(self) -> list[Entry]:
        """What has not been answered yet."""
        files = sorted(self._folder.glob("*.entry"))
        return [entry_from_proto(ledger_pb2.Entry.FromString(path.read_bytes())) for path in files]


async def submit(
    transport: Transport, charter: Charter, entry: Entry, outbox: Outbox | None = None, record: bool = False
) -> Committed:
    """Orders one entry; `record`: a commit that is refused is recorded as refused. Raises `EataError` with the log's or the proxy's refusal."""
    if outbox is not None:
        outbox.keep(entry)
    request = ledger_pb2.SubmitRequest(entry=entry_to_proto(entry), session=transport.session, record=record)
    try:
        reply = await transport.call(lambda channel: ledger_pb2_grpc.LedgerStub(channel).Submit, request)
    except EataError as error:
        if outbox is not None:
            outbox.answered(entry, error)
        raise
    committed = committed_by(entry, reply, charter)
    if outbox is not None:
        outbox.answered(entry)
    return committed


def committed_by(entry: Entry, reply: ledger_pb2.SubmitReply, charter: Charter) -> Committed:
    """What a reply says of this entry. Raises `Untrusted` where its statement does not say so."""
    claim, signers = check_statement(reply.statement, charter)
    if claim.entry_hash != entry.hash or claim.index != reply.index or claim.outcome != Outcome.ACCEPTED:
        raise Untrusted("the statement is of another entry or outcome")
    return Committed(reply.index, claim.facts, reply.statement, signers, entry.hash, reply.verification)


def check_statement(data: bytes, charter: Charter) -> tuple[Claim, int]:
    """The claim and how many known nodes signed it; at least one must."""
    try:
        statement = Statement.from_bytes(data)
    except Malformed as error:
        raise Untrusted(f"the statement is malformed: {error}") from None
    signers = len(statement.signers(charter.statement_keys))
    if not signers or statement.claim.ledger_prefix != charter.ledger[:8]:
        raise Untrusted("no known node signed the statement")
    return statement.claim, signers


async def receipt(transport: Transport, charter: Charter, index: int, entry_hash: bytes, signers: int = 0) -> Committed:
    """The receipt of an entry one knows, with `signers` signatures if the nodes give them; 0: more than half of the nodes."""
    wanted = signers or charter.enough
    request = ledger_pb2.ReceiptRequest(index=index, signers=wanted, entry_hash=entry_hash, session=transport.session)
    reply = await transport.call(lambda channel: ledger_pb2_grpc.LedgerStub(channel).Receipt, request)
    claim, found = check_statement(reply.statement, charter)
    if claim.index != index or claim.entry_hash != entry_hash:
        raise Untrusted("the receipt is of another entry")
    return Committed(index, claim.facts, reply.statement, found, entry_hash)


async def carnet_id_of(transport: Transport, carnet: str) -> int:
    """A carnet ID as it is, a carnet number through the open lookup (C-16)."""
    if carnet.isdecimal():
        return int(carnet)
    reply = await transport.call(
        lambda channel: ledger_pb2_grpc.LedgerStub(channel).Number,
        ledger_pb2.NumberRequest(number=carnet.upper(), session=transport.session),
    )
    return reply.carnet_id
