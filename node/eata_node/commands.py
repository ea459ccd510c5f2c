"""`eata init`, `admit`, `up`, `down`, `status`, `scrub`: a cluster on one machine, for operators and for trying."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from eata_ledger.encoding import Malformed

if TYPE_CHECKING:
    from eata_node.cluster import Cluster

_Home = Annotated[Path | None, typer.Option("--home", envvar="EATA_HOME", help="The cluster's folder.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def register(app: typer.Typer) -> None:
    for command in (init, admit, up, down, status, scrub):
        app.command()(command)


def _home(given: Path | None) -> Path:
    from eata_node.config import Settings

    return given if given is not None else Settings().home


def _say(data: Any, as_json: bool, *lines: str) -> None:
    typer.echo(json.dumps(data, indent=2) if as_json else "\n".join(lines))


def _fail(code: str, message: str, advice: str) -> NoReturn:
    typer.echo(f"{code}: {message} {advice}", err=True)
    raise typer.Exit(1)


def init(
    home: _Home = None,
    name: Annotated[str, typer.Option(help="The ledger's name.")] = "development",
    first_id: Annotated[int, typer.Option(help="The first carnet ID.")] = 1,
    as_json: _Json = False,
) -> None:
    """Make a development cluster: keys, certificates, genesis, era 1."""
    from eata_node.cluster import create

    folder = _home(home)
    if (folder / "genesis.cbor").exists():
        _fail("EXISTS", f"{folder} holds a cluster already.", "Give another --home.")
    if not 1 <= len(name) <= 64 or not 1 <= first_id < 2**63:
        _fail("VALUE", "A name has 1 to 64 characters, the first ID is 1 or more.", "Correct it.")
    genesis = create(folder, name, first_id)
    write_network(folder)
    data = {"home": str(folder), "ledger": genesis.ledger.hex(), "nodes": [n.name for n in genesis.nodes]}
    _say(data, as_json, f"Cluster made in {folder}, ledger {genesis.ledger.hex()[:16]}…. Next: eata up")


def admit(
    members: Annotated[list[str], typer.Argument(help="Organisations' codes, such as CH ICC-AUDIT.")],
    home: _Home = None,
    as_json: _Json = False,
) -> None:
    """Give organisations a TLS certificate: it admits to the members' door, it authorises nothing."""
    from eata_node.tls import Authority

    folder = _home(home)
    if not (folder / "genesis.cbor").exists():
        _fail("NO_CLUSTER", f"{folder} holds no cluster.", "Run `eata init` first.")
    for member in members:
        if not (member.isascii() and member.replace("-", "").isalnum()):
            _fail("MEMBER_CODE", "A member's code is letters, digits and hyphens.", "Correct it.")
        Authority(folder / "tls").admit(f"org:{member}", folder / "offices" / member)
    _say({"admitted": members}, as_json, f"Admitted: {', '.join(members)}.")


def write_network(home: Path) -> Path:
    """The file clients need: addresses, TLS root, pinned ledger; and what Prometheus scrapes. Nothing is secret."""
    from eata_node.config import ClusterFile

    cluster = ClusterFile.read(home)
    nodes = [{"name": n.name, "public": n.public, "members": n.members} for n in cluster.nodes]
    path = home / "network.json"
    data = {"ledger": cluster.ledger, "nodes": nodes, "ca": (home / "tls" / "ca.pem").read_text()}
    path.write_text(json.dumps(data, indent=2) + "\n")
    targets = [{"targets": [f"127.0.0.1:{n.metrics}"], "labels": {"node": n.name}} for n in cluster.nodes]
    (home / "targets.json").write_text(json.dumps(targets, indent=2) + "\n")
    return path


def up(home: _Home = None) -> None:
    """Run the cluster, one core and six proxies, until Ctrl-C."""
    from rich.console import Console

    from eata_node.cluster import Cluster
    from eata_node.rocks import hold

    folder, console = _home(home), Console(stderr=True)
    if not (folder / "genesis.cbor").exists():
        _fail("NO_CLUSTER", f"{folder} holds no cluster.", "Run `eata init` first.")
    try:
        lock = hold(folder)
    except BlockingIOError:
        _fail("RUNNING", "An `eata up` runs for this home already.", "Use it, or stop it with `eata down`.")
    told = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: told.set())
    cluster = Cluster(folder)
    (folder / "up.pid").write_text(str(os.getpid()))
    try:
        with console.status("starting one core and six proxies"):
            cluster.start_all()
            for node in cluster.names:
                cluster.wait(node)
        network = write_network(folder)
        typer.echo(f"Up. Network file: {network}. Ctrl-C stops everything.")
        while not told.wait(1):
            _notice(cluster)
    finally:
        cluster.stop_all()
        (folder / "up.pid").unlink(missing_ok=True)
        os.close(lock)


def _notice(cluster: "Cluster") -> None:
    """Says once when a member has ended; it is not restarted behind the operator's back."""
    for name, process in list(cluster.processes.items()):
        if process.poll() is not None:
            del cluster.processes[name]
            typer.echo(f"{name} has ended with code {process.returncode}; see its log.jsonl", err=True)


def down(home: _Home = None) -> None:
    """Stop a cluster that `eata up` runs elsewhere."""
    from eata_node.rocks import hold

    folder = _home(home)
    if not (folder / "up.pid").exists() or _free(folder, hold):
        _fail("NOT_RUNNING", "No `eata up` runs for this home.", "Nothing to stop.")
    os.kill(int((folder / "up.pid").read_text()), signal.SIGTERM)
    deadline = time.monotonic() + 30
    while not _free(folder, hold):
        if time.monotonic() > deadline:
            _fail("STILL_RUNNING", "`eata up` did not end in 30 s.", "Look at the members' log.jsonl.")
        time.sleep(0.1)


def _free(folder: Path, hold: Callable[[Path], int]) -> bool:
    """True if no `eata up` holds the folder."""
    try:
        os.close(hold(folder))
    except BlockingIOError:
        return False
    return True


def status(home: _Home = None, as_json: _Json = False) -> None:
    """Engine, leader, era and head; each proxy's position, lag, size, root and pid."""
    import grpc
    from rich.console import Console
    from rich.table import Table

    from eata_node.cluster import core_head, proxy_status
    from eata_node.config import ClusterFile

    folder = _home(home)
    if not (folder / "cluster.json").exists():
        _fail("NO_CLUSTER", f"{folder} holds no cluster.", "Run `eata init` first.")
    cluster = ClusterFile.read(folder)
    data: dict[str, Any] = {"ledger": cluster.ledger, "engine": None, "replicas": []}
    try:
        head = core_head(folder, cluster)
        data["engine"] = {
            "engine": head.engine, "leader": head.leader, "era": head.era, "head": head.head, "state": head.state,
            "pid": cluster.core.pid,
        }  # fmt: skip
    except grpc.RpcError:
        data["engine"] = {"engine": "embedded", "state": "DOWN", "head": None, "pid": cluster.core.pid}
    for member in cluster.nodes:
        try:
            found = proxy_status(folder, member)
            data["replicas"].append({
                "name": member.name, "state": found.state, "pid": member.pid, "position": found.position,
                "lag": max((data["engine"]["head"] or found.head) - found.position, 0), "size": found.size, "root": found.root.hex(),
                "evidence": found.evidence, "clock_stalled": found.clock_stalled, "excluded": list(found.excluded),
            })  # fmt: skip
        except grpc.RpcError:
            data["replicas"].append({"name": member.name, "state": "DOWN", "pid": member.pid})
    if as_json:
        typer.echo(json.dumps(data, indent=2))
        return
    engine = data["engine"]
    typer.echo(
        f"{engine['engine']} engine {engine['state']}, leader {engine.get('leader')}, era {engine.get('era')}, head {engine['head']}"
    )
    table = Table("proxy", "state", "pid", "position", "lag", "size", "root")
    for r in data["replicas"]:
        cells = (r["name"], r["state"], r["pid"], r.get("position", ""), r.get("lag", ""), r.get("size", ""))
        table.add_row(*(str(cell) for cell in cells), str(r.get("root", ""))[:16])
    Console().print(table)


def scrub(
    node: Annotated[str, typer.Argument(help="A stopped proxy's name.")],
    home: _Home = None,
    set_aside: Annotated[bool, typer.Option(help="Move a damaged store aside, to be rebuilt from the log.")] = False,
    as_json: _Json = False,
) -> None:
    """Recompute every leaf, part and tree node of a stopped proxy's store. Exit 1 where it is damaged."""
    from rich.progress import Progress

    from eata_node.rocks import DamagedError
    from eata_node.scrub import scrub as walk
    from eata_node.store import Store

    folder = _home(home) / "nodes" / node
    if not (folder / "store").exists():
        _fail("NO_STORE", f"{node} has no store here.", "Check the name and --home.")
    why, size = "", 0
    try:
        store = Store(folder)
        try:
            state = store.log_state()
            size = 0 if state is None else state[0].size
            with Progress(disable=not sys.stderr.isatty(), transient=True) as progress:
                task = progress.add_task("scrubbing", total=size)
                for whole in walk(store, size):
                    progress.update(task, completed=whole)
        finally:
            store.close()
    except (DamagedError, Malformed, KeyError) as error:
        why = str(error)
    except OSError as error:
        if "LOCK" not in str(error):
            raise
        _fail("RUNNING", f"{node} is running.", "Stop it first (`eata down`); a running proxy scrubs itself.")
    if why and set_aside:
        number = sum(1 for _ in folder.glob("damaged-*")) + 1
        (folder / "store").rename(folder / f"damaged-{number}")
    data = {"node": node, "entries": size, "whole": not why, "evidence": why}
    _say(data, as_json, f"{node}: {size} entries whole" if not why else f"{node}: DAMAGED, {why}")
    raise typer.Exit(1 if why else 0)
