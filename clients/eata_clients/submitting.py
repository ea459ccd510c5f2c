"""Submitting and receipts: bytes are persisted before they are first sent; every answer is verified."""

from dataclasses import dataclass
from pathlib import Path

from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import Malformed, Value
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.entry import Entry
from eata_ledger.proof.genesis import Genesis
from eata_ledger.proof.statement import Claim, Statement
from eata_ledger.proof.trust import FINAL
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

    def keep(self, entry: Entry) -> Path:
        path = self._folder / f"{entry.hash.hex()}.entry"
        write_secret(path, entry_to_proto(entry).SerializeToString())
        return path

    def waiting(self) -> list[Entry]:
        """What has not been answered yet."""
        files = sorted(self._folder.glob("*.entry"))
        return [entry_from_proto(ledger_pb2.Entry.FromString(path.read_bytes())) for path in files]


async def submit(transport: Transport, genesis: Genesis, entry: Entry, outbox: Outbox | None = None) -> Committed:
    """Orders one entry. Raises `EataError` with the log's or the proxy's refusal."""
    kept = None if outbox is None else outbox.keep(entry)
    request = ledger_pb2.SubmitRequest(entry=entry_to_proto(entry), session=transport.session)
    try:
        reply = await transport.call(lambda channel: ledger_pb2_grpc.LedgerStub(channel).Submit, request)
    except EataError as error:
        if kept is not None and error.settled:
            kept.unlink()
        raise
    claim, signers = check_statement(reply.statement, genesis)
    if claim.entry_hash != entry.hash or claim.index != reply.index or claim.outcome != Outcome.ACCEPTED:
        raise Untrusted("the statement is of another entry or outcome")
    if kept is not None:
        kept.unlink()
    return Committed(reply.index, claim.facts, reply.statement, signers, entry.hash, reply.verification)


def check_statement(data: bytes, genesis: Genesis) -> tuple[Claim, int]:
    """The claim and how many known nodes signed it; at least one must."""
    try:
        statement = Statement.from_bytes(data)
    except Malformed as error:
        raise Untrusted(f"the statement is malformed: {error}") from None
    keys = {node.kid: node.key(Purpose.STATEMENT) for node in genesis.nodes}
    signers = len(statement.signers(keys))
    if not signers or statement.claim.ledger_prefix != genesis.ledger[:8]:
        raise Untrusted("no known node signed the statement")
    return statement.claim, signers


async def receipt(
    transport: Transport, genesis: Genesis, index: int, entry_hash: bytes, signers: int = FINAL
) -> Committed:
    """The receipt of an entry one knows, with `signers` signatures if the nodes give them."""
    request = ledger_pb2.ReceiptRequest(index=index, signers=signers, entry_hash=entry_hash, session=transport.session)
    reply = await transport.call(lambda channel: ledger_pb2_grpc.LedgerStub(channel).Receipt, request)
    claim, found = check_statement(reply.statement, genesis)
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
