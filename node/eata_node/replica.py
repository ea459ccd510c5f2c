"""A replica: every group of the log, in order, through `order` and `apply` into the store.

Waiters learn what became of their entries by frame hash; a position is announced once it is written.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from eata_ledger import order
from eata_ledger.apply import Applied, Known, apply
from eata_ledger.encoding import Malformed
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.proof.genesis import Genesis
from eata_ledger.proof.keys import verify
from eata_ledger.rules.act import Moment
from eata_ledger.wire import ReceivedGroup, entry_from_proto, group_from_bytes
from eata_proto.v1 import ledger_pb2

from eata_node.cosigning import Cosigning
from eata_node.engine.era import check_opening
from eata_node.engine.interface import Placed
from eata_node.metrics import Metrics
from eata_node.store import Store
from eata_node.verified import Verified

log = structlog.get_logger()


class Divergence(Exception):
    """The log is not the one this replica has applied; the text is the evidence."""


@dataclass(frozen=True)
class Result:
    """What became of one entry: a leaf at `index`, or a skip."""

    index: int
    outcome: Outcome
    facts: bytes
    skipped: Skipped | None = None


class GroupVoid(Exception):
    """The group consumed its position without effect."""


class Replica:
    """State of one node; all methods run on the event loop."""

    def __init__(
        self, genesis: Genesis, store: Store, metrics: Metrics, own_id: bytes, evidence: Path, clock: Callable[[], int]
    ) -> None:
        self.genesis, self.store, self.metrics, self.clock = genesis, store, metrics, clock
        self.verified = Verified()
        stored = store.log_state()
        self.state, self.nodes = stored or order.start(genesis, 0)
        self.opened = stored is not None
        self.cosigning = Cosigning(genesis, store, own_id, evidence)
        self.cosigning.resume(self.state.checkpoint)
        self.halted = self.cosigning.verdict
        self.on_halt: Callable[[], None] = lambda: None
        self.own = own_id
        self._waiters: dict[bytes, asyncio.Future[Result]] = {}
        self._moved = asyncio.Event()

    @property
    def position(self) -> int:
        """The newest position applied; -1 before any."""
        return self.state.position - 1 if self.opened else -1

    @property
    def root(self) -> bytes:
        return self.store.root(self.state.size)

    def halt(self, why: str) -> None:
        """Serves only status and evidence from here on."""
        if not self.halted:
            self.halted = why
            self.metrics.halted.set(1)
            log.error("halted", why=why)
            for waiter in self._waiters.values():
                if not waiter.done():
                    waiter.set_exception(GroupVoid("this node has halted"))
            self._waiters.clear()
            self.on_halt()
            self._announce()

    # -- following

    def take(self, placed: list[Placed]) -> None:
        """Applies groups in order. Raises `Divergence`; a storage error leaves the store as it was."""
        results: list[tuple[bytes, Result | GroupVoid]] = []
        before = (self.state, dict(self.nodes), self.opened)
        try:
            for group in placed:
                if group.position <= self.position:
                    self._compare(group)
                elif group.position != self.position + 1:
                    raise Divergence(f"position {self.position + 1} is missing from the log")
                elif group.position == 0:
                    self._open_era(group)
                else:
                    results += self._group(group)
            self.store.commit()
        except BaseException:
            self.store.discard()
            self.state, self.nodes, self.opened = before
            raise
        if self.cosigning.verdict or self.cosigning.excluded:
            self.cosigning.keep_evidence()
        if self.cosigning.verdict:
            self.halt(self.cosigning.verdict)
        for frame, result in results:
            self._tell(frame, result)
        self.metrics.position.set(self.position)
        self.metrics.size.set(self.state.size)
        self._announce()

    def _compare(self, group: Placed) -> None:
        if self.store.group(group.position) != group.group:
            raise Divergence(f"the log holds another group at position {group.position} than was applied")

    def _open_era(self, group: Placed) -> None:
        opening = check_opening(self.genesis, group.group)
        self.state, self.nodes = order.start(self.genesis, opening.era)
        self.opened = True
        self.store.put_group(0, group.group)
        self.store.put_log_state(self.state, self.nodes, set(self.nodes))

    def _group(self, placed: Placed) -> list[tuple[bytes, Result | GroupVoid]]:
        before = self.state
        self.store.put_group(placed.position, placed.group)
        self.state = replace(self.state, position=placed.position + 1)
        try:
            received = group_from_bytes(placed.group)
        except Malformed as error:
            return self._void(None, f"malformed: {error}")
        node = order.author(self.genesis, self.nodes, received.group)
        why = order.void_because(self.genesis, before, node, received.group)
        if not why and not received.group.holds(received.frames):
            why = "its entries are not those that were signed"
        if node is not None:
            self.nodes[received.group.header.node] = order.after_group(node, received.group, bool(why))
        if why:
            return self._void(received, why)
        self.state = replace(self.state, log_time=order.log_time(self.state, self.nodes))
        results = self._entries(placed.position, received)
        if received.group.header.node != self.own:  # another node's skip says nothing of our own copy
            results = [(f, r) for f, r in results if isinstance(r, Result) and r.skipped is None]
        self.state, closed = order.end_of_group(self.state, before, not received.entries)
        if closed:
            self.cosigning.close(self.state.size, self.store.root(self.state.size))
        self.cosigning.receive(received.group.header)
        self.store.put_log_state(self.state, self.nodes, {received.group.header.node})
        return results

    def _void(self, received: ReceivedGroup | None, why: str) -> list[tuple[bytes, Result | GroupVoid]]:
        log.warning("void group", position=self.position, why=why)
        self.metrics.void_groups.inc()
        changed = set() if received is None else {received.group.header.node} & set(self.nodes)
        self.store.put_log_state(self.state, self.nodes, changed)
        if received is None or received.group.header.node != self.own:
            return []
        return [(frame, GroupVoid(why)) for frame in received.frames]

    def _entries(self, position: int, received: ReceivedGroup) -> list[tuple[bytes, Result | GroupVoid]]:
        stalled = order.stalled(self.state.log_time, received.group)
        results: list[tuple[bytes, Result | GroupVoid]] = []
        for message, frame in zip(received.entries, received.frames, strict=True):
            moment = Moment(self.genesis, self.state.size, self.state.log_time, stalled)
            try:
                results.append((frame, self._entry(position, message, moment)))
            except Skipped as skipped:
                node = self.nodes[received.group.header.node]
                self.nodes[received.group.header.node] = replace(node, skipped_entries=node.skipped_entries + 1)
                self.metrics.skipped_entries.inc()
                results.append((frame, Result(0, skipped.outcome, b"", skipped)))
        return results

    def _entry(self, position: int, message: ledger_pb2.Entry, moment: Moment) -> Result:
        try:
            entry = entry_from_proto(message)
        except Malformed as error:
            raise Skipped(Outcome.ENTRY_MALFORMED, str(error)) from None
        applied = apply(self.store, entry, moment, self.verified)
        if isinstance(applied, Known):
            return self.known(applied)
        if applied.fault is not None:
            self.metrics.rule_faults.inc()
            log.error("rule fault", index=moment.index, kind=type(applied.fault).__name__)
        self.store.put_facts(applied.effects)
        accepted = applied.outcome is Outcome.ACCEPTED
        self.store.put_entry(moment.index, position, entry, applied.leaf, applied.facts, accepted)
        self.state = replace(self.state, size=self.state.size + 1)
        self.metrics.outcomes.labels(applied.outcome.name).inc()
        return Result(moment.index, applied.outcome, applied.facts)

    def known(self, found: Known) -> Result:
        """The first outcome of a request id, or the refusal of its second use."""
        if found.reused:
            reused = Skipped(Outcome.REQUEST_ID_REUSED)
            return Result(0, reused.outcome, b"", reused)
        stored = self.store.entry(found.logged.index)
        assert stored is not None, "a logged outcome has its entry"
        return Result(found.logged.index, Outcome(found.logged.outcome), stored.facts)

    # -- judging without writing

    def judge(self, message: ledger_pb2.Entry) -> Applied | Known:
        """What `apply` would say now; remembers the signatures it checked. Raises `Skipped`, `Malformed`."""
        stalled = self.clock() > self.state.log_time + order.STALLED
        moment = Moment(self.genesis, self.state.size, self.state.log_time, stalled)
        checked: list[tuple[bytes, bytes, bytes]] = []

        def check(public: bytes, signature: bytes, signed: bytes) -> bool:
            checked.append((public, signature, signed))
            return verify(public, signature, signed)

        judged = apply(self.store, entry_from_proto(message), moment, check)
        if isinstance(judged, Applied) and judged.outcome is Outcome.ACCEPTED:
            self.verified.remember(checked)
        return judged

    # -- waiting

    def expect(self, frame: bytes) -> "asyncio.Future[Result]":
        """Resolved when the log brings an entry with this frame hash; shared by all who wait for it."""
        found = self._waiters.get(frame)
        if found is None or found.done():
            found = asyncio.get_running_loop().create_future()
            self._waiters[frame] = found
        return found

    def _tell(self, frame: bytes, result: Result | GroupVoid) -> None:
        waiter = self._waiters.pop(frame, None)
        if waiter is None or waiter.done():
            return
        if isinstance(result, GroupVoid):
            waiter.set_exception(result)
        else:
            waiter.set_result(result)

    def _announce(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def reach(self, position: int, patience: float) -> bool:
        """True once `position` has been applied; False after `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                while self.position < position and not self.halted:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return self.position >= position

    def tail(self, position: int) -> Iterator[tuple[int, bytes]]:
        """This replica's own groups from a position on, to refill a core."""
        return self.store.groups(position)
