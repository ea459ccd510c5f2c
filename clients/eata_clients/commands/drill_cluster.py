"""`eata drill lost-region`, `quorum`, `divergence`, `full-disk`: a node, the engine or a disk is gone or wrong, on a cluster
of the drill's own."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault

from eata_clients.commands.drill import drill_app
from eata_clients.commands.drill_node import cluster_of_its_own, eata, running

if TYPE_CHECKING:
    from eata_clients.sandbox.stage import Played, Stage

_MOUNT, _UMOUNT = (shutil.which(name) or f"/usr/bin/{name}" for name in ("mount", "umount"))
_NODE, _TERRITORY, _PATIENCE = "mumbai", "CH", 90.0


def register(app: typer.Typer) -> None:
    """The commands hang on `drill` itself."""


@dataclass
class DrillScene:
    """A running cluster and what was committed on it."""

    home: Path
    stage: "Stage"
    stack: ExitStack
    done: list[tuple["Played", int]] = field(default_factory=list)

    async def commits(self) -> None:
        """A carnet of its own, validated and exported."""
        await self.sent(*await self.prepared())

    async def prepared(self) -> "tuple[Played, list[Any]]":
        """Everything before the desk."""
        from eata_ledger.carnet.vocabulary import Kind, SetKind

        played = await self.stage.carnet(_TERRITORY, 5, 30, {SetKind.EXPORT: 1})
        wishes = ((Kind.VALIDATION, _TERRITORY, "1-5", ""), (Kind.EXPORTATION, _TERRITORY, "1-5", ""))
        return played, list(await played.prepare(*wishes))

    async def sent(self, played: "Played", vouchers: list[Any]) -> None:
        for ready in vouchers:
            self.done.append((played, await played.commit(ready, _TERRITORY)))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = eata(self.home, "status")
        return found

    def pid(self, name: str) -> int:
        found = self.status()
        member = found["engine"] if name == "core" else next(r for r in found["replicas"] if r["name"] == name)
        return int(member["pid"])

    async def halted(self, name: str) -> None:
        """Until a node has found itself out."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            rows = (await asyncio.to_thread(self.status))["replicas"]
            if any((row["name"], row["state"]) == (name, "HALTED") for row in rows):
                return
            await asyncio.sleep(0.1)
        raise Fault("DRILL_FAILED", f"{name} did not halt within {_PATIENCE:.0f} s.", "Look at its log.jsonl.")

    async def equal(self) -> None:
        """Until all replicas hold the same entries."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            rows = (await asyncio.to_thread(self.status))["replicas"]
            if len({(row.get("size"), row.get("root")) for row in rows}) == 1 and rows[0].get("size"):
                return
            if time.monotonic() > deadline:
                raise Fault(
                    "DRILL_FAILED", f"The replicas were not equal within {_PATIENCE:.0f} s.", "Look at log.jsonl."
                )
            await asyncio.sleep(0.1)

    def start(self, *arguments: str) -> None:
        """A member, until the drill's end."""
        self.stack.enter_context(running(self.home, *arguments))

    async def lost(self) -> int:
        """Commits that their holders are not shown; all replicas are equal, so any of them tells."""
        return sum([index not in {row.index for row, _ in (await played.show()).rows} for played, index in self.done])


Strike = Callable[[DrillScene], Awaitable[int]]


def _drill(strike: Strike, what: str, as_json: bool, small: bool = False) -> None:
    """Commits before and after; `strike` returns the milliseconds from its blow to recovery."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        with _small_disk(home / "nodes" / _NODE, small), cluster_of_its_own(home):
            data = asyncio.run(_story(home, strike))
    say(
        data, as_json, f"{what}: recovered after {data['recovered_ms']} ms.",
        f"{data['lost']} of {data['committed']} lost.",
    )  # fmt: skip
    raise typer.Exit(1 if data["lost"] else 0)


async def _story(home: Path, strike: Strike) -> dict[str, Any]:
    from eata_clients.net.network import Network
    from eata_clients.sandbox.stage import Stage

    with tempfile.TemporaryDirectory() as work:
        async with Stage(Network.read(home / "network.json"), home / "offices", Path(work)) as stage:
            with ExitStack() as stack:
                scene = DrillScene(home, stage, stack)
                await scene.commits()
                recovered_ms = await strike(scene)
                await scene.commits()
                await scene.equal()
                return {"committed": len(scene.done), "lost": await scene.lost(), "recovered_ms": recovered_ms}


@drill_app.command("lost-region")
def lost_region(as_json: Annotated[bool, JSON] = False) -> None:
    """A node's machine is gone with its disk. The others go on; an empty one in its place gets everything back."""

    async def strike(scene: DrillScene) -> int:
        os.kill(scene.pid(_NODE), signal.SIGKILL)
        shutil.rmtree(scene.home / "nodes" / _NODE / "store")
        await scene.commits()
        started = time.perf_counter()
        await asyncio.to_thread(scene.start, "start", _NODE)
        await scene.equal()
        return round((time.perf_counter() - started) * 1000)

    _drill(strike, f"{_NODE} lost its disk", as_json)


@drill_app.command("quorum")
def quorum(as_json: Annotated[bool, JSON] = False) -> None:
    """The engine is gone: nothing is answered, nothing is lost. On the embedded engine its core is the quorum."""

    async def strike(scene: DrillScene) -> int:
        ready = await scene.prepared()
        os.kill(scene.pid("core"), signal.SIGKILL)
        waiting = asyncio.create_task(scene.sent(*ready))
        done, _ = await asyncio.wait({waiting}, timeout=2)
        if done:
            raise Fault("DRILL_FAILED", "A commit was answered without an engine.", "Tell the makers.")
        started = time.perf_counter()
        await asyncio.to_thread(scene.start, "start", "core")
        await waiting
        return round((time.perf_counter() - started) * 1000)

    _drill(strike, "The engine was gone", as_json)


@drill_app.command("divergence")
def divergence(as_json: Annotated[bool, JSON] = False) -> None:
    """A node's facts are changed on its disk: it is found out, halts, and its store is built anew from the others'."""

    async def strike(scene: DrillScene) -> int:
        os.kill(scene.pid(_NODE), signal.SIGKILL)
        eata(scene.home, "spoil", _NODE)
        await asyncio.to_thread(scene.start, "start", _NODE)
        await scene.commits()
        await scene.halted(_NODE)
        started = time.perf_counter()
        os.kill(scene.pid(_NODE), signal.SIGKILL)
        eata(scene.home, "scrub", _NODE, "--set-aside", code=1)
        await asyncio.to_thread(scene.start, "start", _NODE)
        await scene.equal()
        return round((time.perf_counter() - started) * 1000)

    _drill(strike, f"{_NODE} held another truth and halted", as_json)


@drill_app.command("full-disk")
def full_disk(as_json: Annotated[bool, JSON] = False) -> None:
    """A node's disk is full: it halts, the others go on, and it comes back by itself. Mounts a small disk: needs root."""

    async def strike(scene: DrillScene) -> int:
        ballast = scene.home / "nodes" / _NODE / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 16)):
                    pass
            except OSError:
                pass
        for _ in range(3):
            await scene.commits()
        started = time.perf_counter()
        ballast.unlink()
        await scene.equal()
        return round((time.perf_counter() - started) * 1000)

    _drill(strike, f"{_NODE}'s disk was full", as_json, small=True)


@contextmanager
def _small_disk(folder: Path, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        [_MOUNT, "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        raise Fault("NOT_HERE", "This user may not mount a small disk.", "Run the drill as root.")
    try:
        yield
    finally:
        subprocess.run([_UMOUNT, "-l", str(folder)], check=False)
