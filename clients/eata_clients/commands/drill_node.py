"""`eata drill leaked-node-key`: a node's keys are out; three of five root keepers replace them on a cluster of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault

from eata_clients.commands.drill import drill_app

if TYPE_CHECKING:
    from eata_clients.sandbox.stage import Played, Stage

_NODE, _TERRITORY, _PATIENCE = "mumbai", "CH", 60.0
_MEMBERS = ("CH", "DE", "FR", "RS", "US", "XS", "XB", "CH-ALLIANCE", "ES-CAMARA", "ICC-AUDIT")
_EATA = Path(sys.argv[0]) if Path(sys.argv[0]).name == "eata" else Path(sys.executable).with_name("eata")


def register(app: typer.Typer) -> None:
    """The command hangs on `drill` itself."""


@drill_app.command("leaked-node-key")
def leaked_node_key(as_json: Annotated[bool, JSON] = False) -> None:
    """A node's keys have leaked: the root replaces them while the others go on; what the old ones sign counts nowhere.

    Starts a cluster of its own with a root of 3-of-5 and stops it at the end; takes half a minute.
    """
    import asyncio

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with cluster_of_its_own(home):
            data = asyncio.run(_drill(home))
    say(
        data, as_json,
        f"Replaced at ledger index {data['replaced_at']}, signed by 3 of 5 keepers; {data['nodes_before']} nodes signed "
        f"receipts before, {data['nodes_between']} while {_NODE} was out, {data['nodes_after']} after.",
        f"The leaked key's signature counts {data['leaked_counts']} times; the node was back after "
        f"{data['recovered_ms']} ms; {data['lost']} of {data['committed']} commits lost.",
    )  # fmt: skip
    whole = data["nodes_after"] == data["nodes_before"] and not data["leaked_counts"] and not data["lost"]
    raise typer.Exit(0 if whole else 1)


def eata(home: Path, *arguments: str, code: int = 0) -> Any:
    """What a command answers; it must end with this code."""
    done = subprocess.run(
        [str(_EATA), *arguments, "--json"], capture_output=True, text=True, check=False,
        env={**os.environ, "EATA_HOME": str(home), "EATA_NETWORK": str(home / "network.json")},
    )  # fmt: skip
    if done.returncode != code:
        raise Fault("DRILL_FAILED", f"`eata {' '.join(arguments[:2])}`: {done.stderr.strip()}", "Look at the cluster.")
    return json.loads(done.stdout)


@contextmanager
def cluster_of_its_own(home: Path) -> Iterator[None]:
    """A whole cluster, registered, with a 3-of-5 root."""
    eata(home, "init", "--root", "3-of-5")
    os.environ["EATA_PASSPHRASE_FILE"] = os.environ.get("EATA_PASSPHRASE_FILE", str(home / "passphrase"))
    eata(home, "admit", *_MEMBERS)
    with running(home, "up"):
        eata(home, "sandbox", "seed", "--offices", str(home / "offices"))
        yield


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[None]:
    process = subprocess.Popen(
        [str(_EATA), *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "EATA_HOME": str(home)},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        if not process.stdout.readline():
            raise Fault("DRILL_FAILED", f"`eata {arguments[0]}` did not start.", "Look at the members' log.jsonl.")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


async def _drill(home: Path) -> dict[str, Any]:
    from eata_ledger.carnet.vocabulary import Kind, SetKind

    from eata_clients.net.network import Network
    from eata_clients.sandbox.stage import Stage

    with tempfile.TemporaryDirectory() as work:
        async with Stage(Network.read(home / "network.json"), home / "offices", Path(work)) as stage:
            played = await stage.carnet(_TERRITORY, 5, 30, {SetKind.EXPORT: 1})
            first, second = await played.prepare(
                (Kind.VALIDATION, _TERRITORY, "1-5", ""), (Kind.EXPORTATION, _TERRITORY, "1-5", "")
            )
            done = [await played.commit(first, _TERRITORY)]
            before = await _signers(stage, played, 6)
            old, started = await _statement_kid(stage), time.perf_counter()
            index = _replace(home)
            done.append(await played.commit(second, _TERRITORY))
            between = await _signers(stage, played, 5)
            with _back(home):
                recovered_ms = round((time.perf_counter() - started) * 1000)
                after = await _signers(stage, played, 6)
                kept = {row.index for row, _ in (await played.show()).rows}
    return {
        "replaced_at": index, "nodes_before": len(before), "nodes_between": len(between), "nodes_after": len(after),
        "leaked_counts": sum(old in found for found in (between, after)), "recovered_ms": recovered_ms,
        "committed": len(done), "lost": len(set(done) - kept),
    }  # fmt: skip


async def _statement_kid(stage: "Stage") -> bytes:
    from eata_clients.trust.registry_pages import fetch

    charter = (await fetch(await stage.transport(_TERRITORY))).charter
    return next(node.kid for node in charter.nodes if node.name == _NODE)


async def _signers(stage: "Stage", played: "Played", wanted: int) -> frozenset[bytes]:
    """The kids that count on the newest transaction's receipt, asked for until `wanted` nodes have signed it."""
    from eata_ledger.proof.statement import Statement

    from eata_clients.net.receipts import receipt
    from eata_clients.trust.registry_pages import fetch

    transport = await stage.transport(_TERRITORY)
    shown, charter = await played.show(), (await fetch(transport)).charter
    index = shown.rows[-1][0].index
    found: frozenset[bytes] = frozenset()
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        receipt_ = await receipt(transport, charter, index, shown.entries[index], signers=len(charter.nodes))
        found = Statement.from_bytes(receipt_.statement).signers(charter.statement_keys)
        if len(found) >= wanted:
            break
    return found


def _replace(home: Path) -> int:
    """New keys for the node, signed by three keepers one after another, ordered."""
    record, decision = home / "mumbai.record", home / "decision"
    eata(home, "node-keys", _NODE, "--out", str(record))
    keepers = [str(home / "offices" / "icc" / f"root-{n}.key") for n in (2, 4, 5)]
    eata(home, "root", "node", str(record), "--key", keepers[0], "--out", str(decision))
    for keeper in keepers[1:]:
        eata(home, "root", "sign", str(decision), "--key", keeper)
    return int(eata(home, "root", "submit", str(decision))["index"])


@contextmanager
def _back(home: Path) -> Iterator[None]:
    """The old process is ended, the new keys are installed, the node starts again."""
    eata(home, "stop", _NODE)
    eata(home, "node-keys", _NODE, "--install")
    with running(home, "start", _NODE):
        yield
