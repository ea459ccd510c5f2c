"""One replica at work: it follows the log, proposes, ticks, syncs and scrubs. `server.py` opens its doors.

A node is given its disk, its engine and its clock, so that a simulation runs this very class.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import structlog
from eata_host.files import Slot
from eata_ledger.encoding import Malformed
from eata_ledger.facts import DamagedFact
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.group import Cosignature
from eata_ledger.log.opening import FIRST
from eata_ledger.rules import VERSION

from eata_node.engine.client import Tail
from eata_node.engine.interface import Engine, EngineDown, MustBootstrap, Room
from eata_node.ground.config import NodeKeys
from eata_node.ground.metrics import Metrics
from eata_node.ground.rocks import DamagedError
from eata_node.recovery import backup
from eata_node.recovery.bootstrap import Bootstrap, OtherHistory
from eata_node.recovery.compaction import ROOM, low_waters
from eata_node.replica.blobs import Blobs
from eata_node.replica.cosigning import CosigningGuard
from eata_node.replica.replica import Divergence, Replica
from eata_node.replica.scrub import scrub
from eata_node.replica.store import Store
from eata_node.rpc.limits import Limits
from eata_node.writing.gathering import Gathering
from eata_node.writing.proposer import Proposer, SupersededError, wall_clock
from eata_node.writing.receipts import Receipts
from eata_node.writing.sessions import Readers
from eata_node.writing.submit import Submitting
from eata_node.writing.ticking import Ticking

_APPLY_AT_ONCE, _TRIM_SECONDS = 4, 2.0
log = structlog.get_logger()


@dataclass(frozen=True)
class Disk:
    """What a node keeps: its store, documents, the checkpoint it signed last, and proof of a divergence."""

    store: Store
    blobs: Blobs
    guard: Slot
    evidence: Slot

    @classmethod
    def open(cls, folder: Path) -> "Disk":
        return cls(
            Store.open(folder),
            Blobs(folder / "blobs"),
            Slot(folder / "checkpoint.guard"),
            Slot(folder / "evidence.json"),
        )


@dataclass(frozen=True)
class World:
    """What a node finds around it: its engine, its peers, their addresses, time (ms UTC; elapsed seconds), and the newest rules it knows."""

    engine: Callable[[Tail], Engine]
    peers: Mapping[str, grpc.aio.Channel] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], int] = wall_clock
    elapsed: Callable[[], float] = time.monotonic
    rules: int = VERSION


class Node:
    """Runs until `stop`; every task's failure is an alarm, never a silent end."""

    def __init__(self, name: str, genesis: Genesis, keys: NodeKeys, disk: Disk, world: World) -> None:
        self.name, self.metrics, self.blobs, self.store = name, Metrics(), disk.blobs, disk.store
        self.replica = Replica(
            genesis,
            self.store,
            self.metrics,
            keys.group.id,
            disk.evidence,
            world.clock,
            world.elapsed,
            world.rules,
        )
        self.replica.on_halt, self.replica.on_erased = self._halted, self._erase
        self.engine = world.engine(self.replica.tail)
        self.gathering = Gathering(world.peers)
        self.receipts = Receipts(genesis, self.replica, keys, self.gathering)
        self.bootstrap = Bootstrap(self.replica, world.peers)
        self._guard = CosigningGuard(disk.guard, keys.statement, genesis.ledger)
        self.proposer = Proposer(
            self.engine, self.replica, keys.group, self._sign, self.metrics, self.gathering.foresee
        )
        self._ticking = Ticking(self.replica, self.proposer, keys.group, genesis)
        self.readers = Readers(self.replica, world.clock, world.addresses, self.engine)
        self.limits = Limits(self.metrics, world.elapsed)
        self._clock = world.clock
        self.head, self.scrubbed, self._trimmed, self._room, self._since = -1, 0, 0, Room(), 0
        self.submitting: Submitting | None = None
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self.on_halt: Callable[[], None] = lambda: None
        self.superseded, self.damaged = asyncio.Event(), asyncio.Event()
        self.reopened, self.failed = asyncio.Event(), asyncio.Event()
        self.orphaned = False

    def start(self) -> None:
        """Writes once it has caught up and opened; with evidence of an earlier run it stays halted."""
        if self.replica.halted:
            self.metrics.halted.set(1)
            self._halted()
            return
        for work in (self._follow, self._write, self._sync, self._trim, self._scrub):
            self.tasks[work.__name__] = asyncio.create_task(self._watched(work))

    async def _watched(self, work: Callable[[], Any]) -> None:
        """A background task that ends before the node does is a failure of the node."""
        try:
            await work()
        except asyncio.CancelledError:
            if not self._stopping and not self.replica.halted:
                self.replica.halt(f"{work.__name__.strip('_')} was cancelled")
            raise
        except Exception as error:
            error = _only(error)
            if isinstance(error, DamagedError | DamagedFact | Malformed):
                if not self.failed.is_set():  # what a failing disk says afterwards tells nothing of its files
                    self.damaged.set()
                self.replica.halt(f"damaged: {error}")
            elif isinstance(error, Divergence):
                self.replica.halt(str(error))
            else:
                self.failed.set()
                self.replica.halt(f"{work.__name__.strip('_')} failed: {type(error).__name__}: {error}")

    def _halted(self) -> None:
        """A halted node proposes nothing more."""
        self.submitting = None
        if "_write" in self.tasks:
            self.tasks["_write"].cancel()
        self.on_halt()

    async def _sign(self) -> Cosignature | None:
        """This node's signature of the checkpoint that is due: chosen here, between groups; only the fsync is a thread's."""
        wanted, newest, era = self.replica.cosigning.to_sign(), self.replica.cosigning.newest, self.replica.state.era
        if wanted is None or newest is None or self.replica.halted:
            return None
        signed = await asyncio.to_thread(self._guard.sign, era, *wanted)
        return signed or await asyncio.to_thread(self._guard.sign, era, *newest)

    # -- following

    async def _follow(self) -> None:
        if await self._entered() and self.replica.fetching is not None:
            await self._fetch()
        while not self.replica.halted:
            try:
                await self._check_head()
                async for placed in self.engine.follow(max(self.replica.position, 0)):
                    self.head = max(self.head, placed[-1].position)
                    self.metrics.head.set(self.head)
                    self._since += sum(len(one.group) for one in placed)
                    for at in range(0, len(placed), _APPLY_AT_ONCE):
                        self.replica.take(placed[at : at + _APPLY_AT_ONCE])
                        self._measure()
                        await asyncio.sleep(0)
                    if self.replica.halted:
                        return
            except Divergence as error:
                self.replica.halt(str(error))
            except MustBootstrap as error:
                log.warning("bootstrapping", why=str(error))
                await self._fetch()
            except EngineDown:
                await asyncio.sleep(0.1)

    async def _fetch(self) -> None:
        """What the log no longer has comes from the peers, whoever asks meanwhile is sent to another node."""
        try:
            await self.bootstrap.run()
        except Divergence as error:
            self.replica.halt(str(error))

    async def _entered(self) -> bool:
        """The log's era is entered before anything of it is followed; False where that cannot be."""
        while True:
            try:
                head = await self.engine.head()
                break
            except EngineDown:
                await asyncio.sleep(0.1)
        if head.era <= max(self.replica.state.era, FIRST):
            return True
        try:
            await self.bootstrap.enter(head.opening)
            return True
        except Divergence as error:
            self.replica.halt(str(error))
        except OtherHistory as error:
            self.orphaned = True
            self.replica.halt(str(error))
            self.reopened.set()
        return False

    async def _check_head(self) -> None:
        """A live engine that holds less than was applied is not the log this replica followed."""
        head = await self.engine.head()
        if 0 < head.era < self.replica.state.era:
            raise Divergence(f"the engine is of era {head.era}, era {self.replica.state.era} was entered here")
        if head.era > self.replica.state.era > 0:
            self.replica.halt(f"era {head.era} has been opened")
            self.reopened.set()
            return
        self.head = max(self.head, head.position)
        if head.state == "LIVE" and head.position < self.replica.position:
            raise Divergence(f"the engine's head is {head.position}, {self.replica.position} was applied")

    def _measure(self) -> None:
        self.metrics.excluded.set(len(self.replica.cosigning.excluded))
        state = self.replica.state
        newest = max(node.clock for node in self.replica.nodes.values())
        self.metrics.clock_off.set(self.replica.clock_watch.off_by / 1000)
        self.metrics.clock_stalled.set(1 if newest > state.log_time + 60_000 else 0)

    # -- writing

    async def _write(self) -> None:
        """Catches up, opens this incarnation, proposes and ticks until the end."""
        await self._catch_up()
        while self.proposer.unregistered and not self.replica.halted:  # until the root names this node's keys
            await self.replica.reach(self.replica.position + 1, 1.0)
        if self.replica.halted:
            return
        try:
            await self.proposer.open(self._catch_up)
            if self.replica.halted:
                return
            self.submitting = Submitting(
                self.replica, self.proposer, self.engine, self.readers, self.receipts, self.metrics, self.limits,
                self.full,
            )  # fmt: skip
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.proposer.run())
                tasks.create_task(self._ticking.run())
        except* SupersededError as group:
            log.error("superseded", why=str(group.exceptions[0]))
            self.replica.halt("another process runs with this node's identity")
            self.superseded.set()

    async def _catch_up(self) -> None:
        """Until the log's era is entered and its head applied, or the node halts."""
        while not self.replica.halted:
            try:
                head = await self.engine.head()
                if head.state == "LIVE" and await self.replica.abreast(head, 1.0):
                    self.replica.building = False
                    return
            except EngineDown:
                pass
            await asyncio.sleep(0.05)

    # -- keeping

    async def _sync(self) -> None:
        """Once a second: what is fsynced here is told in the next group; the engine's head gives the lag."""
        while True:
            await asyncio.sleep(1)
            position = max(self.replica.position, 0)
            await asyncio.to_thread(self.store.sync)
            self.proposer.synced = position
            try:
                head = await self.engine.head()
            except EngineDown:
                self.metrics.engine_up.set(0)
                continue
            self.head = max(self.head, head.position)
            self.metrics.head.set(self.head)
            self.metrics.engine_up.set(head.state == "LIVE")

    async def _trim(self) -> None:
        """Nodes take turns: what all have, and more than half have signed, the log may forget."""
        while True:
            await asyncio.sleep(_TRIM_SECONDS)
            await self.bootstrap.gather()
            try:
                room = await self.engine.room()
                self._room, self._since = room, 0
                self.metrics.engine_full.set(room.full())
                if int(self._clock() / 1000 / _TRIM_SECONDS) % len(self.replica.nodes) == self._turn:
                    await self._forget()
            except EngineDown:
                continue

    def full(self) -> float:
        """How full the log is, 0 to 1: as last measured, with what it took since and what waits here."""
        return self._room.full(self._since + self.proposer.waiting)

    @property
    def _turn(self) -> int:
        return sum(node < self.replica.own for node in self.replica.charter.by_id)

    async def _forget(self) -> None:
        behind = [at for at in low_waters(self.replica, self._room.full()) if at > self._trimmed]
        before = await self.bootstrap.held(behind) if behind else 0
        if before:
            await self.engine.compact(before)
            self._trimmed = before
            log.info("log compacted", before=before)
        if self._room.full() > ROOM:
            await self.engine.make_room()

    def backup(self) -> Path:
        """A copy of what is here now, in this node's own folder. Raises `OSError`."""
        replica, size = self.replica, self.replica.cosigning.newest_final
        folder = self.blobs.folder.with_name("backups") / f"{replica.state.size}-{self._clock()}"
        backup.take(self.store, self.blobs.folder, folder, {
            "node": self.name, "ledger": replica.genesis.ledger.hex(), "era": replica.state.era,
            "position": replica.position, "size": replica.state.size, "root": replica.root.hex(),
            "log_time": replica.state.log_time, "checkpoint": replica.cosigning.note(size) if size else "",
        })  # fmt: skip
        return folder

    def _erase(self, digests: list[bytes]) -> None:
        """Erased parts and documents leave the disk."""
        for digest in digests:
            if not self.store.attached(digest):
                self.blobs.drop(digest)
        self.tasks["erase"] = asyncio.create_task(asyncio.to_thread(self.store.forget_erased))

    async def _scrub(self) -> None:
        """Walks the store from the start, gently, again and again."""
        while True:
            for whole in scrub(self.store, self.replica.state.size):
                self.scrubbed = whole
                self.metrics.scrubbed.set(whole)
                await asyncio.sleep(0.02)
            self.blobs.sweep(self.store.attached)
            await asyncio.sleep(60)

    async def stop(self) -> None:
        """Leaves a flushed store behind."""
        self._stopping = True
        if self.submitting is not None:
            self.submitting.stop()
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        await self.engine.close()
        if not (self.damaged.is_set() or self.failed.is_set()):
            self.store.flush()
        self.store.close()


def _only(error: Exception) -> Exception:
    """What really went wrong, where a task group says only that something did."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
