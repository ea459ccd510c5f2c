"""Real faults on real processes for as long as asked: what was acknowledged must be there, once, in order, on all six.

./scripts/faults --minutes 60                    on three etcd members
./scripts/faults --minutes 5 --engine embedded   on the core of one machine

One of the six proxies lies all the time, except with `--honest`: what counts is what the others have. A run with too little traffic fails: it would prove nothing. Each kind is struck once at least, however short the run.
EATA_SEED=… plays a run's choices again.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eata_clients.net.errors import EataError
from eata_node.engine.members import Members
from eata_node.ground.rocks import DamagedError
from eata_node.operator.cluster import Cluster
from eata_node.replica.store import Store
from eata_proto.v1 import ledger_pb2
from rich.console import Console
from rich.progress import Progress

from scripts import debian
from scripts.fault_kinds import HEALED, Faults, Struck, small_disk
from tests.apart import kept_apart, possible
from tests.load import Load, build
from tests.lying import MODULE
from tests.mesh import People, prepare, seeded
from tests.relay import Relay, relayed

ROOT = Path(__file__).resolve().parents[1]
SMALL = "tokyo"  # lives on a disk of its own that can be filled
LIAR = "sao-paulo"  # is in the attacker's hands
_STRUCK = 600.0  # seconds within which one fault is over and mended
_ANSWERED = 300.0  # seconds after the end within which the last commits must have been answered
_LOOKS = 3  # into the stores at the end
BATCH, CLIENTS, A_MINUTE = 600, 12, 300  # commits built at once; clients; the least traffic that counts
_RESUMED, _DEATHS = (
    3.0,
    5,
)  # seconds after a leader's death in which half of them are over; deaths from which that is judged


@dataclass
class Run:
    """One cluster under faults; `acknowledged` maps entry hash to ledger index."""

    cluster: Cluster
    relays: list[Relay]
    small: str
    seeded: random.Random
    only: str = ""
    liar: str = ""
    pause: float = 0.0  # seconds that a client rests an entry
    load: Load | None = None  # the batch under way
    acknowledged: dict[bytes, int] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    resumed: list[float] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)

    @property
    def honest(self) -> list[str]:
        return [name for name in self.cluster.names if name != self.liar]

    def lies(self, name: str) -> None:
        """From here on that proxy is the attacker's."""
        self.liar = name
        self.cluster.stop(name)
        self.cluster.programs[name] = MODULE
        self.cluster.start(name)

    # -- the run

    async def run(self, minutes: float, progress: Callable[[float, str], None]) -> list[ledger_pb2.StatusReply]:
        """What the honest ones say at its end, whole again."""
        faults = Faults(
            self.cluster, self.relays, self.small, self.seeded, lambda: len(self.acknowledged),
            lambda: 0 if self.load is None else self.load.waiting, self.liar,
        )  # fmt: skip
        self.resumed, self.left_out, self.ended = faults.resumed, faults.left_out, faults.ended
        kinds, bag = [kind for kind in faults.kinds() if self.only in ("", kind.__name__)], list[Struck]()
        end, over = time.monotonic() + minutes * 60, asyncio.Event()
        traffic = asyncio.create_task(self._traffic(People(self.cluster.home), over))
        supervisor = asyncio.create_task(faults.supervise())
        try:
            while (time.monotonic() < end or len(self.done) < len(kinds)) and not traffic.done():
                if supervisor.done():
                    supervisor.result()
                if not bag:  # each once, in any order, before any comes again
                    bag = self.seeded.sample(kinds, len(kinds))
                kind = bag.pop()
                async with asyncio.timeout(_STRUCK):
                    await kind()
                self.done[kind.__name__] += 1
                left = max(end - time.monotonic(), 0)
                progress(minutes * 60 - left, f"{len(self.acknowledged)} acknowledged, {self.done.total()} faults")
                await asyncio.sleep(self.seeded.uniform(0.5, 3))
            over.set()
            async with asyncio.timeout(_ANSWERED):  # what was sent before the end must be answered after it
                await traffic
            return await asyncio.to_thread(self._settled)  # and what was struck before the end must be whole after it
        finally:
            traffic.cancel()
            supervisor.cancel()

    async def _traffic(self, people: People, over: asyncio.Event) -> None:
        """Commits in batches until the run is over; each batch on a carnet of its own."""
        while not over.is_set():
            self.load = await _patiently(lambda: build(people, BATCH))
            self.load.acknowledged, self.load.final = self.acknowledged, True
            await self.load.run(people, CLIENTS, streams=True, pause=self.pause, until=over)

    def _settled(self) -> list[ledger_pb2.StatusReply]:
        """What the honest ones say at one position, none of them halted any more."""
        deadline = time.monotonic() + HEALED
        while True:
            statuses = [self.cluster.wait(name, patience=HEALED) for name in self.honest]
            if len({s.position for s in statuses}) == 1 and all(s.state == "FOLLOWING" for s in statuses):
                return statuses
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {HEALED:.0f} s: {[(s.name, s.state, s.position) for s in statuses]}")
            time.sleep(0.2)

    def _stopped(self, statuses: list[ledger_pb2.StatusReply]) -> list[ledger_pb2.StatusReply]:
        """All stopped, each store as long as its proxy has said.

        A flipped bit may be found at any moment: a store that is being built anew just then must become whole too.
        """
        for _ in range(_LOOKS):
            self.cluster.stop_all()
            short = [n for n, s in zip(self.honest, statuses, strict=True) if self._size(n) < s.size]
            if not short:
                break
            self.cluster.start_all()
            self.cluster.ready()
            statuses = self._settled()
        return statuses

    def _size(self, name: str) -> int:
        """Entries in a stopped proxy's store."""
        try:
            store = Store.open(self.cluster.home / "nodes" / name)
        except DamagedError:
            return 0
        try:
            state = store.log_state()
            return 0 if state is None else state[0].size
        finally:
            store.close()

    def judge(self, statuses: list[ledger_pb2.StatusReply]) -> dict[str, Any]:
        """Stops everything and looks into the stores of all who are honest."""
        statuses = self._stopped(statuses)
        lost = doubled = reordered = 0
        for name, status in zip(self.honest, statuses, strict=True):
            store = Store.open(self.cluster.home / "nodes" / name)
            hashes = [store.whole_entry(index)[1].hash for index in range(status.size)]
            store.close()
            places = {digest: index for index, digest in enumerate(hashes)}
            lost += sum(digest not in places for digest in self.acknowledged)
            reordered += sum(places.get(digest, index) != index for digest, index in self.acknowledged.items())
            doubled += len(hashes) - len(places)
        return {
            "acknowledged": len(self.acknowledged), "lost": lost, "doubled": doubled, "reordered": reordered,
            "roots": len({(status.size, status.root) for status in statuses}), "faults": dict(self.done), "left_out": self.left_out,
            "ended": dict(self.ended),
            "resumed_s": {
                "count": len(self.resumed), "p50": round(statistics.median(self.resumed or [0]), 2),
                "worst": round(max(self.resumed, default=0), 2),
            },
        }  # fmt: skip


async def _patiently(work: Callable[[], Awaitable[Load]]) -> Load:
    """Building needs answers too, and goes on one node's word: it is tried anew while the cluster is being struck."""
    deadline = time.monotonic() + _STRUCK
    while True:
        try:
            return await work()
        except EataError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.5)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--engine", choices=("etcd", "embedded"), default="etcd")
    parser.add_argument("--only", default="", help="one kind of fault, such as fill_disk")
    parser.add_argument("--a-second", type=float, default=30.0, help="about so many commits; 0 for as many as go")
    parser.add_argument("--honest", action="store_true", help="no proxy lies")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    given = parser.parse_args()
    seed = int(os.environ.get("EATA_SEED") or int.from_bytes(os.urandom(4), "big"))
    folder = Path(tempfile.mkdtemp(prefix="eata-faults-"))
    print(f"EATA_SEED={seed}; if this run fails, its evidence stays in {folder}", file=sys.stderr)
    if given.engine == "etcd":
        debian.etcd()
    with contextlib.ExitStack() as stack:
        passphrase = folder / "passphrase"
        passphrase.write_text(os.urandom(16).hex())
        os.environ["EATA_PASSPHRASE_FILE"] = str(passphrase)
        home = folder / "home"
        small = SMALL if stack.enter_context(small_disk(home / "nodes" / SMALL)) else ""
        file = prepare(home, 3 if given.engine == "etcd" else 0)
        relays = stack.enter_context(relayed(file.endpoints))
        file.endpoints = [relay.address for relay in relays]
        file.write(home)
        voters = None
        if file.etcd and possible():
            members = Members(home, file.etcd, bytes.fromhex(file.ledger), file.quota)
            voters = stack.enter_context(kept_apart(members))
        run = Run(stack.enter_context(seeded(home, voters)), relays, small, random.Random(seed), given.only)
        if not given.honest:
            run.lies(LIAR)
        run.pause = CLIENTS / given.a_second if given.a_second else 0.0
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("faults", total=given.minutes * 60)
            work = run.run(given.minutes, lambda at, text: bar.update(task, completed=at, description=text))
            statuses = asyncio.run(work)
        found = run.judge(statuses)
    enough = found["acknowledged"] >= A_MINUTE * given.minutes
    whole = not (found["lost"] or found["doubled"] or found["reordered"]) and found["roots"] == 1
    count, half, worst = found["resumed_s"].values()
    soon = count < _DEATHS or half <= _RESUMED
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        print(", ".join(f"{found[name]:,} {name}" for name in ("acknowledged", "lost", "doubled", "reordered")))
        print("faults: " + ", ".join(f"{kind} {n}" for kind, n in sorted(run.done.items())))
        for why in run.left_out:
            print(f"left out: {why}")
        if run.resumed:
            print(
                f"after {count} deaths of an engine's leader writes went on: half within {half} s, all within {worst} s"
            )
    if not enough:
        print(f"too little traffic: {A_MINUTE * given.minutes:.0f} commits are the least that count", file=sys.stderr)
    if not soon:
        print(f"writes went on too late: half of the deaths took over {_RESUMED:.0f} s", file=sys.stderr)
    if whole and enough:
        shutil.rmtree(folder)
    return 0 if whole and enough and soon else 1


if __name__ == "__main__":
    sys.exit(main())
