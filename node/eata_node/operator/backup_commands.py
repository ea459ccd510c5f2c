"""`eata backup`, `verify-backup`, `restore`: copies of a replica, taken while it runs and proved before they are trusted."""

import shutil
from pathlib import Path
from typing import Annotated

import typer
from eata_ledger.encoding import Malformed

from eata_node.operator.commands import Home, Json, bar, fail, home_of, say

_Node = Annotated[str, typer.Argument(help="A proxy's name.")]
_Folder = Annotated[Path, typer.Argument(help="The backup's folder.")]


def register(app: typer.Typer) -> None:
    app.command()(backup)
    app.command("verify-backup")(verify_backup)
    app.command()(restore)


def backup(
    node: _Node,
    out: Annotated[Path, typer.Option(help="A new folder for the copy, best on another machine's disk.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Copy a running proxy's store and documents. Keys are not in it: they are kept apart, or replaced by the root."""
    import grpc
    from eata_proto.v1 import node_pb2, node_pb2_grpc

    from eata_node.ground.config import ClusterFile
    from eata_node.recovery import backup as backups
    from eata_node.rpc.tls import CHANNEL_OPTIONS, Identity

    folder = home_of(home)
    if not (folder / "nodes" / node / "tls.key").exists():
        fail("NODE_UNKNOWN", f"No node is called {node} here.", "Check the name and --home.")
    if out.exists() and any(out.iterdir()):
        fail("EXISTS", f"{out} is not empty.", "Give a new folder.")
    identity = Identity.read(folder / "nodes" / node)
    credentials = grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)
    door = ClusterFile.read(folder).node(node).members
    with grpc.secure_channel(door, credentials, options=CHANNEL_OPTIONS) as channel:
        try:
            reply = node_pb2_grpc.PeerStub(channel).Backup(node_pb2.BackupRequest(), timeout=600)
        except grpc.RpcError:
            fail("NO_ANSWER", f"{node} made no copy.", "See that it runs, and its log.jsonl.")
    linked = Path(reply.folder)
    try:
        with bar("copying") as progress:
            copied = backups.carry(linked, out, progress)
    finally:
        shutil.rmtree(linked, ignore_errors=True)
    say({"node": node, "folder": str(out), "bytes": copied}, as_json,
        f"{node}: {copied} bytes in {out}. Next: eata verify-backup {out}")  # fmt: skip


def verify_backup(folder: _Folder, home: Home = None, as_json: Json = False) -> None:
    """Recompute every entry of a backup, and check the checkpoint that the nodes signed. Exit 1 where it is damaged."""
    told, why = _verified(folder, home_of(home))
    data = {"folder": str(folder), "whole": not why, "evidence": why, **told}
    text = f"DAMAGED: {why}" if why else (
        f"{told['size']} entries of {told['node']} whole, as of log time {told['log_time']}; "
        f"{told['signers']} nodes signed its checkpoint."
    )  # fmt: skip
    say(data, as_json, text)
    raise typer.Exit(1 if why else 0)


def _verified(folder: Path, home: Path) -> "tuple[dict[str, object], str]":
    """What the backup says of itself, and why it cannot be trusted."""
    from eata_node.ground.config import read_genesis
    from eata_node.recovery import backup as backups

    if not (folder / backups.MADE).exists():
        fail("NOT_FOUND", f"{folder} holds no whole backup.", "Give the folder that `eata backup` wrote.")
    try:
        with bar("verifying") as progress:
            return backups.verify(folder, read_genesis(home), progress), ""
    except (OSError, Malformed, KeyError) as error:
        return {}, str(error)


def restore(
    node: _Node,
    folder: Annotated[Path, typer.Option("--from", help="The backup's folder.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Put a verified backup in the place of a stopped proxy's store; what came later it takes from the log and its peers."""
    from eata_node.ground.rocks import DamagedError, Rocks
    from eata_node.recovery import backup as backups
    from eata_node.replica.store import FAMILIES

    place = home_of(home) / "nodes" / node
    if not (place / "tls.key").exists():
        fail("NODE_UNKNOWN", f"No node is called {node} here.", "Check the name and --home.")
    told, why = _verified(folder, home_of(home))
    if why:
        fail("DAMAGED", f"This backup is not whole: {why}.", "Take another one.")
    try:
        Rocks(place / "store", FAMILIES).close()
    except DamagedError:
        pass  # that is why it is restored
    except OSError:
        fail("RUNNING", f"{node} is running.", "Stop it first with `eata stop`.")
    with bar("restoring") as progress:
        backups.restore(folder, place, progress)
    say({"node": node, "entries": told["size"]}, as_json,
        f"{node}: {told['size']} entries restored. Next: eata start {node}")  # fmt: skip
