"""Mistakes that were never made: each is planted into the shipped code or into the engine, and the simulation must find it.

The seed beside each is one that finds it; `scripts/simulate --planted` looks for them anew.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import eata_ledger.apply
import eata_node.node
from eata_clients.net.errors import EataError
from eata_clients.net.receipts import Committed
from eata_clients.net.submitting import Sending
from eata_clients.trust.comparing import Agreed, Comparing
from eata_ledger import order
from eata_ledger.apply import Applied, Known
from eata_ledger.encoding import decode
from eata_ledger.log.leaf import Leaf
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.proof.statement import Claim, Standing, Statement
from eata_node.engine.log_store import LogStore
from eata_node.recovery.bootstrap import Bootstrap
from eata_node.replica.replica import Replica
from eata_node.replica.results import Result
from eata_node.replica.store import Store
from eata_node.writing.receipts import Receipt, Receipts
from eata_node.writing.sessions import Readers
from eata_node.writing.submit import Submitting
from eata_proto.v1 import ledger_pb2

from tests.simulation.disk import SimRocks
from tests.simulation.engine import ModelEngine, Quorum
from tests.simulation.run import simulate


def fsync_skipped() -> AbstractContextManager[Any]:
    """The core acknowledges without syncing its log or its mark."""
    sync = LogStore.sync

    def lazy(self: LogStore, position: int, chain: bytes) -> None:
        if not self.live:
            sync(self, position, chain)

    return mock.patch.object(LogStore, "sync", lazy)


@contextmanager
def acknowledged_before_append() -> Iterator[None]:
    """A node answers with what an entry will become as things are here, and orders it afterwards."""
    order, own = Submitting._order, Receipts.own
    foreseen: dict[tuple[int, int], bytes] = {}
    later: set[asyncio.Task[Any]] = set()

    async def hasty(self: Submitting, message: ledger_pb2.Entry, receipt: bool) -> Any:
        judged, replica = self._replica.judge(message), self._replica
        if not isinstance(judged, Applied):
            return await order(self, message, receipt)
        later.add(asyncio.create_task(order(self, message, receipt)))
        leaf = Leaf.from_bytes(judged.leaf)
        claim = Claim(
            replica.genesis.ledger[:8], replica.state.era, leaf.index, leaf.log_time, leaf.entry_hash, leaf.rules,
            leaf.outcome, decode(judged.facts), leaf.effects_hash, leaf.index, Standing.LIVE,
        )  # fmt: skip
        foreseen[id(self._receipts), leaf.index] = claim.to_bytes()
        return Result(leaf.index, judged.outcome, judged.facts)

    def signed(self: Receipts, index: int) -> Receipt:
        payload = foreseen.get((id(self), index))
        if payload is None:
            return own(self, index)
        return Receipt(Statement(payload, ()).merged(self._kid, self._signature(payload)), {})

    with mock.patch.object(Submitting, "_order", hasty), mock.patch.object(Receipts, "own", signed):
        yield


def request_ids_forgotten() -> AbstractContextManager[Any]:
    """`apply` does not look whether it knows the request."""
    return mock.patch.object(eata_ledger.apply, "known", return_value=None)


def acknowledged_group_lost() -> AbstractContextManager[Any]:
    """A new leader has not what the old one acknowledged."""
    append = Quorum.append

    def forgetful(self: Quorum, node: bytes, lane: int, n: int, group: bytes) -> Any:
        if len(self.groups) % 50 == 49:
            self.groups.pop()
        return append(self, node, lane, n, group)

    return mock.patch.object(Quorum, "append", forgetful)


def batch_torn() -> AbstractContextManager[Any]:
    """What one group changes goes into many writes instead of one."""

    def commit(self: Store) -> None:
        for (family, key), value in list(self._pending.items()):
            batch = self._rocks.batch()
            batch.put(family, key, value or b"")
            self._rocks.write(batch)
        self._pending.clear()

    return mock.patch.object(Store, "commit", commit)


def second_highest_clock_rules() -> AbstractContextManager[Any]:
    """Log time is the second highest clock instead of the third: two wrong ones move it."""
    return mock.patch.object(
        order, "log_time", lambda state, nodes: max(state.log_time, sorted(n.clock for n in nodes.values())[-2])
    )


def coin_in_apply() -> AbstractContextManager[Any]:
    """Something in `apply` is not a function of the log."""
    coin = random.Random(1)
    return mock.patch.object(order, "stalled", side_effect=lambda *_: coin.random() < 0.01)


def session_ignored() -> AbstractContextManager[Any]:
    """A node answers before it has what the client has seen."""
    return mock.patch.object(Readers, "session", mock.AsyncMock())


def barrier_left_out() -> AbstractContextManager[Any]:
    """A refusal is given on what this replica happens to have applied."""
    return mock.patch.object(Submitting, "_barrier", mock.AsyncMock())


def group_left_out() -> AbstractContextManager[Any]:
    """A watch goes on one group too far after it was interrupted."""
    follow = ModelEngine.follow

    async def skipping(self: ModelEngine, from_position: int) -> AsyncIterator[Any]:
        async for placed in follow(self, from_position):
            yield placed[1:] if len(placed) > 2 else placed

    return mock.patch.object(ModelEngine, "follow", skipping)


def write_error_swallowed() -> AbstractContextManager[Any]:
    """A failed write is taken for one that was made."""
    write = SimRocks.write

    def quiet(self: SimRocks, batch: Any) -> None:
        try:
            write(self, batch)
        except OSError:
            return

    return mock.patch.object(SimRocks, "write", quiet)


def node_states_not_written() -> AbstractContextManager[Any]:
    """Lanes and incarnations are kept in memory only."""
    put = Store.put_log_state
    return mock.patch.object(Store, "put_log_state", lambda self, state, nodes, changed: put(self, state, nodes, set()))


def rules_before_request_id() -> AbstractContextManager[Any]:
    """A known request is judged again, and refused for what it did itself."""
    judge = Replica.judge

    def judged(self: Replica, message: Any) -> Any:
        found = judge(self, message)
        if isinstance(found, Known):
            raise Skipped(Outcome.CODE_INVALID)
        return found

    return mock.patch.object(Replica, "judge", judged)


@contextmanager
def trimmed_too_early() -> Iterator[None]:
    """The log forgets up to its head, whoever still needs it and whatever is signed and held."""
    with (
        mock.patch.object(eata_node.node, "low_waters", side_effect=lambda replica, full: [replica.position]),
        mock.patch.object(Bootstrap, "held", mock.AsyncMock(side_effect=max)),
    ):
        yield


def final_on_one_word() -> AbstractContextManager[Any]:
    """A client takes one node's answer for the log's."""
    return mock.patch.object(Committed, "final", property(lambda self: self.signers >= 1))


def refusal_of_one_believed() -> AbstractContextManager[Any]:
    """A client takes one node's refusal for that of the rules."""

    async def believed(self: Sending, first: EataError) -> Any:
        first.confirmed = True
        raise first

    return mock.patch.object(Sending, "second_opinion", believed)


def reads_not_compared() -> AbstractContextManager[Any]:
    """A client believes what the nearest node tells of a carnet."""

    async def first(self: Comparing) -> Agreed:
        reply, _ = await self._first()
        return Agreed(reply, 3, 6, 3)

    return mock.patch.object(Comparing, "agreed", first)


@dataclass(frozen=True)
class Planted:
    """A mistake and the first seed that finds it; when steps are taken at other moments, the search goes on from there."""

    plant: Any
    seed: int

    @property
    def name(self) -> str:
        return str(self.plant.__name__)

    def found(self, first: int, tried: int) -> int | None:
        """The seed from `first` on that finds it; that seed finds nothing without it."""
        for seed in range(first, first + tried):
            with self.plant():
                caught = bool(simulate(seed).violation)
            if caught:
                return None if simulate(seed).violation else seed
        return None


PLANTED = (
    Planted(acknowledged_before_append, 0),
    Planted(fsync_skipped, 15),
    Planted(request_ids_forgotten, 0),
    Planted(acknowledged_group_lost, 0),
    Planted(batch_torn, 6),
    Planted(second_highest_clock_rules, 6),
    Planted(coin_in_apply, 2),
    Planted(session_ignored, 22),
    Planted(barrier_left_out, 6),
    Planted(group_left_out, 0),
    Planted(write_error_swallowed, 9),
    Planted(node_states_not_written, 3),
    Planted(rules_before_request_id, 0),
    Planted(trimmed_too_early, 11),
    Planted(final_on_one_word, 0),
    Planted(refusal_of_one_believed, 0),
    Planted(reads_not_compared, 0),
)
