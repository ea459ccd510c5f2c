"""`eata drill`: what to do when a key leaks, done for real on a sandbox, with the time it took."""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault

from eata_clients.commands.options import Network

if TYPE_CHECKING:
    from eata_clients.sandbox.stage import Played, Stage

drill_app = typer.Typer(help="Drills: a compromise and the way out of it, on a sandbox.", no_args_is_help=True)
_Offices = Annotated[Path, typer.Option(help="Folder of the sandbox parties' folders.", envvar="EATA_OFFICES")]
_ADMINISTRATION, _TERRITORY = "CH", "CH"


@drill_app.callback()
def drill() -> None:
    """Drills: a compromise and the way out of it, on a sandbox."""


def register(app: typer.Typer) -> None:
    app.add_typer(drill_app, name="drill")


@drill_app.command("leaked-desk-key")
def leaked_desk_key(network: Network, offices: _Offices, as_json: Annotated[bool, JSON] = False) -> None:
    """A desk authority's key has leaked: revoke it, see every node refuse it, certify desks by a new one.

    Acts on the sandbox it is given: desks of CH sign in again afterwards.
    """
    import asyncio

    data = asyncio.run(_leaked(network, offices))
    say(
        data, as_json,
        f"Revoked at ledger index {data['revoked_at']}; refused by {data['refused_by']} of {data['nodes']} nodes "
        f"after {data['refused_ms']} ms.",
        f"Desks work again after {data['recovered_ms']} ms; {data['lost']} of {data['committed']} commits lost.",
    )  # fmt: skip
    raise typer.Exit(0 if data["refused_by"] == data["nodes"] and not data["lost"] else 1)


async def _leaked(network: Path, offices: Path) -> dict[str, Any]:
    from eata_ledger.carnet.vocabulary import Kind, SetKind

    from eata_clients.net.network import Network as NetworkFile
    from eata_clients.sandbox.stage import Stage

    with tempfile.TemporaryDirectory() as work:
        async with Stage(NetworkFile.read(network), offices, Path(work)) as stage:
            played = await stage.carnet(_TERRITORY, 5, 30, {SetKind.EXPORT: 1})
            first, second = await played.prepare(
                (Kind.VALIDATION, _TERRITORY, "1-5", ""), (Kind.EXPORTATION, _TERRITORY, "1-5", "")
            )
            done = [await played.commit(first, _TERRITORY)]
            started = time.perf_counter()
            index = await _revoke(stage)
            refused = [await _refuses(stage, played, second, node.name) for node in stage.network.nodes]
            refused_ms = round((time.perf_counter() - started) * 1000)
            await _certify_anew(stage)
            done.append(await played.commit(second, _TERRITORY))
            recovered_ms = round((time.perf_counter() - started) * 1000)
            kept = {row.index for row, _ in (await played.show()).rows}
    return {
        "revoked_at": index, "nodes": len(refused), "refused_by": sum(refused), "refused_ms": refused_ms,
        "recovered_ms": recovered_ms, "committed": len(done), "lost": len(set(done) - kept),
    }  # fmt: skip


async def _revoke(stage: "Stage") -> int:
    """By the administration whose authority it is."""
    from eata_ledger.log.bodies import RevokeKey

    return await stage.register(_ADMINISTRATION, RevokeKey(stage.authority(_ADMINISTRATION).id))


async def _certify_anew(stage: "Stage") -> None:
    """A new authority key, registered, then kept in the old one's place."""
    import os

    from eata_host.vault import write_locked
    from eata_ledger.log.bodies import RegisterDeskCA
    from eata_ledger.log.keys import SigningKey

    fresh = SigningKey(os.urandom(32))
    await stage.register(_ADMINISTRATION, RegisterDeskCA(_ADMINISTRATION, fresh.public, stage.today), fresh)
    write_locked(stage.offices / _ADMINISTRATION / "desk-authority.key", fresh.seed)
    stage.forget_desks()


async def _refuses(stage: "Stage", played: "Played", slot: int, node: str) -> bool:
    """This node turns a desk of the revoked authority away."""
    customs = await stage.customs(_TERRITORY, prefer=node)
    try:
        await customs.scan(played.wallet.code(played.carnet_id, slot))
    except Fault as error:
        return error.code == "KEY_REVOKED"
    return False
