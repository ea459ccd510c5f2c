"""The audit: replays every entry from genesis through `apply`, trusting no node."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import grpc.aio
from eata_ledger.encoding import Malformed
from eata_ledger.facts import key_of
from eata_ledger.log import merkle
from eata_ledger.log.chartering import Reign, follow, in_force
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.keys import verify
from eata_ledger.log.leaf import Leaf
from eata_ledger.log.opening import EraOpening
from eata_ledger.outcomes import Outcome
from eata_ledger.replaying import replayed
from eata_ledger.state import Shredded, Transaction
from eata_ledger.wire import entry_from_proto
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc, reading_pb2, reading_pb2_grpc

from eata_clients.authoring.registering import Party
from eata_clients.net.errors import EataError, from_rpc
from eata_clients.net.transport import Transport
from eata_clients.trust.registry import Registry
from eata_clients.trust.registry_pages import fetch


@lru_cache(maxsize=16_384)
def _verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """A desk's certificate stands in each of its commits: its signature is checked once."""
    return verify(public, signature, message)


@dataclass
class Replay:
    """The whole ledger's facts and tree, rebuilt in memory.

    `set_back`: where the root opened an era with another log time, by the size it opened over (ms UTC).
    """

    genesis: Genesis
    facts: dict[tuple[int, bytes], bytes] = field(default_factory=dict)
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    size: int = 0
    log_time: int = 0
    set_back: dict[int, int] = field(default_factory=dict)
    lacking: dict[int, int] = field(default_factory=dict)

    def get(self, family: int, key: bytes) -> bytes | None:
        return self.facts.get((family, key))

    def take(self, message: reading_pb2.LoggedEntry) -> None:
        """Raises `EataError` at the first entry whose leaf is not what the rules give."""
        try:
            leaf, entry = Leaf.from_bytes(message.leaf), entry_from_proto(message.entry, erased=True)
            self.log_time = self.set_back.get(self.size, self.log_time)
            if leaf.index != self.size or leaf.log_time < self.log_time:
                raise Malformed("index or log time runs backwards")
            result = replayed(self, self.genesis, entry, message.leaf, _verify)
        except Malformed as error:
            raise EataError("AUDIT_FAILED", f"Entry {self.size}: {error}.", "Keep the evidence.") from None
        self.facts.update(result.effects)
        if entry.lacks_parts and leaf.outcome == Outcome.ACCEPTED:
            self.lacking.setdefault(getattr(entry.header.body, "carnet_id", 0), self.size)
        for level, number, digest in merkle.append(self.node, self.size, message.leaf):
            self.nodes[level, number] = digest
        self.size, self.log_time = self.size + 1, leaf.log_time

    def require_erasures(self) -> int:
        """How many carnets are erased; a part missing without an erasure fails the audit."""
        shredded = {key for family, key in self.facts if family == int(Shredded.FAMILY)}
        for carnet_id, index in self.lacking.items():
            if key_of(carnet_id) not in shredded:
                raise EataError("AUDIT_FAILED", f"Entry {index} lacks a part, and nobody erased it.", "Ask a peer.")
        return len(shredded)

    def node(self, level: int, number: int) -> bytes:
        return self.nodes[level, number]

    def root(self, size: int) -> bytes:
        return merkle.root(self.node, size)


@dataclass(frozen=True)
class Report:
    """What an audit found."""

    entries: int
    agreeing: int
    nodes: int
    forks: int
    transactions: int
    shredded: int = 0
    missing: tuple[str, ...] = ()  # nodes that did not answer

    @property
    def line(self) -> str:
        return (
            f"{self.entries:,} entries, {self.agreeing}/{self.nodes} roots equal, {self.forks} forks, {self.shredded} shredded"
            + (f"; NOT ASKED: {', '.join(self.missing)}" if self.missing else "")
        )


async def _set_back(transport: Transport, registry: Registry) -> dict[int, int]:
    """Where log time was set right, by the root's own word: tree size → log time (ms UTC). Raises `EataError`."""
    reigns = [Reign(-1, registry.genesis.charter)]
    for decided in registry.decisions:
        charter = follow(reigns[-1].charter, decided.header, {s.key_id: s.value for s in decided.signatures})
        reigns.append(Reign(decided.index, charter))
    reply = await transport.call(lambda c: ledger_pb2_grpc.LedgerStub(c).Eras, ledger_pb2.ErasRequest())
    found = {}
    for opening in (EraOpening.from_bytes(data) for data in reply.openings):
        if not opening.authorised(in_force(reigns, opening.era.size)):
            raise EataError("AUDIT_FAILED", f"Era {opening.era.era} is not opened by the root.", "Keep the evidence.")
        if opening.era.log_time is not None:
            found[opening.era.size] = opening.era.log_time
    return found


async def _status(transport: Transport, node: str) -> ledger_pb2.StatusReply:
    stub = ledger_pb2_grpc.LedgerStub(transport.channel(node))
    try:
        return await stub.Status(ledger_pb2.StatusRequest(), timeout=5)
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from None


async def _agrees(transport: Transport, node: str, replay: Replay) -> bool | None:
    """True if the node's tree is the replay's, or extends it; None if it does not answer."""
    stub = ledger_pb2_grpc.LedgerStub(transport.channel(node))
    try:
        status = await stub.Status(ledger_pb2.StatusRequest(), timeout=5)
        if not status.root:
            return None
        if status.size <= replay.size:
            return bool(status.root == replay.root(status.size))
        request = ledger_pb2.ConsistencyRequest(old_size=replay.size, new_size=status.size)
        proof = await stub.Consistency(request, timeout=5)
    except grpc.aio.AioRpcError:
        return None
    return merkle.consistent(replay.size, replay.root(replay.size), status.size, status.root, list(proof.hashes))


class Auditor:
    """Who replays the ledger, trusting no node: the keys of an organisation that the ledger knows as an auditor."""

    def __init__(self, transport: Transport, party: Party) -> None:
        self._transport, self._party = transport, party

    async def audit(self, node: str = "", progress: Callable[[int, int], None] = lambda done, total: None) -> Report:
        """Every entry of `node` (the nearest, if none is named), then every node's root; `progress` hears (done, total).

        Raises `EataError`: `AUDIT_FAILED` at the first entry that is not what the rules give.
        """
        registry, transport = await fetch(self._transport), self._transport
        name = node or (await transport.near())[0]
        replay = Replay(registry.genesis, set_back=await _set_back(transport, registry))
        total = (await _status(transport, name)).size
        body = reading_pb2.EntriesQuery().SerializeToString()
        request = transport.signed("/eata.v1.Audit/Entries", body, [self._party.sign])
        transactions = 0
        try:
            async for message in reading_pb2_grpc.AuditStub(transport.channel(name)).Entries(request):
                replay.take(message)
                progress(replay.size, total)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from None
        shredded = replay.require_erasures()
        for family, _ in replay.facts:
            transactions += family == int(Transaction.FAMILY)
        answers = await asyncio.gather(*(_agrees(transport, n.name, replay) for n in transport.network.nodes))
        known = [answer for answer in answers if answer is not None]
        missing = tuple(n.name for n, answer in zip(transport.network.nodes, answers, strict=True) if answer is None)
        count = len(transport.network.nodes)
        return Report(replay.size, sum(known), count, known.count(False), transactions, shredded, missing)
