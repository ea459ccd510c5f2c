"""`eata node-keys`, `node-add`, `start`, `stop`: new keys for a node, a further node, and one member at a time."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eata_node.operator.commands import Home, Json, fail, home_of, say

if TYPE_CHECKING:
    from eata_node.operator.cluster import Cluster

_NEXT, _ENGINE_SECONDS = "next-keys", 10.0
_NAMES = ("group.key", "statement.key", "exchange.key", "cosign.key", "tls.key", "tls.pem")
_Node = Annotated[str, typer.Argument(help="A node's name.")]


def register(app: typer.Typer) -> None:
    app.command("node-keys")(node_keys)
    app.command("node-add")(node_add)
    app.command()(start)
    app.command()(stop)


def _folder(home: Path | None, node: str) -> Path:
    folder = home_of(home) / "nodes" / node
    if not node.replace("-", "").isalnum() or not folder.exists():
        fail("NODE_UNKNOWN", f"No node is called {node} here.", "Check the name and --home.")
    return folder


def node_keys(
    node: _Node,
    home: Home = None,
    out: Annotated[Path | None, typer.Option(help="Make new keys; write their public record here.")] = None,
    install: Annotated[bool, typer.Option("--install", help="Take the new keys into use, once the root has registered them.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """New keys for a node: make them, have the root register their record (`eata root node`), install them, start it."""
    from eata_node.ground.config import NodeKeys
    from eata_node.rpc.tls import Authority, public_key_of

    folder = _folder(home, node)
    if (out is None) == (not install):
        fail("OPTION", "Make keys or install them.", "Give --out FILE, or --install.")
    fresh = folder / _NEXT
    if out is not None:
        if fresh.exists():
            fail("EXISTS", f"{node} has keys waiting to be installed.", "Install them, or remove the folder.")
        keys = NodeKeys.create(fresh)
        Authority(home_of(home) / "tls").admit(f"node:{node}", fresh)
        record = keys.record(node, public_key_of((fresh / "tls.pem").read_bytes()))
        out.write_bytes(record.to_bytes())
        say({"node": node, "key": record.id.hex(), "file": str(out)}, as_json, f"{node}: {record.id.hex()}, {out}")
        return
    if not fresh.exists():
        fail("NOT_FOUND", f"{node} has no keys waiting.", "Make them with --out FILE.")
    _require_registered(folder, fresh, home_of(home))
    if all((fresh / name).exists() for name in _NAMES):
        NodeKeys.read(fresh)  # they open with this machine's passphrase, or nothing is touched
    for name in _NAMES:  # done again after a crash, it goes on where it stopped
        if (fresh / name).exists():
            (fresh / name).replace(folder / name)
    for rest in fresh.iterdir():
        rest.unlink()
    fresh.rmdir()
    say({"node": node, "installed": True}, as_json, f"{node}: the new keys are in use from its next start.")


def node_add(
    node: _Node,
    out: Annotated[Path, typer.Option(help="Where to write its public record, for the root (`eata root node`).")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a further proxy: keys, certificate, addresses. It follows once started, and writes once the root has named it."""
    from eata_node.ground.config import ClusterFile, Member, NodeKeys, free_ports
    from eata_node.operator.commands import write_network
    from eata_node.rpc.tls import Authority, public_key_of

    place = home_of(home)
    if not (place / "cluster.json").exists():
        fail("NO_CLUSTER", f"{place} holds no cluster.", "Run `eata init` first.")
    cluster = ClusterFile.read(place)
    if not (node.isascii() and node.replace("-", "").isalnum() and node.islower() and len(node) <= 16):
        fail("VALUE", "A node's name is at most 16 small letters, digits and hyphens.", "Correct it.")
    if any(member.name == node for member in cluster.nodes) or node == "core":
        fail("EXISTS", f"{node} is there already.", "New keys for it: `eata node-keys`.")
    folder, (public, members, metrics) = place / "nodes" / node, free_ports(3)
    keys = NodeKeys.create(folder)
    Authority(place / "tls").admit(f"node:{node}", folder)
    record = keys.record(node, public_key_of((folder / "tls.pem").read_bytes()))
    out.write_bytes(record.to_bytes())
    added = Member(name=node, public=f"127.0.0.1:{public}", members=f"127.0.0.1:{members}", metrics=metrics)
    cluster.nodes.append(added)
    cluster.write(place)
    write_network(place)
    say({"node": node, "key": record.id.hex(), "file": str(out)}, as_json,
        f"{node}: {record.id.hex()}, {out}. Next: `eata root node {out}`, then `eata start {node}`.")  # fmt: skip


def _require_registered(folder: Path, fresh: Path, home: Path) -> None:
    """The root has registered these keys, as far as this node's own store knows; a new disk knows nothing yet."""
    from eata_node.ground.config import NodeKeys, read_genesis
    from eata_node.recovery.new_era import charter_here

    if not (folder / "store").exists() or not (fresh / "group.key").exists():
        return
    try:
        charter = charter_here(home, read_genesis(home), folder.name)
    except OSError:
        fail("RUNNING", f"{folder.name} is running.", "Stop it first with `eata stop`.")
    if NodeKeys.read(fresh).group.id not in charter.by_id:
        fail("NOT_REGISTERED", "The root has not registered these keys, or this node has not met that yet.",
             "Submit the decision first (`eata root submit`), then let the node catch up.")  # fmt: skip


def stop(node: _Node, home: Home = None, as_json: Json = False) -> None:
    """Stop one member, also a halted one; `eata start` brings it back."""
    from eata_node.ground.config import ClusterFile
    from eata_node.operator.running import runs, stop_member

    folder = home_of(home)
    if not (folder / "cluster.json").exists():
        fail("NO_CLUSTER", f"{folder} holds no cluster.", "Run `eata init` first.")
    cluster = ClusterFile.read(folder)
    member = cluster.core if node == "core" else next((n for n in cluster.nodes if n.name == node), None)
    if member is None:
        fail("NODE_UNKNOWN", f"No node is called {node} here.", "Check the name and --home.")
    if not runs(folder, node, member.pid):
        fail("NOT_RUNNING", f"{node} is not running.", "Nothing to stop.")
    if not stop_member(folder, node, member.pid):
        fail("STILL_RUNNING", f"{node} did not end in 20 s.", "Look at its log.jsonl.")
    say({"node": node, "stopped": True}, as_json, f"{node} has stopped.")


def _let_write(cluster: "Cluster", node: str) -> None:
    """A node that is new to etcd, or has new keys, gets its role there; it tries again every few seconds until it has."""
    from grpc.aio import AioRpcError

    try:
        cluster.open_engine([node], _ENGINE_SECONDS)
    except (TimeoutError, AioRpcError):
        typer.echo(
            f"etcd did not take {node}'s role: if it is new there, stop and start it once etcd answers.", err=True
        )


def start(node: _Node, home: Home = None) -> None:
    """Run one proxy, or `core`, until Ctrl-C: one that has ended under `eata up`, or on a machine of its own."""
    from eata_node.engine.access import authority_of
    from eata_node.operator.cluster import Cluster
    from eata_node.operator.running import runs

    folder = home_of(home)
    if not (folder / "genesis.cbor").exists():
        fail("NO_CLUSTER", f"{folder} holds no cluster.", "Run `eata init` first.")
    if node != "core":
        _folder(home, node)
    told = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: told.set())
    cluster = Cluster(folder, keep_ports=True)
    running = cluster.file.core.pid if node == "core" else cluster.file.node(node).pid
    if runs(folder, node, running):
        fail("RUNNING", f"{node} is running already.", "Stop it first with `eata stop`.")
    cluster.start(node)
    try:
        if node != "core":
            if cluster.file.engine == "etcd" and authority_of(folder).exists():
                _let_write(cluster, node)
            cluster.wait(node)
        typer.echo(f"{node} is up.")
        while not told.wait(0.5):
            code = cluster.processes[node].poll()
            if code is not None:
                typer.echo(f"{node} has ended with code {code}; see its log.jsonl", err=True)
                raise typer.Exit(1)
    finally:
        cluster.stop_all()
