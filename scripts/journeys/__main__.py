"""`./scripts/demo`: makes a cluster, tells the story, writes report.html. Any difference is a non-zero exit."""

import json
import os
import shutil
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from eata_node.operator.cluster import create, running
from eata_node.operator.commands import write_network
from eata_node.rpc.tls import Authority
from rich.console import Console

from scripts import debian
from scripts.journeys import report
from scripts.journeys.actors import Stage, StepFailed, eata
from scripts.journeys.plot import GUIDE, MEMBERS, SEED, Play
from scripts.journeys.story import Story, Tell

_MARKER = "made-by-demo"


def demo(
    keep: Annotated[bool, typer.Option(help="Leave $EATA_HOME as it is at the end.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON here.")] = None,
    engine: Annotated[str, typer.Option(help="What orders the log: embedded, or etcd with three voters.")] = "embedded",
    short: Annotated[bool, typer.Option(help="Three of the carnets, with every fault.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for report.html, receipts and QR pictures.")] = Path("demo-report"),
) -> None:
    """Play five carnets on six replicas: issue, travel, commit, kill, flip a bit, reconcile, verify offline."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: nothing is left running
    if engine not in ("embedded", "etcd"):
        typer.echo("Engines are embedded and etcd.", err=True)
        raise typer.Exit(1)
    if engine == "etcd":
        debian.etcd()
    console, started = Console(stderr=True), time.monotonic()
    home = _fresh_home()
    out = _ours(out.resolve(), "--out")

    def tell(text: str) -> None:
        console.print(f"[green]✓[/green] [dim]{time.monotonic() - started:5.1f} s[/dim]  {text}", highlight=False)

    try:
        with console.status("playing; this takes two or three minutes"):
            data = _play(home, out, tell, 3 if engine == "etcd" else 0, SEED[::3] if short else SEED)
    except StepFailed as error:
        console.print(f"[red]✗ {error}[/red]")
        raise typer.Exit(1) from None
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
    if json_file is not None:
        json_file.write_text(json.dumps(data, indent=2) + "\n")
    tell(f"{data['commits']} commits, {data['lost']} lost, p50 {data['p50_ms']} ms, p99 {data['p99_ms']} ms")
    console.print(f"Report: {out / 'report.html'}" + (f"; state kept in {home}" if keep else ""), highlight=False)


def _fresh_home() -> Path:
    """$EATA_HOME, emptied only if an earlier demo made it."""
    home = Path(os.environ.get("EATA_HOME") or Path.home() / ".local" / "share" / "eata").absolute()
    os.environ["EATA_HOME"] = str(home)
    return _ours(home, "EATA_HOME")


def _ours(folder: Path, what: str) -> Path:
    """The folder, emptied only if an earlier demo made it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not (folder / _MARKER).is_file():
            typer.echo(f"{folder} holds something that is not a demo's. Set {what} to another folder.", err=True)
            raise typer.Exit(1)
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    (folder / _MARKER).touch()
    return folder


def _play(home: Path, out: Path, tell: Tell, voters: int, seed: tuple[Play, ...]) -> dict[str, Any]:
    create(home, "demo", first_id=883, voters=voters)
    authority = Authority(home / "tls")
    for member in MEMBERS:
        authority.admit(f"org:{member}", home / "offices" / member)
    with running(home) as cluster:
        stage = Stage(home)
        network = str(write_network(home))
        core = f"{voters} etcd voters" if voters else "one core"
        tell(f"{core} and six proxies up: pids {', '.join(str(p.pid) for p in cluster.processes.values())}")
        seeded = eata("sandbox", "seed", "--offices", str(home / "offices"), "--network", network)
        tell(f"{seeded['registered']} registry records signed and ordered")
        story = Story(stage, cluster, out, tell, seed)
        try:
            return _acts(story, out)
        finally:
            story.close()


def _acts(story: Story, out: Path) -> dict[str, Any]:
    story.open()
    story.phones()
    half = len(story.seed) // 2
    for play in story.seed[:half]:
        story.play(play)
    killed = story.kill_the_one_in_use()
    story.play(story.seed[half])
    story.bring_back(killed)
    lost = story.kill_the_leader()
    for play in story.seed[half + 1 :]:
        story.play(play)
    story.bring_back_a_member(lost)
    story.play(GUIDE, 0, 1)
    story.flip_a_bit(story.cluster.names[-1])
    story.last_one_standing(GUIDE)
    carnets, replicas = story.reconcile(), story.replicas()
    receipts, audit = story.receipts(), story.audit()
    times = sorted(told.ms for told in story.told)
    data = {
        "carnets": carnets, "replicas": replicas, "commits": len(story.told), "lost": story.lost(),
        "p50_ms": round(statistics.median(times), 1), "p99_ms": round(times[min(len(times) - 1, int(len(times) * 0.99))], 1),
        "receipts": receipts,
    }  # fmt: skip
    if data["lost"]:
        raise StepFailed(f"{data['lost']} acknowledged commits are lost")
    report.write(out / "report.html", story, data, audit)
    return data


if __name__ == "__main__":
    sys.argv[0] = "scripts/demo"
    typer.run(demo)
