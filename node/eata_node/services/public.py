"""The public service: submitting, receipts, proofs, status, the registry."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import structlog
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts
from eata_ledger.log import merkle
from eata_ledger.log.keys import SigningKey
from eata_ledger.log.leaf import Leaf
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.checkpoint import Checkpoint, signature_lines
from eata_ledger.proof.statement import Statement
from eata_ledger.state import Number
from eata_ledger.wire import entry_to_proto
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc, node_pb2, node_pb2_grpc

from eata_node import __version__
from eata_node.node import Node
from eata_node.recovery import bootstrap
from eata_node.replica import eras
from eata_node.replica.results import Result
from eata_node.rpc.errors import (
    ApiError,
    Context,
    Door,
    Trouble,
    address_of,
    as_answer,
    refusal,
    require_node,
    told,
    trouble,
)
from eata_node.rpc.limits import Limit
from eata_node.services.presentations import Presentations
from eata_node.services.registered import Registered
from eata_node.writing.gathering import PATIENCE
from eata_node.writing.pipeline import Earlier, in_order
from eata_node.writing.sessions import require_serving
from eata_node.writing.submit import Before

_AHEAD = 64  # messages of one stream that a node works on at once
_SIGNED_AT_ONCE = 1024
log = structlog.get_logger()


def _fetching(node: Node) -> str:
    """How far a replica has come that takes entries from its peers, empty for any other."""
    fetched = node.replica.fetching
    return (
        ""
        if fetched is None
        else f"{fetched} of {node.bootstrap.wanted or 'so far unknown'} entries fetched from peers"
    )


class Ledger(ledger_pb2_grpc.LedgerServicer):
    """Open to all; a request's own signatures authorise it."""

    def __init__(self, node: Node, cosign: Callable[[Checkpoint], str], door: Door, key: SigningKey) -> None:
        self._node, self._cosign, self._door = node, cosign, door
        self._replica, self._receipts, self._readers, self._limits = (
            node.replica, node.receipts, node.readers, node.limits,
        )  # fmt: skip
        self._registered = Registered(node.replica.genesis.ledger, node.replica.store, key)

    def _serving(self) -> None:
        require_serving(self._replica)

    async def Submit(self, request: ledger_pb2.SubmitRequest, context: Context) -> ledger_pb2.SubmitReply:  # noqa: N802
        self._serving()
        if self._node.submitting is None:
            raise trouble(Trouble.NOT_READY)
        return await self._node.submitting.submit(request, partial(self._door.pay, context))

    async def SubmitMany(  # noqa: N802
        self, requests: AsyncIterator[ledger_pb2.SubmitManyRequest], context: Context
    ) -> AsyncIterator[ledger_pb2.SubmitManyReply]:
        def refused(error: ApiError) -> bytes:
            return as_answer(told(error, context, self._node.metrics, self._door))

        unsettled: list[ApiError] = []
        pay = partial(self._door.pay, context)

        async def answer(
            request: ledger_pb2.SubmitManyRequest, earlier: Earlier
        ) -> ledger_pb2.SubmitManyReply:  # fmt: skip
            self._serving()
            if self._node.submitting is None:
                raise trouble(Trouble.NOT_READY)
            return await self._node.submitting.many(request, pay, Before(earlier, unsettled), refused)

        async for reply in in_order(requests, answer, _AHEAD):
            yield reply

    async def Receipt(self, request: ledger_pb2.ReceiptRequest, context: Context) -> ledger_pb2.ReceiptReply:  # noqa: N802
        self._serving()
        await self._readers.session(request.session)
        stored = self._replica.store.entry(request.index)
        if stored is None:
            raise trouble(Trouble.OUT_OF_RANGE)
        if Leaf.from_bytes(stored.leaf).entry_hash != request.entry_hash:
            raise trouble(Trouble.NOT_VISIBLE, "Give the hash of the entry.")
        charter = self._replica.charter
        receipt = await self._receipts.merged(request.index, min(request.signers, len(charter.nodes)))
        return ledger_pb2.ReceiptReply(
            statement=receipt.statement.to_bytes(), signers=len(receipt.statement.signatures),
            verification=receipt.code(charter),
        )  # fmt: skip

    async def Report(self, request: ledger_pb2.ReportRequest, context: Context) -> ledger_pb2.ReportReply:  # noqa: N802
        """A node that signed what is not in the log is counted and named to the operators; its signature proves it."""
        self._serving()
        self._limits.charge(Limit.LOOKUP, address_of(context))
        try:
            statement = Statement.from_bytes(request.statement)
        except Malformed as error:
            raise trouble(Trouble.REQUEST_MALFORMED, str(error)) from None
        claim, charter = statement.claim, self._replica.charter
        stored = self._replica.store.entry(claim.index)
        if claim.era != self._replica.state.era or claim.ledger_prefix != charter.ledger[:8] or stored is None:
            raise trouble(Trouble.OUT_OF_RANGE)
        if claim.leaf.to_bytes() == stored.leaf:
            return ledger_pb2.ReportReply(contradicts=False)
        liars = [charter.by_kid[kid].name for kid in statement.signers(charter.statement_keys)]
        for name in liars:
            self._node.metrics.contradicted.labels(name).inc()
            log.error(
                "a statement that the log contradicts", node=name, index=claim.index, entry=claim.entry_hash.hex()
            )
        return ledger_pb2.ReportReply(contradicts=bool(liars))

    async def Status(self, request: ledger_pb2.StatusRequest, context: Context) -> ledger_pb2.StatusReply:  # noqa: N802
        node, replica = self._node, self._replica
        state = replica.state
        own = replica.nodes.values()
        return ledger_pb2.StatusReply(
            name=node.name, state=_state(node),
            evidence=replica.halted or _fetching(node), position=max(replica.position, 0), head=max(node.head, 0), size=state.size,
            root=b"" if replica.halted else replica.root, log_time=state.log_time, era=state.era,
            clock_stalled=max((node.clock for node in own), default=0) > state.log_time + 60_000,
            incarnation=node.proposer.incarnation, excluded=sorted(replica.cosigning.excluded),
            rules=replica.rules, knows=replica.knows, version=__version__, scrubbed=node.scrubbed,
        )  # fmt: skip

    async def Checkpoint(  # noqa: N802
        self, request: ledger_pb2.CheckpointRequest, context: Context
    ) -> ledger_pb2.CheckpointReply:
        self._serving()
        size = self._replica.cosigning.newest_final or self._replica.state.checkpoint
        try:
            text = self._replica.cosigning.note(size)
        except KeyError:
            raise trouble(Trouble.NOT_FOUND, "No checkpoint has closed yet.") from None
        return ledger_pb2.CheckpointReply(note=text + self._cosign(signature_lines(text)[0]))

    async def Inclusion(self, request: ledger_pb2.InclusionRequest, context: Context) -> ledger_pb2.ProofReply:  # noqa: N802
        self._serving()
        stored = self._replica.store.entry(request.index)
        if stored is None or not request.index < request.size <= self._replica.state.size:
            raise trouble(Trouble.OUT_OF_RANGE)
        path = merkle.inclusion(self._replica.store.tree_node, request.index, request.size)
        return ledger_pb2.ProofReply(hashes=path, leaf_hash=merkle.leaf_hash(stored.leaf))

    async def Consistency(  # noqa: N802
        self, request: ledger_pb2.ConsistencyRequest, context: Context
    ) -> ledger_pb2.ProofReply:
        self._serving()
        if not request.old_size <= request.new_size <= self._replica.state.size:
            raise trouble(Trouble.OUT_OF_RANGE)
        path = merkle.consistency(self._replica.store.tree_node, request.old_size, request.new_size)
        return ledger_pb2.ProofReply(hashes=path)

    async def Number(self, request: ledger_pb2.NumberRequest, context: Context) -> ledger_pb2.NumberReply:  # noqa: N802
        self._serving()
        self._limits.charge(Limit.LOOKUP, address_of(context))
        if not 1 <= len(request.number) <= 24:
            raise trouble(Trouble.REQUEST_MALFORMED, "A carnet number has 1 to 24 characters.")
        await self._readers.session(request.session)
        found = Facts(self._replica.store).get(Number, request.number)
        if found is None:
            raise trouble(Trouble.NOT_FOUND, "No carnet has this number.")
        return ledger_pb2.NumberReply(carnet_id=found.carnet_id)

    async def Registry(self, request: ledger_pb2.RegistryRequest, context: Context) -> ledger_pb2.RegistryReply:  # noqa: N802
        self._serving()
        await self._readers.session(request.session)
        await self._registered.caught_up()
        genesis = b"" if request.from_count else self._replica.genesis.to_bytes()
        return ledger_pb2.RegistryReply(
            genesis=genesis, entries=self._registered.page(request.from_count, request.stanzas_for),
            log_time=self._replica.state.log_time, session=self._session(),
        )  # fmt: skip

    async def RegistryHead(  # noqa: N802
        self, request: ledger_pb2.RegistryHeadRequest, context: Context
    ) -> ledger_pb2.RegistryHeadReply:
        self._serving()
        await self._readers.session(request.session)
        await self._registered.caught_up()
        reply = self._registered.head(request.count)
        reply.session.CopyFrom(self._session())
        reply.log_time = self._replica.state.log_time
        return reply

    def _session(self) -> ledger_pb2.Session:
        return ledger_pb2.Session(era=self._replica.state.era, position=max(self._replica.position, 0))

    async def Eras(self, request: ledger_pb2.ErasRequest, context: Context) -> ledger_pb2.ErasReply:  # noqa: N802
        self._serving()
        return ledger_pb2.ErasReply(openings=self._replica.store.openings())


def _state(node: Node) -> str:
    if node.replica.halted:
        return "HALTED"
    if node.replica.fetching is not None:
        return "BOOTSTRAPPING"
    behind = node.replica.building or node.replica.position < node.head
    return "CATCHING_UP" if behind else "FOLLOWING"


def _leaves(coming: dict[bytes, Result]) -> Iterator[tuple[int, bytes]]:
    """Index and frame of what has a leaf; what was skipped has none to sign."""
    return ((result.index, frame) for frame, result in coming.items() if result.skipped is None)


class Peer(node_pb2_grpc.PeerServicer):
    """For other nodes: a signature of what this node has applied itself."""

    def __init__(self, node: Node, presentations: Presentations, key: SigningKey) -> None:
        self._node = node
        self._replica, self._receipts, self._blobs = node.replica, node.receipts, node.blobs
        self._presentations, self._key, self._proposer = presentations, key, node.proposer

    async def SignStatements(  # noqa: N802
        self, request: node_pb2.SignStatementsRequest, context: Context
    ) -> node_pb2.SignStatementsReply:
        await require_node(context, self._replica.charter.nodes)
        require_serving(self._replica)
        if len(request.indexes) + len(request.frames) > _SIGNED_AT_ONCE:
            raise trouble(Trouble.REQUEST_MALFORMED, f"A request asks for at most {_SIGNED_AT_ONCE} statements.")
        coming = await self._replica.watched.watch(request.frames, PATIENCE)
        applied = [(index, b"") for index in request.indexes if await self._applied(index)]
        reply = node_pb2.SignStatementsReply(signer=self._key.id[:8])
        for index, frame in [*applied, *_leaves(coming)]:
            given = self._receipts.given(index)
            reply.statements.add(index=index, frame=frame, signature=given.signature, verification=given.share)
        return reply

    async def Presented(self, request: node_pb2.PresentedRequest, context: Context) -> node_pb2.PresentedReply:  # noqa: N802
        name = await require_node(context, self._replica.charter.nodes)
        try:
            self._presentations.hear(name, request)
        except Malformed as error:
            raise trouble(Trouble.REQUEST_MALFORMED, str(error)) from None
        return node_pb2.PresentedReply()

    async def Blob(self, request: node_pb2.BlobRequest, context: Context) -> node_pb2.BlobContent:  # noqa: N802
        await require_node(context, self._replica.charter.nodes)
        content = await asyncio.to_thread(self._blobs.get, request.digest)
        if content is None:
            raise trouble(Trouble.NOT_FOUND)
        return node_pb2.BlobContent(content=content)

    async def Landmarks(self, request: node_pb2.LandmarksRequest, context: Context) -> node_pb2.LandmarksReply:  # noqa: N802
        await require_node(context, self._replica.charter.nodes)
        require_serving(self._replica)
        told = range(request.from_position, self._proposer.synced + 1)
        return node_pb2.LandmarksReply(
            landmarks=bootstrap.own(self._replica, told, self._key), openings=self._replica.store.openings(),
            decisions=eras.decisions(self._replica.store),
        )  # fmt: skip

    async def Entries(self, request: node_pb2.EntriesRequest, context: Context) -> AsyncIterator[node_pb2.KeptEntry]:  # noqa: N802
        """As they were ordered, for a replica that builds itself anew."""
        await require_node(context, self._replica.charter.nodes)
        require_serving(self._replica)
        for index in range(request.from_index, min(request.to_index, self._replica.state.size)):
            stored, entry = self._replica.store.whole_entry(index)
            yield node_pb2.KeptEntry(leaf=stored.leaf, position=stored.position, entry=entry_to_proto(entry))
            if index % 16 == 0:
                await asyncio.sleep(0)

    async def Backup(self, request: node_pb2.BackupRequest, context: Context) -> node_pb2.BackupReply:  # noqa: N802
        """Nobody but whoever holds this node's own TLS key."""
        if await require_node(context, self._replica.charter.nodes) != self._node.name:
            raise refusal(Outcome.ROLE_FORBIDDEN, "this node's operator only")
        return node_pb2.BackupReply(folder=str(self._node.backup()))

    async def _applied(self, index: int) -> bool:
        """Waits up to a second until the index has a leaf here."""
        for _ in range(20):
            if self._replica.state.size > index:
                return True
            await self._replica.reach(self._replica.position + 1, 0.05)
        return self._replica.state.size > index
