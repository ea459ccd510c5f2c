"""`eata era`: a new, empty engine after the old one is lost, over the longest replica that is whole."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_ledger.encoding import Malformed

from eata_node.operator.commands import Endpoints, Home, Json, Voters, bar, fail, home_of, say, wanted_engine

if TYPE_CHECKING:
    from eata_ledger.log.opening import EraOpening

_app = typer.Typer(help="After the engine is lost for good: a new era over what is left.", no_args_is_help=True)
_File = Annotated[Path, typer.Argument(help="The opening's file, passed from keeper to keeper.")]


def register(app: typer.Typer) -> None:
    app.add_typer(_app, name="era")


def _stopped(home: Path | None) -> Path:
    """The cluster's folder; nothing of it may run."""
    from eata_host.files import hold

    folder = home_of(home)
    if not (folder / "genesis.cbor").exists():
        fail("NO_CLUSTER", f"{folder} holds no cluster.", "Run `eata init` first.")
    try:
        hold(folder)
    except BlockingIOError:
        fail("RUNNING", "The cluster is running.", "Stop it first with `eata down`.")
    return folder


@_app.command("propose")
def propose(
    out: Annotated[Path, typer.Option(help="Where to write the opening.")],
    home: Home = None,
    node: Annotated[str, typer.Option(help="The replica to go on from; the longest whole one if left out.")] = "",
    log_time: Annotated[
        str,
        typer.Option(help="Where wrong clocks have moved log time: the right one, such as 2026-11-30T18:20:00+01:00."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Look at every replica here and write an opening over the longest whole one, for the root's keepers to sign."""
    from rich.progress import Progress

    from eata_node.ground.config import read_genesis
    from eata_node.recovery import new_era as recovery

    folder, right = _stopped(home), _time(log_time)
    if out.exists():
        fail("EXISTS", f"{out.name} is there already.", "Give another name.")
    with Progress(disable=not sys.stderr.isatty(), transient=True) as progress:
        tasks = {member.name: progress.add_task(member.name) for member in (folder / "nodes").iterdir()}
        found = recovery.survey(
            folder, lambda name, whole, size: progress.update(tasks[name], completed=whole, total=size)
        )
    try:
        chosen, opening = recovery.propose(folder, read_genesis(folder), found, node, right)
    except recovery.NothingLeft as error:
        fail("NO_REPLICA", f"No replica here is whole: {error}.", "Bring the disk of another node, or a backup.")
    out.write_bytes(opening.to_bytes())
    rows = [
        {"node": one.node, "entries": one.size, "damage": one.damage, "beyond": max(one.size - chosen.size, 0)}
        for one in found
    ]
    data = {"era": opening.era.era, "node": chosen.node, "entries": chosen.size, "root": chosen.root.hex(),
            "replicas": rows, "file": str(out)}  # fmt: skip
    lines = [f"{one.node}: {one.size} entries" + (f", DAMAGED: {one.damage}" if one.damage else "") for one in found]
    say(data, as_json, *lines, f"Era {opening.era.era} goes on from {chosen.node} with {chosen.size} entries: {out}")


@_app.command("sign")
def sign(
    file: _File,
    key: Annotated[Path, typer.Option(help="One keeper's root key file.")],
    as_json: Json = False,
) -> None:
    """Sign an opening with one keeper's key, at the keeper's own machine."""
    from eata_ledger.log.keys import SigningKey

    from eata_node.ground.config import read_locked

    opening = _read(file).signed(SigningKey(read_locked(key)))
    file.write_bytes(opening.to_bytes())
    era = opening.era
    text = f"Era {era.era} opens over {era.size} entries with root {era.root.hex()}."
    when = None if era.log_time is None else datetime.fromtimestamp(era.log_time / 1000, UTC).isoformat()
    say(
        {"file": str(file), "era": era.era, "entries": era.size, "root": era.root.hex(), "log_time": when,
         "signatures": len(opening.signatures)},
        as_json, text, *([] if when is None else [f"It sets log time to {when}."]), f"{len(opening.signatures)} signed so far.",
    )  # fmt: skip


def _time(text: str) -> int | None:
    """ms UTC; None where log time goes on from the last entry."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = datetime.min
    if when.tzinfo is None:
        fail(
            "VALUE", f"“{text[:40]}” is not an ISO time with its offset.", "Give one such as 2026-11-30T18:20:00+01:00."
        )
    return int(when.timestamp() * 1000)


def _read(file: Path) -> "EraOpening":
    from eata_ledger.log.opening import EraOpening

    try:
        return EraOpening.from_bytes(file.read_bytes())
    except Malformed:
        fail("MALFORMED", f"{file.name} is not an era's opening.", "Give the file that `eata era propose` wrote.")


@_app.command("open")
def open_(
    file: _File,
    home: Home = None,
    engine: Annotated[
        str, typer.Option(help="embedded or etcd; of the kind and in the place of the lost one if left out.")
    ] = "",
    voters: Voters = 3,
    endpoints: Endpoints = "",
    as_json: Json = False,
) -> None:
    """Put an empty engine in the place of the lost one. What a replica knows beyond the new era becomes an orphan."""
    from eata_ledger.log.opening import check_opening

    from eata_node.ground.config import read_genesis
    from eata_node.operator.cluster import choose_engine
    from eata_node.recovery import new_era as recovery

    folder, opening = _stopped(home), _read(file)
    wanted = wanted_engine(engine or "etcd", voters, endpoints) if engine or endpoints else None
    genesis = read_genesis(folder)
    before = check_opening(genesis, (folder / "era.cbor").read_bytes())
    if opening.era.ledger != genesis.ledger or opening.era.previous_era != before.era:
        fail("WRONG_ERA", f"This does not open the era after {before.era} of this ledger.", "Propose it anew.")
    with bar("recomputing") as progress:
        whole = recovery.longest(folder, lambda _, done, of: progress(done, of))
    if whole is not None and not opening.authorised(recovery.charter_here(folder, genesis, whole.node)):
        fail("SIGNATURE_MISSING", "Too few keepers of the root have signed.", "Sign it first with `eata era sign`.")
    if wanted is not None:
        choose_engine(folder, *wanted)
    recovery.install(folder, genesis, opening)
    say({"era": opening.era.era, "entries": opening.era.size}, as_json,
        f"Era {opening.era.era} is open over {opening.era.size} entries. Next: eata up")  # fmt: skip


@_app.command("orphans")
def orphans(
    node: Annotated[str, typer.Argument(help="A node that knew more than the new era.")],
    home: Home = None,
    submit: Annotated[
        bool, typer.Option("--submit", help="Hand them in again, with their authors' own bytes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List what a node had and the new era has not; with --submit, hand it in again through the running cluster."""
    from eata_node.recovery import new_era as recovery
    from eata_node.recovery.resubmitting import resubmit
    from eata_node.replica.store import ORPHANED

    folder = home_of(home)
    if not (folder / "nodes" / node / ORPHANED).exists():
        fail("NOT_FOUND", f"{node} has no orphaned entries here.", "Nothing is to be done.")
    rows: list[dict[str, Any]] = []
    for index, leaf, entry in recovery.orphans(folder, node):
        row = {"index": index, "entry": leaf.entry_hash.hex(), "log_time": leaf.log_time,
               "type": type(entry.header.body).__name__}  # fmt: skip
        if submit:
            row |= resubmit(folder, entry)
        rows.append(row)
    lines = [f"{row['index']}  {row['type']}  {row['entry'][:16]}…  {row.get('outcome', '')}" for row in rows]
    say({"node": node, "orphans": rows}, as_json, *lines, f"{len(rows)} orphaned entries.")
