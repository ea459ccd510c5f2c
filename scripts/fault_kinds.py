"""What is done to a running cluster, kind by kind; every kind leaves it able to go on, if it keeps its promises."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from eata_node.engine.members import Members
from eata_node.operator.cluster import Cluster

from tests.apart import Apart, possible
from tests.relay import Relay

SYSTEM_CALLS = ("fdatasync", "fsync", "pwrite64", "write", "openat", "rename", "ftruncate")
ERRORS = ("EIO", "ENOSPC")
_LEFT, HEALED = 2, 300.0  # proxies that are whole before another store goes; seconds until they must be
DISK = 1 << 30  # bytes of the small disk that one proxy lives on
_DETACHED = 5.0  # seconds that strace has to let go of what it traces
_SUPERVISED = 0.5  # seconds between two looks at what has ended by itself
_LISTENED = 5.0  # seconds after a leader's death
Struck = Callable[[], Awaitable[None]]


class Faults:
    """Chooses from `seeded` alone; `acknowledged` tells whether writes go on, `waiting` whether any are wanted."""

    def __init__(
        self, cluster: Cluster, relays: list[Relay], small: str, seeded: random.Random,
        acknowledged: Callable[[], int], waiting: Callable[[], int], liar: str = "",
    ) -> None:  # fmt: skip
        self.cluster, self.relays, self.seeded = cluster, relays, seeded
        self._acknowledged, self._waiting = acknowledged, waiting
        self._liar = liar  # what it says of itself counts for nothing
        self._small = small  # the proxy whose disk can be filled, empty where no disk could be made
        self.resumed: list[float] = []
        self.ended = Counter[str]()  # what ended by itself, with its exit code

    def kinds(self) -> list[Struck]:
        """What can be done here: some need etcd, a small disk, or strace."""
        found: list[Struck] = [
            self.kill_proxy, self.pause_proxy, self.kill_engine, self.pause_engine, self.lose_store, self.kill_everything,
            self.truncate_store, self.flip_store,
        ]  # fmt: skip
        if self.relays:
            found += [self.cut_leader, self.cut_everything, self.delay]
        if self.cluster.voters is not None:
            found += [self.damage_member]
        if isinstance(self.cluster.voters, Apart):
            found += [self.isolate_leader]
        if self._small:
            found += [self.fill_disk]
        if shutil.which("strace"):
            found += [self.fail_proxys_calls, self.fail_engines_calls]
        return found

    @property
    def left_out(self) -> list[str]:
        """What cannot be done on this machine, and why."""
        return [
            *([] if self._small else ["fill_disk: this user may not mount a small disk"]),
            *([] if possible() else ["isolate_leader: this user may not make mount namespaces"]),
            *([] if shutil.which("strace") else ["fail_proxys_calls, fail_engines_calls: strace is not installed"]),
        ]

    # -- processes

    async def supervise(self) -> None:
        """What ended by itself is started again, as its supervisor would."""
        keepers: list[Cluster | Members] = [self.cluster, *([self.cluster.voters] if self.cluster.voters else [])]
        while True:
            for keeper in keepers:
                for name, process in list(keeper.processes.items()):
                    if process.poll() is not None:  # no await from here on: no fault comes between
                        self.ended[f"{name} {process.returncode}"] += 1
                        keeper.start(name)
            await asyncio.sleep(_SUPERVISED)

    def _one(self) -> str:
        return self.seeded.choice(self.cluster.names)

    async def _restart(self, name: str) -> None:
        await asyncio.to_thread(self.cluster.kill, name)
        await asyncio.to_thread(self.cluster.start, name)

    async def kill_proxy(self) -> None:
        await self._restart(self._one())

    async def pause_proxy(self) -> None:
        await self._paused(self.cluster.processes[self._one()].pid)

    async def kill_engine(self) -> None:
        """The core, or the etcd member that leads."""
        if self.cluster.voters is None:
            await self._restart("core")
            return
        leader = await self.cluster.voters.leader()
        self.cluster.voters.kill(leader)
        silent = await self._longest_silence()
        if silent:
            self.resumed.append(silent)
        self.cluster.voters.start(leader)

    async def pause_engine(self) -> None:
        await self._paused(await self._engine())

    async def _engine(self) -> int:
        """The pid of the core, or of the member that leads."""
        voters = self.cluster.voters
        return self.cluster.processes["core"].pid if voters is None else voters.processes[await voters.leader()].pid

    async def _paused(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(self.seeded.uniform(0.5, 4))
        finally:
            os.kill(pid, signal.SIGCONT)

    async def kill_everything(self) -> None:
        """Every process at once, as when the power goes; then all of them come back."""
        voters = self.cluster.voters
        members, names = list(voters.processes if voters else ()), list(self.cluster.processes)
        for process in [*self.cluster.processes.values(), *(voters.processes.values() if voters else ())]:
            process.kill()
        for name in names:
            self.cluster.kill(name)
        for member in members:
            assert voters is not None, "it had members"
            voters.kill(member)
            voters.start(member)
        for name in names:
            await asyncio.to_thread(self.cluster.start, name)

    async def _longest_silence(self) -> float:
        """Seconds for which somebody waited and nobody was answered, the longest of the next few; 0 where nobody waited."""
        begun = last = time.monotonic()
        known, longest = self._acknowledged(), 0.0
        while last < begun + _LISTENED and time.monotonic() < begun + 30:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            if self._waiting():
                longest = max(longest, now - last)
            if not self._waiting() or self._acknowledged() != known:
                known, last = self._acknowledged(), now
        return longest

    # -- network

    async def cut_leader(self) -> None:
        """The member that leads hears no proxy, and none hears it; it may go on leading."""
        assert self.cluster.voters is not None, "relays stand before etcd members"
        leader = await self.cluster.voters.leader()
        address = next(member.client for member in self.cluster.voters.members if member.name == leader)
        await self._held([relay for relay in self.relays if relay.target == address])

    async def isolate_leader(self) -> None:
        """The member that leads loses the others, and they it; its clients still reach it."""
        voters = self.cluster.voters
        assert isinstance(voters, Apart), "the ways between members are in our hands"
        leader = await voters.leader()
        voters.isolate(leader)
        try:
            await asyncio.sleep(self.seeded.uniform(1, 8))
        finally:
            voters.isolate(leader, cut=False)

    async def cut_everything(self) -> None:
        await self._held(self.relays)

    async def _held(self, relays: list[Relay]) -> None:
        for relay in relays:
            relay.cut = True
        await asyncio.sleep(self.seeded.uniform(0.5, 5))
        for relay in relays:
            relay.cut = False

    async def delay(self) -> None:
        for relay in self.relays:
            relay.delay = self.seeded.uniform(0.02, 0.15)
        await asyncio.sleep(self.seeded.uniform(2, 5))
        for relay in self.relays:
            relay.delay = 0.0

    # -- disks

    async def _expendable(self) -> str:
        """A proxy whose store may go: two others are whole. What six disks lose before one is rebuilt is lost indeed.

        So often as the stores are struck, they must heal in time and with no command given: otherwise the run fails.
        """
        name, deadline = self._one(), time.monotonic() + HEALED
        while len(await asyncio.to_thread(self._whole, name)) < _LEFT:
            if time.monotonic() > deadline:
                states = await asyncio.to_thread(self._states)
                raise TimeoutError(f"too few proxies besides {name} are whole for {HEALED:.0f} s: {states}")
            await asyncio.sleep(0.5)
        return name

    def _whole(self, besides: str) -> list[str]:
        """The honest proxies that follow the log."""
        left_out = (besides, self._liar)
        return [name for name, (state, _) in self._states().items() if name not in left_out and state == "FOLLOWING"]

    def _states(self) -> dict[str, tuple[str, int]]:
        """Of each proxy that answers: its state, and its position in the log."""
        found = {}
        for name in self.cluster.names:
            with contextlib.suppress(grpc.RpcError):
                status = self.cluster.status(name)
                found[name] = status.state, status.position
        return found

    async def lose_store(self) -> None:
        """A stopped proxy's whole store is gone: it comes back and ends where the others are."""
        name = await self._expendable()
        await asyncio.to_thread(self.cluster.kill, name)
        for path in (self.cluster.home / "nodes" / name / "store").iterdir():
            path.unlink()
        await asyncio.to_thread(self.cluster.start, name)

    async def truncate_store(self) -> None:
        await self._damaged_store(self._cut)

    async def flip_store(self) -> None:
        await self._damaged_store(self._flip)

    async def _damaged_store(self, damage: Callable[[Path], None]) -> None:
        name = await self._expendable()
        await asyncio.to_thread(self.cluster.kill, name)
        files = (self.cluster.home / "nodes" / name / "store").iterdir()
        whole = sorted(path for path in files if path.stat().st_size and path.name not in ("LOCK", "LOG"))
        if whole:  # it may be one that has just been set aside
            damage(self.seeded.choice(whole))
        await asyncio.to_thread(self.cluster.start, name)

    def _cut(self, path: Path) -> None:
        os.truncate(path, self.seeded.randrange(path.stat().st_size))

    def _flip(self, path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[self.seeded.randrange(len(data))] ^= 1 << self.seeded.randrange(8)
        path.write_bytes(data)

    async def damage_member(self) -> None:
        """A follower's file is flipped or cut. etcd refuses it or not; either way that member is replaced, as a person would."""
        voters = self.cluster.voters
        assert voters is not None, "only members have files of their own"
        leader = await voters.leader()
        name = self.seeded.choice([member.name for member in voters.members if member.name != leader])
        voters.kill(name)
        files = sorted(
            p for p in (self.cluster.home / "etcd" / name / "data").rglob("*") if p.is_file() and p.stat().st_size
        )
        damage = self.seeded.choice((self._flip, self._cut))
        damage(self.seeded.choice(files))
        voters.start(name)
        await asyncio.sleep(3)
        voters.kill(name)
        await voters.replace(name)

    async def fill_disk(self) -> None:
        """No byte more fits on one proxy's disk for a while; it halts, and goes on by itself once there is room."""
        ballast = self.cluster.home / "nodes" / self._small / "ballast"
        fill(ballast)
        await asyncio.sleep(self.seeded.uniform(3, 8))
        ballast.unlink()

    # -- system calls

    async def fail_proxys_calls(self) -> None:
        await self._injected(self.cluster.processes[self._one()].pid)

    async def fail_engines_calls(self) -> None:
        await self._injected(await self._engine())

    async def _injected(self, pid: int) -> None:
        """One system call fails for a moment, from its n-th use on, in every thread."""
        call, error = self.seeded.choice(SYSTEM_CALLS), self.seeded.choice(ERRORS)
        inject = f"inject={call}:error={error}:when={self.seeded.randrange(1, 20)}+"
        strace = await asyncio.create_subprocess_exec(
            "strace", "-f", "-q", "-p", str(pid), "-e", f"trace={call}", "-e", inject, "-o", "/dev/null",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        await asyncio.sleep(self.seeded.uniform(0.5, 2))
        with contextlib.suppress(ProcessLookupError):  # it ends with what it traces
            strace.terminate()
        try:
            await asyncio.wait_for(strace.wait(), _DETACHED)
        except TimeoutError:  # it waits for ever for a process whose every thread ended under it
            strace.kill()
            await strace.wait()


def fill(ballast: Path) -> None:
    """A file that leaves no room on its disk."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass


@contextmanager
def small_disk(folder: Path, size: int = DISK) -> Iterator[bool]:
    """A disk of so many bytes mounted there; False where this user may not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=False)
