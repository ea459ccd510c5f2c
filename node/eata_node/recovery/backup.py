"""Backups: a replica's store and documents as they stood at one group, taken while it runs; never its keys.

`backup.json` says what the copy must be, and holds a checkpoint that enough nodes signed: a backup proves itself without
the node it came from.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eata_ledger.log.genesis import Genesis, origin
from eata_ledger.proof.checkpoint import read_note

from eata_node.ground.rocks import DamagedError
from eata_node.replica.scrub import scrub
from eata_node.replica.store import Store, set_aside

MADE, REPLACED = "backup.json", "replaced"
Progress = Callable[[int, int], None]


def take(store: Store, blobs: Path, to: Path, told: dict[str, Any]) -> None:
    """Hard links below the node's own folder: no time passes between the first file and the last."""
    to.mkdir(parents=True, mode=0o700)
    store.copy(to / "store")
    shutil.copytree(blobs, to / "blobs", copy_function=_link)
    (to / MADE).write_text(json.dumps(told, indent=2) + "\n")


def _link(source: str, to: str) -> None:
    Path(to).hardlink_to(source)


def carry(source: Path, to: Path, progress: Progress) -> int:
    """Copies a backup to where it is kept; the description comes last, so half a copy is none. Returns its bytes."""
    files = [path for path in source.rglob("*") if path.is_file() and path.name != MADE]
    total, done = sum(path.stat().st_size for path in files), 0
    for path in files:
        target = to / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(path, target)
        done += path.stat().st_size
        progress(done, total)
    (to / "blobs").mkdir(exist_ok=True)
    shutil.copyfile(source / MADE, to / MADE)
    return done


def verify(folder: Path, genesis: Genesis, progress: Progress) -> dict[str, Any]:
    """Every entry recomputed, the root compared, the signed checkpoint checked. Raises `DamagedError`."""
    try:
        told: dict[str, Any] = json.loads((folder / MADE).read_text())
        note, size, root = str(told["checkpoint"]), int(told["size"]), bytes.fromhex(told["root"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{MADE} does not read: {error}") from error
    if told.get("ledger") != genesis.ledger.hex():
        raise DamagedError("it is of another ledger")
    store = Store.open(folder)
    try:
        kept = store.log_state()
        if kept is None or kept[0].size != size:
            raise DamagedError(f"it holds {0 if kept is None else kept[0].size} entries, {size} were copied")
        for whole in scrub(store, size):
            progress(whole, size)
        if store.root(size) != root:
            raise DamagedError("its root is not the one that was copied")
        signers = _signed(store, genesis, note) if note else 0
    finally:
        store.close()
    return {**told, "signers": signers}


def _signed(store: Store, genesis: Genesis, note: str) -> int:
    """How many nodes signed the checkpoint that the backup's own tree contains."""
    charter = store.charter(genesis)
    kept = store.log_state()
    assert kept is not None, "it was read before"
    checkpoint, signers = read_note(note, charter.nodes)
    if checkpoint.origin != origin(genesis.ledger, kept[0].era) or store.root(checkpoint.size) != checkpoint.root:
        raise DamagedError("the signed checkpoint is of another tree")
    if len(signers) < charter.enough:
        raise DamagedError(f"{len(signers)} nodes signed its checkpoint, {charter.enough} must")
    return len(signers)


def restore(folder: Path, node: Path, progress: Progress) -> None:
    """Into a stopped node's folder; the store that was there becomes evidence. What came later comes from the log."""
    new = node / "restoring"
    shutil.rmtree(new, ignore_errors=True)
    carry(folder, new, progress)
    if (node / "store").exists():
        set_aside(node, REPLACED)
    (new / "store").rename(node / "store")
    (node / "blobs").mkdir(exist_ok=True, mode=0o700)
    for document in (new / "blobs").iterdir():
        document.replace(node / "blobs" / document.name)
    shutil.rmtree(new)
