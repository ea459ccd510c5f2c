"""`eata vectors run DIR`: plays the public vectors on a live sandbox."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_ledger.encoding import Malformed

from eata_clients.commands.offline import read_json
from eata_clients.commands.options import Network

if TYPE_CHECKING:
    from eata_clients.sandbox.player import VectorResult

_app = typer.Typer(help="The public vectors: what any system of this kind must answer.", no_args_is_help=True)


@_app.callback()
def vectors() -> None:
    """The public vectors: what any system of this kind must answer."""


def register(app: typer.Typer) -> None:
    app.add_typer(_app, name="vectors")


@_app.command()
def run(
    folder: Annotated[Path, typer.Argument(help="Folder of vector files (tests/vectors).")],
    network: Network,
    offices: Annotated[Path, typer.Option(help="Folder of the sandbox parties' folders.", envvar="EATA_OFFICES")],
    only: Annotated[str, typer.Option(help="Only this file, e.g. journeys.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Issue, cross, cancel, list: compare every answer of the cluster with the vectors. Exit 1 on any difference."""
    import asyncio

    from eata_clients.sandbox.player import FILES

    names = [name for name in FILES if (folder / f"{name}.json").exists() and only in ("", name)]
    if not names:
        raise Malformed(f"no vector file here; files are {', '.join(FILES)}")
    results = asyncio.run(_play(folder, names, network, offices))
    bad = [r for r in results if r.good is False]
    data = {
        "played": sum(r.good is not None for r in results), "good": sum(r.good is True for r in results),
        "differs": [{"file": r.file, "id": r.id, "why": r.why} for r in bad],
        "not_playable": [{"file": r.file, "id": r.id, "why": r.why} for r in results if r.good is None],
    }  # fmt: skip
    lines = [f"{r.file}/{r.id}: {r.why}" for r in bad]
    say(data, as_json, *lines, f"{data['good']} of {data['played']} as they should be.")
    raise typer.Exit(1 if bad else 0)


async def _play(folder: Path, names: list[str], network: Path, offices: Path) -> "list[VectorResult]":
    from rich.console import Console
    from rich.progress import Progress

    from eata_clients.net.network import Network as NetworkFile
    from eata_clients.sandbox.player import cases, play
    from eata_clients.sandbox.stage import Stage

    wanted: list[tuple[str, dict[str, Any]]] = []
    for name in names:
        try:
            wanted += [(name, case) for case in cases(name, read_json(folder / f"{name}.json"))]
        except (KeyError, TypeError, AttributeError):
            raise Malformed(f"{name}.json is not a vector file") from None
    results = []
    with tempfile.TemporaryDirectory() as work, Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("playing", total=len(wanted), visible=sys.stderr.isatty())
        async with Stage(NetworkFile.read(network), offices, Path(work)) as stage:
            for name, case in wanted:
                bar.update(task, description=f"{name}/{case['id']}")
                results.append(await play(stage, name, case))
                bar.advance(task)
    return results
