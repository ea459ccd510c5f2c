"""The benchmarks: `python -m benchmarks COMMAND`. Figures do not travel between machines, ratios do."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from benchmarks import bulk as bulk_
from benchmarks import commits as commits_
from benchmarks import desk as desk_
from benchmarks import fair as fair_
from benchmarks import growth as growth_
from benchmarks import rebuild as rebuild_
from benchmarks import registry as registry_
from benchmarks import wan as wan_
from benchmarks.measuring import Figure
from benchmarks.plots import draw

app = typer.Typer(help=(__doc__ or "").split("\n")[0], no_args_is_help=True, pretty_exceptions_enable=False)
_JSON = Annotated[Path | None, typer.Option("--json", help="Write every figure as JSON here.")]
_PLOT = Annotated[Path | None, typer.Option("--plot", help="Draw latencies and rates as SVG here.")]
_FALL = 0.3
_REBUILT = ("entries", "seconds", "entries_a_second", "cpu_seconds", "memory_mb")
Scenario = Callable[[Path, Console], Awaitable[dict[str, Any]]]


@app.callback()
def _all() -> None:
    """The benchmarks."""


@app.command()
def commits(
    count: Annotated[int, typer.Option("--commits", min=20, help="How many commits on each ledger.")] = 600,
    rounds: Annotated[int, typer.Option(min=1, help="How often everything is measured in turn.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="Only six replicas beside an echo, as in CI.")] = False,
    json_file: _JSON = None,
    plot: _PLOT = None,
) -> None:
    """Commits one at a time and 64 at once, beside an echo, etcd, PostgreSQL and NATS, interleaved."""
    data = _measured(lambda folder, console: commits_.run(folder, count, rounds, not quick, console))
    _told(data, json_file, plot)
    for line in fallen(data["ratios"]):
        typer.echo(line, err=True)
    for name, why in data["missing"].items():
        typer.echo(f"not measured: {name} ({why})", err=True)
    _kept(data)


def _kept(data: dict[str, Any]) -> None:
    """What was acknowledged and is not in every store fails the run."""
    lost = {name: kept for name, kept in data["acknowledged_and_found_in_every_store"].items() if kept[0] != kept[1]}
    if lost:
        typer.echo(f"acknowledged, and found in every store: {lost}", err=True)
        raise typer.Exit(1)


def fallen(ratios: dict[str, float]) -> list[str]:
    """What stands more than 30 % below what was last written down: worth a look, and no verdict on a noisy machine."""
    expected: dict[str, float] = json.loads(Path(__file__).with_name("expected.json").read_text())
    return [
        f"fell from {was} to {ratios[name]}: {name}. Measure it again on a quiet machine."
        for name, was in expected.items()
        if name in ratios and ratios[name] < (1 - _FALL) * was
    ]


@app.command()
def bulk(
    rounds: Annotated[int, typer.Option(min=1, help="How often everything is measured in turn.")] = 3,
    json_file: _JSON = None,
    plot: _PLOT = None,
) -> None:
    """Carnets issued one by one and 64 a message, beside an echo."""
    data = _measured(lambda folder, console: bulk_.run(folder, rounds, console))
    _told(data, json_file, plot)
    _kept(data)


@app.command()
def desk(
    carnets: Annotated[int, typer.Option(min=5, help="How many holders come.")] = 40,
    json_file: _JSON = None,
    plot: _PLOT = None,
) -> None:
    """What people wait for: issue, download, scan to decision, scan to receipt, a queue, an audit."""
    _told(_measured(lambda folder, console: desk_.run(folder, carnets, console)), json_file, plot)


@app.command()
def fair(
    commits: Annotated[int, typer.Option(min=20, help="How many goods are cleared that morning.")] = 600,
    seed: Annotated[int, typer.Option(help="Which morning; the same seed, the same arrivals.")] = 1,
    json_file: _JSON = None,
    plot: _PLOT = None,
) -> None:
    """A trade fair's morning: lorries come in bursts, every commit by another officer, whether or not we keep up."""
    data = _measured(lambda folder, console: fair_.run(folder, commits, seed, console))
    _told(data, json_file, plot)
    _kept(data)


@app.command()
def wan(
    commits: Annotated[int, typer.Option(min=5, help="How many commits from each region.")] = 20,
    json_file: _JSON = None,
    plot: _PLOT = None,
) -> None:
    """Six regions at published round trips: each region's commits against its own floor, two places for the log."""
    _told(_measured(lambda folder, console: wan_.run(folder, commits, console)), json_file, plot)


@app.command()
def growth(
    carnets: Annotated[int, typer.Option(min=10_000, help="How many carnets the store grows to.")] = 100_000,
    json_file: _JSON = None,
) -> None:
    """What a commit costs and a replica weighs at 10,000 carnets and at many."""
    data = growth_.run(carnets, Console(stderr=True))
    for stage in data["stages"]:
        typer.echo(json.dumps(stage))
    _told(data, json_file, None)


@app.command()
def rebuild(
    commits: Annotated[int, typer.Option(min=64, help="How many commits there are to fetch.")] = 2000,
    json_file: _JSON = None,
) -> None:
    """A replica that has lost its disk, until it is whole again."""
    data = _measured(lambda folder, console: rebuild_.run(folder, commits, console))
    typer.echo(", ".join(f"{name} {data[name]:,}" for name in _REBUILT))
    _told(data, json_file, None)
    _kept(data)


@app.command()
def registry(
    administrations: Annotated[int, typer.Option(min=1)] = registry_.ADMINISTRATIONS,
    offices: Annotated[int, typer.Option(min=1)] = registry_.OFFICES,
    years: Annotated[int, typer.Option(min=1, help="Of keys.")] = registry_.YEARS,
    rounds: Annotated[int, typer.Option(min=1, help="How many clients begin and return.")] = 3,
    json_file: _JSON = None,
) -> None:
    """The registry at full size: a client that begins, and one that returns."""
    size = (administrations, offices, years)
    data = _measured(lambda folder, console: registry_.run(folder, size, rounds, console))
    typer.echo(f"{data['registrations']:,} registrations; verifying as many signatures takes {data['floor_seconds']} s")
    for name in ("fresh", "returning"):
        for one in data[name]:
            typer.echo(f"{name:<10} {one['seconds']:7.3f} s, {one['memory_mb']:5.1f} MB")
    _told(data, json_file, None)


def _measured(scenario: Scenario) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        commits_.passphrase(folder)
        return uvloop.run(_awaited(scenario(folder, Console(stderr=True))))


async def _awaited(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    return await asyncio.ensure_future(work)


def _told(data: dict[str, Any], json_file: Path | None, plot: Path | None) -> None:
    """Figures line by line, ratios, and the files that were asked for."""
    figures = [Figure(**figure) for figure in data.get("figures", [])]
    for figure in figures:
        typer.echo(figure.line)
    for name, ratio in data.get("ratios", {}).items():
        typer.echo(f"{name}: {ratio}")
    if json_file is not None:
        json_file.write_text(json.dumps(data, indent=2, default=str) + "\n")
    if plot is not None:
        plot.write_text(draw(figures))


if __name__ == "__main__":
    sys.argv[0] = "benchmarks"
    app()
