"""`eata init`, `admit`, `up`, `down`, `status`, `scrub`: a cluster on one machine, for operators and for trying."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from eata_ledger.encoding import Malformed

if TYPE_CHECKING:
    from eata_node.operator.cluster import Cluster

Home = Annotated[Path | None, typer.Option("--home", envvar="EATA_HOME", help="The cluster's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Voters = Annotated[int, typer.Option(min=1, max=5, help="How many etcd voters to run here: 3 or 5.")]
Endpoints = Annotated[
    str, typer.Option(help="Your own etcd's client addresses, HOST:PORT with commas; it runs elsewhere.")
]


def register(app: typer.Typer) -> None:
    for command in (init, admit, up, down, status, scrub):
        app.command()(command)


def home_of(given: Path | None) -> Path:
    from eata_node.ground.config import Settings

    return given if given is not None else Settings().home


def say(data: Any, as_json: bool, *lines: str) -> None:
    typer.echo(json.dumps(data, indent=2) if as_json else "\n".join(lines))


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, told (done, of)."""
    from rich.progress import Progress

    with Progress(disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task(what)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def fail(code: str, message: str, advice: str) -> NoReturn:
    if "--json" in sys.argv:
        typer.echo(json.dumps({"error": {"code": code, "message": message, "advice": advice}}))
    typer.echo(f"{code}: {message} {advice}", err=True)
    raise typer.Exit(1)


def init(
    home: Home = None,
    name: Annotated[str, typer.Option(help="The ledger's name.")] = "development",
    first_id: Annotated[int, typer.Option(help="The first carnet ID.")] = 1,
    engine: Annotated[str, typer.Option(help="embedded (one machine), or etcd.")] = "embedded",
    voters: Voters = 3,
    endpoints: Endpoints = "",
    root: Annotated[str, typer.Option(help="How many root keys of how many must sign: 1-of-1, 3-of-5.")] = "1-of-1",
    as_json: Json = False,
) -> None:
    """Make a cluster: keys, certificates, genesis, era 1. Carry the root keys away before it is used in earnest."""
    from eata_node.operator.cluster import choose_engine, create

    folder = home_of(home)
    if (folder / "genesis.cbor").exists():
        fail("EXISTS", f"{folder} holds a cluster already.", "Give another --home.")
    if not 1 <= len(name) <= 64 or not 1 <= first_id < 2**63:
        fail("VALUE", "A name has 1 to 64 characters, the first ID is 1 or more.", "Correct it.")
    threshold, _, keys = root.partition("-of-")
    if not (threshold.isdecimal() and keys.isdecimal() and 1 <= int(threshold) <= min(int(keys), 4) and int(keys) <= 8):
        fail("VALUE", "A root is such as 1-of-1 or 3-of-5: at most 4 of at most 8 keys.", "Correct it.")
    wanted = wanted_engine("etcd" if endpoints else engine, voters, endpoints)
    genesis = create(folder, name, first_id, root=(int(threshold), int(keys)))
    choose_engine(folder, *wanted)
    write_network(folder)
    data = {"home": str(folder), "ledger": genesis.ledger.hex(), "nodes": [n.name for n in genesis.nodes]}
    say(data, as_json, f"Cluster made in {folder}, ledger {genesis.ledger.hex()[:16]}…. Next: eata up")


def _voters(engine: str, wanted: int) -> int:
    """How many etcd members to make; none for the embedded engine."""
    if engine not in ("embedded", "etcd"):
        fail("VALUE", "Engines are embedded and etcd.", "Correct it.")
    if wanted % 2 == 0:
        fail("VALUE", f"{wanted} voters survive no more than {wanted - 1} do.", "Give 3 or 5; 1 to try it.")
    return wanted if engine == "etcd" else 0


def admit(
    members: Annotated[list[str], typer.Argument(help="Organisations' codes, such as CH ICC-AUDIT.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Give organisations a TLS certificate: it admits to the members' door, it authorises nothing."""
    from eata_node.rpc.tls import Authority

    folder = home_of(home)
    if not (folder / "genesis.cbor").exists():
        fail("NO_CLUSTER", f"{folder} holds no cluster.", "Run `eata init` first.")
    for member in members:
        if not (member.isascii() and member.replace("-", "").isalnum()):
            fail("MEMBER_CODE", "A member's code is letters, digits and hyphens.", "Correct it.")
        Authority(folder / "tls").admit(f"org:{member}", folder / "offices" / member)
    say({"admitted": members}, as_json, f"Admitted: {', '.join(members)}.")


def write_network(home: Path) -> Path:
    """The file clients need: addresses, TLS root, pinned ledger; and what Prometheus scrapes. Nothing is secret."""
    from eata_node.ground.config import ClusterFile

    cluster = ClusterFile.read(home)
    nodes = [{"name": n.name, "public": n.public, "members": n.members} for n in cluster.nodes]
    path = home / "network.json"
    data = {"ledger": cluster.ledger, "nodes": nodes, "ca": (home / "tls" / "ca.pem").read_text()}
    path.write_text(json.dumps(data, indent=2) + "\n")
    targets = [{"targets": [f"127.0.0.1:{n.metrics}"], "labels": {"node": n.name}} for n in cluster.nodes]
    (home / "targets.json").write_text(json.dumps(targets, indent=2) + "\n")
    return path


def up(
    home: Home = None,
    engine: Annotated[
        str, typer.Option(help="embedded or etcd, before anything was ordered; the one it has if left out.")
    ] = "",
    voters: Voters = 3,
    endpoints: Endpoints = "",
) -> None:
    """Run the cluster, its engine and six proxies, until Ctrl-C."""
    import grpc.aio
    from eata_host.files import hold
    from eata_ledger.seal.aead import CannotOpen
    from rich.console import Console

    from eata_node.engine.access import authority_of
    from eata_node.operator.cluster import Cluster, Ended, PortTaken

    folder, console = home_of(home), Console(stderr=True)
    if not (folder / "genesis.cbor").exists():
        fail("NO_CLUSTER", f"{folder} holds no cluster.", "Run `eata init` first.")
    try:
        lock = hold(folder)
    except BlockingIOError:
        fail("RUNNING", "An `eata up` runs for this home already.", "Use it, or stop it with `eata down`.")
    told = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: told.set())
    if engine or endpoints:
        _choose(folder, wanted_engine(engine or "etcd", voters, endpoints))
    try:
        cluster = Cluster(folder)
    except PortTaken as member:
        fail("PORT_TAKEN", f"Another process has the port of {member}.", "End that process, or change cluster.json.")
    (folder / "up.pid").write_text(str(os.getpid()))
    try:
        with console.status(f"starting the {cluster.file.engine} engine and {len(cluster.names)} proxies"):
            cluster.start_all()
            cluster.ready()
        network = write_network(folder)
        typer.echo(f"Up. Network file: {network}. Ctrl-C stops everything.")
        while not told.wait(1):
            _notice(cluster)
    except Ended as ended:
        fail("MEMBER_ENDED", f"{ended}.", "Its log.jsonl says why: often a wrong passphrase or a port in use.")
    except CannotOpen as locked:
        fail(
            "PASSPHRASE_WRONG",
            f"A node's keys do not open: {locked}.",
            "Name a file with the right one in EATA_PASSPHRASE_FILE.",
        )
    except grpc.aio.AioRpcError as refused:
        fail(
            "ENGINE_REFUSED",
            f"etcd refuses: {refused.details()}.",
            f"Its members must trust {authority_of(folder) / 'ca.pem'}.",
        )
    except TimeoutError as slow:
        fail("NOT_READY", f"{slow}.", "Look at `eata status` and its log.jsonl, then start again.")
    finally:
        cluster.stop_all()
        (folder / "up.pid").unlink(missing_ok=True)
        os.close(lock)


def wanted_engine(engine: str, voters: int, endpoints: str) -> tuple[str, int, list[str]]:
    """(engine, its voters on this machine, where they are if they are not ours)."""
    found = [one.strip() for one in endpoints.split(",") if one.strip()]
    wrong = [one for one in found if not _address(one)]
    if wrong:
        fail("VALUE", f"“{wrong[0][:40]}” is no address.", "An endpoint is HOST:PORT; more are separated by commas.")
    if found and engine != "etcd":
        fail("VALUE", "Endpoints are an etcd's.", "Leave --engine out, or say etcd.")
    return engine, _voters(engine, voters), found


def _address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65_536


def _choose(folder: Path, wanted: tuple[str, int, list[str]]) -> None:
    """Another engine than so far, which only a log of nothing can have; a used one moves by a new era."""
    from eata_node.ground.config import ClusterFile
    from eata_node.operator.cluster import choose_engine

    before = ClusterFile.read(folder)
    same = before.engine == wanted[0] and (not wanted[2] or before.endpoints == wanted[2])
    if not same and any((folder / "nodes" / node.name / "store").exists() for node in before.nodes):
        fail(
            "ENGINE_IN_USE",
            f"This log lives on the {before.engine} engine.",
            "Another engine is a new era: `eata era open --engine`.",
        )
    if not same:
        choose_engine(folder, *wanted)


def _notice(cluster: "Cluster") -> None:
    """Says once when a member has ended; it is not restarted behind the operator's back."""
    for name, process in list(cluster.processes.items()):
        if process.poll() is not None:
            del cluster.processes[name]
            typer.echo(f"{name} has ended with code {process.returncode}; see its log.jsonl", err=True)


def down(
    home: Home = None,
    everything: Annotated[bool, typer.Option("--all", help="Also members that `eata start` runs.")] = False,
) -> None:
    """Stop a cluster that `eata up` runs elsewhere; says which members still run."""
    from eata_host.files import hold

    from eata_node.operator.running import still_running, stop_member

    folder = home_of(home)
    if not (folder / "up.pid").exists() or _free(folder, hold):
        if not (everything and still_running(folder)):
            fail("NOT_RUNNING", "No `eata up` runs for this home.", "Nothing to stop.")
    else:
        _end(folder, hold)
    left = still_running(folder)
    for name, pid in left.items() if everything else ():
        if not stop_member(folder, name, pid):
            fail("STILL_RUNNING", f"{name} did not end in 20 s.", "Look at its log.jsonl.")
    if left and not everything:
        fail(
            "STILL_RUNNING",
            f"Started by themselves, and still up: {', '.join(left)}.",
            "`eata down --all` stops them too.",
        )


def _end(folder: Path, hold: Callable[[Path], int]) -> None:
    os.kill(int((folder / "up.pid").read_text()), signal.SIGTERM)
    deadline = time.monotonic() + 30
    while not _free(folder, hold):
        if time.monotonic() > deadline:
            fail("STILL_RUNNING", "`eata up` did not end in 30 s.", "Look at the members' log.jsonl.")
        time.sleep(0.1)


def _free(folder: Path, hold: Callable[[Path], int]) -> bool:
    """True if no `eata up` holds the folder."""
    try:
        os.close(hold(folder))
    except BlockingIOError:
        return False
    return True


def status(home: Home = None, as_json: Json = False) -> None:
    """Engine, leader, era and head; each proxy's position, lag, size, root and pid."""
    import grpc
    from rich.console import Console
    from rich.table import Table

    from eata_node.ground.config import ClusterFile, read_genesis
    from eata_node.operator.cluster import engine_head, proxy_status

    folder = home_of(home)
    if not (folder / "cluster.json").exists():
        fail("NO_CLUSTER", f"{folder} holds no cluster.", "Run `eata init` first.")
    cluster = ClusterFile.read(folder)
    data: dict[str, Any] = {"ledger": cluster.ledger, "engine": None, "replicas": []}
    try:
        head = engine_head(folder, cluster, read_genesis(folder))
        data["engine"] = {
            "engine": head.engine, "leader": head.leader, "era": head.era, "head": head.head, "state": head.state,
            "pid": cluster.core.pid,
        }  # fmt: skip
    except grpc.RpcError:
        data["engine"] = {"engine": cluster.engine, "state": "DOWN", "head": None, "pid": cluster.core.pid}
    for member in cluster.nodes:
        try:
            found = proxy_status(folder, member)
            data["replicas"].append({
                "name": member.name, "state": found.state, "pid": member.pid, "position": found.position,
                "lag": max((data["engine"]["head"] or found.head) - found.position, 0), "size": found.size, "root": found.root.hex(),
                "evidence": found.evidence, "clock_stalled": found.clock_stalled, "excluded": list(found.excluded),
                "rules": found.rules, "knows": found.knows,
            })  # fmt: skip
        except grpc.RpcError:
            data["replicas"].append({"name": member.name, "state": "DOWN", "pid": member.pid})
    code = 1 if all(r["state"] == "DOWN" for r in data["replicas"]) else 0
    if as_json:
        typer.echo(json.dumps(data, indent=2))
        raise typer.Exit(code)
    engine = data["engine"]
    typer.echo(
        f"{engine['engine']} engine {engine['state']}, leader {engine.get('leader')}, era {engine.get('era')}, head {engine['head']}"
    )
    table = Table("proxy", "state", "pid", "position", "lag", "size", "root")
    for r in data["replicas"]:
        cells = (r["name"], r["state"], r["pid"], r.get("position", ""), r.get("lag", ""), r.get("size", ""))
        table.add_row(*(str(cell) for cell in cells), str(r.get("root", ""))[:16])
    Console().print(table)
    for r in data["replicas"]:
        if r.get("evidence"):
            typer.echo(f"{r['name']}: {r['evidence']}")
    raise typer.Exit(code)


def scrub(
    node: Annotated[str, typer.Argument(help="A stopped proxy's name.")],
    home: Home = None,
    set_aside: Annotated[
        bool,
        typer.Option(
            help="Move a damaged or diverged store aside with its evidence; it is built anew from the others'."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Recompute every leaf, part and tree node of a stopped proxy's store. Exit 1 where it is damaged or has diverged."""
    from eata_node.ground.rocks import DamagedError
    from eata_node.replica.scrub import scrub as walk
    from eata_node.replica.store import Store
    from eata_node.replica.store import set_aside as set_store_aside

    folder = home_of(home) / "nodes" / node
    if not (folder / "store").exists():
        fail("NO_STORE", f"{node} has no store here.", "Check the name and --home.")
    why, size = "", 0
    try:
        store = Store.open(folder)
        try:
            state = store.log_state()
            size = 0 if state is None else state[0].size
            with bar("scrubbing") as progress:
                for whole in walk(store, size):
                    progress(whole, size)
        finally:
            store.close()
    except (DamagedError, Malformed, KeyError) as error:
        why = str(error)
    except OSError as error:
        if "LOCK" not in str(error):
            raise
        fail("RUNNING", f"{node} is running.", "Stop it first (`eata down`); a running proxy scrubs itself.")
    evidence = folder / "evidence.json"
    why = why or (json.loads(evidence.read_bytes())["verdict"] if evidence.exists() else "")
    if why and set_aside:
        set_store_aside(folder)
        if evidence.exists():
            evidence.replace(folder / "damaged" / evidence.name)
    data = {"node": node, "entries": size, "whole": not why, "evidence": why}
    say(data, as_json, f"{node}: {size} entries whole" if not why else f"{node}: DAMAGED, {why}")
    raise typer.Exit(1 if why else 0)
