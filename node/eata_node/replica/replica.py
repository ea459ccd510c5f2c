"""A replica: every group of the log, in order, through `order` and `apply` into the store.

Waiters learn what became of their entries by frame hash; a position is announced once it is written.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import structlog
from eata_host.files import Slot
from eata_ledger import order
from eata_ledger.apply import Applied, Known, apply
from eata_ledger.carnet.dates import DAY
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.facts import Facts
from eata_ledger.log.bodies import ActivateRules, Shred
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.opening import check_opening
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.rules import VERSION
from eata_ledger.rules.act import Moment
from eata_ledger.state import RulesFact, rules_of
from eata_ledger.wire import ReceivedGroup, entry_from_proto, group_from_bytes
from eata_proto.v1 import ledger_pb2

from eata_node.engine.interface import Head, Placed
from eata_node.ground.metrics import Metrics
from eata_node.replica import landmarks
from eata_node.replica.clockwatch import ClockWatch
from eata_node.replica.cosigning import Cosigning
from eata_node.replica.landmarks import Vouched
from eata_node.replica.results import GroupVoid, Result, Waiters
from eata_node.replica.store import Store
from eata_node.replica.verified_signatures import Verified

_GROUPS_KEPT = 30 * DAY
log = structlog.get_logger()


class Divergence(Exception):
    """The log is not the one this replica has applied; the text is the evidence."""


class Replica:
    """State of one node; all methods run on the event loop."""

    def __init__(
        self, genesis: Genesis, store: Store, metrics: Metrics, own_id: bytes, evidence: Slot,
        clock: Callable[[], int], elapsed: Callable[[], float] = time.monotonic, knows: int = VERSION,
    ) -> None:  # fmt: skip
        self.knows = knows  # the newest rules of this build
        self.genesis, self.store, self.metrics, self.clock = genesis, store, metrics, clock
        self.verified = Verified()
        stored = store.log_state()
        self.state, self.nodes = stored or order.start(genesis, 0)
        self.opened = stored is not None
        self.building = (
            stored is None
        )  # from nothing: old state is no state, until the log's head has been reached once
        self.fetching = store.fetching()
        self.charter = store.charter(genesis)
        self.cosigning = Cosigning(lambda: self.charter, store, own_id, evidence)
        self.cosigning.resume(self.state.checkpoint)
        self.cosigning.since = store.anchor()[1]
        self.halted = self.cosigning.verdict
        self._retired, self._shredded = False, False
        self._erased: list[bytes] = []
        self._changed: set[bytes] = set()  # nodes whose state the groups in hand have moved
        self.on_erased: Callable[[list[bytes]], None] = lambda digests: None
        self.on_halt: Callable[[], None] = lambda: None
        self.own = own_id
        self.clock_watch = ClockWatch(clock, elapsed, lambda: self.charter.one_honest)
        self.waiters, self.watched = Waiters(), Waiters()  # for this node's own callers, and for its peers
        self._moved = asyncio.Event()

    @property
    def _announced(self) -> int:
        """The newest rules that every registered node says it knows."""
        return min(node.rules for node in self.nodes.values())

    @property
    def rules(self) -> int:
        """The rules in force."""
        return rules_of(self.genesis, Facts(self.store).get(RulesFact, b""))

    @property
    def position(self) -> int:
        """The newest position applied; -1 before any."""
        return self.state.position - 1 if self.opened else -1

    @property
    def serving(self) -> bool:
        """True unless it has halted, or fetches entries that it cannot vouch for yet."""
        return not self.halted and self.fetching is None and not self.building

    @property
    def root(self) -> bytes:
        return self.store.root(self.state.size)

    def halt(self, why: str) -> None:
        """Serves only status and evidence from here on."""
        if not self.halted:
            self.halted = why
            self.metrics.halted.set(1)
            log.error("halted", why=why)
            self.waiters.end("this node has halted")
            self.watched.end("this node has halted")
            self.on_halt()
            self.announce()

    # -- following

    def take(self, placed: list[Placed]) -> None:
        """Applies groups in order. Raises `Divergence`; a storage error leaves the store as it was."""
        results: list[tuple[bytes, Result | GroupVoid]] = []
        before = (self.state, dict(self.nodes), self.opened, self.charter)
        try:
            for group in placed:
                if group.position <= self.position:
                    self._compare(group)
                elif group.position != self.position + 1:
                    raise Divergence(f"position {self.position + 1} is missing from the log")
                elif group.position == 0:
                    self._open_era(group)
                else:
                    self.require_known(self.rules)
                    results += self._group(group)
                    if group.position % landmarks.EVERY == 0:
                        self._mark(group)
            if self._changed:
                self.store.put_log_state(self.state, self.nodes, self._changed & set(self.nodes))
            self.store.commit()
        except BaseException:
            self.store.discard()
            self._erased, self._shredded = [], False
            self.state, self.nodes, self.opened, self.charter = before
            raise
        finally:
            self._changed = set()
        if self.cosigning.verdict or self.cosigning.excluded:
            self.cosigning.keep_evidence()
        if self.cosigning.verdict:
            self.halt(self.cosigning.verdict)
        if self._shredded:
            erased, self._erased, self._shredded = self._erased, [], False
            self.on_erased(erased)
        if self._retired:
            self.halt("the root has given this node's name other keys")
        for frame, result in results:
            self.waiters.tell(frame, result)
            self.watched.tell(frame, result)
        self.metrics.position.set(self.position)
        self.metrics.size.set(self.state.size)
        self.announce()

    def _mark(self, group: Placed) -> None:
        """A landmark here, and raw groups that are over 30 days old are forgotten."""
        found = landmarks.of(self.genesis.ledger, group.group, self.root, self.state, self.nodes)
        self.store.put_landmark(group.position, Vouched(found.to_bytes(), {}).to_bytes(), landmarks.KEPT)
        self.store.drop_groups(self.state.log_time - _GROUPS_KEPT, _clock_of, 4 * landmarks.EVERY)

    def landmarks(self) -> list[Vouched]:
        """The newest, oldest first; with the newest that enough nodes signed, however long ago."""
        vouched = self.store.vouched()
        kept = [Vouched.from_own(data) for data in (*self.store.landmarks(), *([] if vouched is None else [vouched]))]
        by_position = {one.landmark.position: one for one in kept}
        return [by_position[position] for position in sorted(by_position)]

    def keep_signatures(self, found: Vouched) -> None:
        self.store.put_landmark(found.landmark.position, found.to_bytes(), landmarks.KEPT)
        if found.signers(self.charter) >= self.charter.enough:
            self._put_vouched(found)
        self.store.commit()

    def vouch(self, found: Vouched) -> None:
        """Keeps a landmark that enough nodes signed until there is a newer one: without it nobody could start anew."""
        self._put_vouched(found)
        self.store.commit()

    def _put_vouched(self, found: Vouched) -> None:
        data = self.store.vouched()
        if data is None or Vouched.from_own(data).landmark.position < found.landmark.position:
            self.store.put_vouched(found.to_bytes())

    # -- from peers, where the log no longer reaches back

    @property
    def fetched(self) -> int:
        """How many entries are here, applied from the log or fetched."""
        return self.state.size if self.fetching is None else self.fetching

    def _compare(self, group: Placed) -> None:
        known, (anchor, _, digest) = self.store.group(group.position), self.store.anchor()
        if known is None and group.position == anchor and sha256(group.group) == digest:
            return
        if known != group.group:
            raise Divergence(f"the log holds another group at position {group.position} than was applied")

    def _open_era(self, group: Placed) -> None:
        opening = check_opening(self.genesis, group.group)
        if opening.size:
            raise Divergence("an era that goes on is entered before its log is followed")
        self.state, self.nodes = order.start(self.genesis, opening.era)
        self.opened = True
        self.store.put_group(0, group.group)
        self.store.put_opening(opening.era, group.group)
        self.store.put_log_state(self.state, self.nodes, set(self.nodes))

    def _group(self, placed: Placed) -> list[tuple[bytes, Result | GroupVoid]]:
        before = self.state
        self.store.put_group(placed.position, placed.group)
        self.state = replace(self.state, position=placed.position + 1)
        try:
            received = group_from_bytes(placed.group)
        except Malformed as error:
            return self._void(None, f"malformed: {error}")
        node = order.author(self.charter, self.nodes, received.group)
        why = order.void_because(self.genesis, before, node, received.group)
        if not why and not received.group.holds(received.frames):
            why = "its entries are not those that were signed"
        if node is not None:
            self.nodes[received.group.header.node] = order.after_group(node, received.group, bool(why))
        if why:
            return self._void(received, why)
        self.state = replace(self.state, log_time=order.log_time(self.state, self.nodes))
        if self.state.log_time // DAY > before.log_time // DAY:
            self.nodes = order.new_day(self.nodes)
            self._changed |= set(self.nodes)
        results = self._entries(placed.position, received)
        if received.group.header.node != self.own:  # another node's skip says nothing of our own copy
            results = [(f, r) for f, r in results if isinstance(r, Result) and r.skipped is None]
        self._changed |= {received.group.header.node} | self._recast()
        self.state, closed = order.end_of_group(self.state, before, not received.entries)
        if closed:
            self.cosigning.close(self.state.size, self.store.root(self.state.size))
        self.cosigning.receive(received.group.header)
        if received.group.header.node != self.own:
            self.clock_watch.hear(received.group.header.node, received.group.header.clock)
        return results

    def _recast(self) -> set[bytes]:
        """After a group's entries: the node set that the root has set by them, from the next group on."""
        charter = self.store.charter(self.genesis)
        if charter == self.charter:
            return set()
        before, self.charter = set(self.nodes), charter
        self.nodes = order.recast(self.genesis, charter, self.nodes, self.state.log_time)
        self.store.drop_nodes(before - set(self.nodes))
        self._retired |= self.own in before - set(self.nodes)
        return set(self.nodes) - before

    def _void(self, received: ReceivedGroup | None, why: str) -> list[tuple[bytes, Result | GroupVoid]]:
        log.warning("void group", position=self.position, why=why)
        self.metrics.void_groups.inc()
        self._changed |= {self.own} if received is None else {received.group.header.node}
        if received is None or received.group.header.node != self.own:
            return []
        return [(frame, GroupVoid(why)) for frame in received.frames]

    def _entries(self, position: int, received: ReceivedGroup) -> list[tuple[bytes, Result | GroupVoid]]:
        stalled = order.stalled(self.state.log_time, received.group)
        results: list[tuple[bytes, Result | GroupVoid]] = []
        skips, first = 0, self.state.size
        for message, frame in zip(received.entries, received.frames, strict=True):
            moment = Moment(self.genesis, self.state.size, self.state.log_time, stalled, self._announced)
            try:
                results.append((frame, self._entry(position, message, moment)))
            except Skipped as skipped:
                skips += 1
                self.metrics.skipped_entries.inc()
                results.append((frame, Result(0, skipped.outcome, b"", skipped)))
        by, node = received.group.header.node, self.nodes[received.group.header.node]
        new = (one for _, one in results if isinstance(one, Result) and one.skipped is None and one.index >= first)
        taken = sum(one.outcome is Outcome.ACCEPTED for one in new)
        self.nodes[by] = replace(node, entries=node.entries + taken, skipped_entries=node.skipped_entries + skips)
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
        self.store.put_entry(
            moment.index, position, entry, applied.leaf, applied.facts, applied.state if accepted else None
        )
        if accepted and isinstance(entry.header.body, ActivateRules):
            self.require_known(entry.header.body.rules)
        if accepted and isinstance(entry.header.body, Shred):
            self._erased += self.store.shred(entry.header.body.carnet_id)
            self._shredded = True
        self.state = replace(self.state, size=self.state.size + 1)
        self.metrics.outcomes.labels(applied.outcome.name).inc()
        return Result(moment.index, applied.outcome, applied.facts)

    def require_known(self, rules: int) -> None:
        """Nothing under rules that this build does not know, and not the rest of what brings them. Raises `Divergence`."""
        if rules > self.knows:
            raise Divergence(f"rules {rules} are in force, this build knows {self.knows}: update it")

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
        """What `apply` would say now. Raises `Skipped`, `Malformed`."""
        stalled = self.clock() > self.state.log_time + order.STALLED
        moment = Moment(self.genesis, self.state.size, self.state.log_time, stalled, self._announced)
        return apply(self.store, entry_from_proto(message), moment, self.verified)

    # -- waiting

    def announce(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def reach(self, position: int, patience: float) -> bool:
        """True once `position` has been applied; False after `patience` seconds, and at once where it has halted."""
        try:
            async with asyncio.timeout(patience):
                while self.position < position:
                    if self.halted:
                        await asyncio.sleep(0)  # who asks again and again still lets others work
                        return False
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def abreast(self, head: Head, patience: float) -> bool:
        """True once the log's head has been applied, in the log's own era; positions of another say nothing."""
        return head.era == self.state.era and await self.reach(head.position, patience)

    def tail(self, position: int) -> Iterator[tuple[int, bytes]]:
        """This replica's own groups from a position on, to refill a core."""
        return self.store.groups(position)


def _clock_of(group: bytes) -> int:
    """A group's own reading; one that is not a group goes with its neighbours."""
    try:
        return group_from_bytes(group).group.header.clock
    except Malformed:
        return 0
