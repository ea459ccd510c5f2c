"""The public service: submitting, receipts, proofs, status, the registry."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from eata_ledger.facts import Facts
from eata_ledger.proof import merkle
from eata_ledger.proof.leaf import Leaf
from eata_ledger.state import Number
from eata_ledger.wire import entry_to_proto
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc, node_pb2, node_pb2_grpc

from eata_node import __version__
from eata_node.guarding import Context, Trouble, require_node, trouble
from eata_node.receipts import Receipts
from eata_node.replica import Replica
from eata_node.services.presentations import Presentations, Shown
from eata_node.services.reader import Readers
from eata_node.services.submitting import Submitting

_LOOKUPS_A_MINUTE = 120


class Limiter:
    """At most `rate` calls a minute and peer, refilled steadily."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, peer: str) -> bool:
        now = time.monotonic()
        left, at = self._left.pop(peer, (float(self._rate), now))
        left = min(self._rate, left + (now - at) * self._rate / 60)
        self._left[peer] = (max(left - 1, 0), now)
        if len(self._left) > 10_000:
            self._left.popitem(last=False)
        return left >= 1


class Ledger(ledger_pb2_grpc.LedgerServicer):
    """Open to all; a request's own signatures authorise it."""

    def __init__(
        self, name: str, replica: Replica, submitting: Submitting | None, receipts: Receipts, readers: Readers,
        incarnation: Callable[[], int], head: Callable[[], int], scrubbed: Callable[[], int],
    ) -> None:  # fmt: skip
        self._name, self._replica, self._receipts, self._readers = name, replica, receipts, readers
        self.submitting = submitting
        self._incarnation, self._head, self._scrubbed = incarnation, head, scrubbed
        self._lookups = Limiter(_LOOKUPS_A_MINUTE)

    def _serving(self) -> None:
        if self._replica.halted:
            raise trouble(Trouble.HALTED)

    async def Submit(self, request: ledger_pb2.SubmitRequest, context: Context) -> ledger_pb2.SubmitReply:  # noqa: N802
        self._serving()
        if self.submitting is None:
            raise trouble(Trouble.NOT_READY)
        return await self.submitting.submit(request)

    async def Receipt(self, request: ledger_pb2.ReceiptRequest, context: Context) -> ledger_pb2.ReceiptReply:  # noqa: N802
        self._serving()
        await self._readers.session(request.session)
        stored = self._replica.store.entry(request.index)
        if stored is None:
            raise trouble(Trouble.OUT_OF_RANGE)
        if Leaf.from_bytes(stored.leaf).entry_hash != request.entry_hash:
            raise trouble(Trouble.NOT_VISIBLE, "Give the hash of the entry.")
        statement = await self._receipts.merged(request.index, request.signers)
        return ledger_pb2.ReceiptReply(statement=statement.to_bytes(), signers=len(statement.signatures))

    async def Status(self, request: ledger_pb2.StatusRequest, context: Context) -> ledger_pb2.StatusReply:  # noqa: N802
        replica = self._replica
        state = replica.state
        own = replica.nodes.values()
        behind = replica.position < self._head()
        return ledger_pb2.StatusReply(
            name=self._name, state="HALTED" if replica.halted else "CATCHING_UP" if behind else "FOLLOWING",
            evidence=replica.halted, position=max(replica.position, 0), head=max(self._head(), 0), size=state.size,
            root=b"" if replica.halted else replica.root, log_time=state.log_time, era=state.era,
            clock_stalled=max((node.clock for node in own), default=0) > state.log_time + 60_000,
            incarnation=self._incarnation(), excluded=sorted(replica.cosigning.excluded),
            rules=replica.genesis.rules, version=__version__, scrubbed=self._scrubbed(),
        )  # fmt: skip

    async def Checkpoint(  # noqa: N802
        self, request: ledger_pb2.CheckpointRequest, context: Context
    ) -> ledger_pb2.CheckpointReply:
        self._serving()
        size = self._replica.cosigning.newest_final or self._replica.state.checkpoint
        try:
            return ledger_pb2.CheckpointReply(note=self._replica.cosigning.note(size))
        except KeyError:
            raise trouble(Trouble.NOT_FOUND, "No checkpoint has closed yet.") from None

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
        if not self._lookups.take(str(context.peer()).rpartition(":")[0]):
            raise trouble(Trouble.RATE_LIMITED)
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
        store, state = self._replica.store, self._replica.state
        entries = []
        for index in store.registrations():
            _, entry = store.whole_entry(index)
            message = entry_to_proto(replace(entry, parts=()))
            entries.append(ledger_pb2.RegistryEntry(index=index, entry=message))
        return ledger_pb2.RegistryReply(
            genesis=self._replica.genesis.to_bytes(), entries=entries, log_time=state.log_time,
            session=ledger_pb2.Session(era=state.era, position=max(self._replica.position, 0)),
        )  # fmt: skip


class Peer(node_pb2_grpc.PeerServicer):
    """For other nodes: a signature of what this node has applied itself."""

    def __init__(self, replica: Replica, receipts: Receipts, presentations: Presentations) -> None:
        self._replica, self._receipts, self._presentations = replica, receipts, presentations
        self._names = {f"node:{node.name}" for node in replica.genesis.nodes}

    async def SignStatement(  # noqa: N802
        self, request: node_pb2.SignStatementRequest, context: Context
    ) -> node_pb2.SignStatementReply:
        await require_node(context, self._names)
        if self._replica.halted:
            raise trouble(Trouble.HALTED)
        if not await self._applied(request.index):
            raise trouble(Trouble.LAGGING)
        kid, signature = self._receipts.sign(request.index)
        return node_pb2.SignStatementReply(signer=kid, signature=signature)

    async def Presented(self, request: node_pb2.PresentedRequest, context: Context) -> node_pb2.PresentedReply:  # noqa: N802
        await require_node(context, self._names)
        self._presentations.hear(request.voucher_key, Shown(request.office, request.desk, request.time))
        return node_pb2.PresentedReply()

    async def _applied(self, index: int) -> bool:
        """Waits up to a second until the index has a leaf here."""
        for _ in range(20):
            if self._replica.state.size > index:
                return True
            await self._replica.reach(self._replica.position + 1, 0.05)
        return self._replica.state.size > index
