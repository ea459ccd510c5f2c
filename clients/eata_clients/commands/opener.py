"""`eata opener`: an administration's territory keys: new generations, recovery shares, the watch over commits."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say, typed_line
from eata_host.faults import Fault
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import Network, Opener, opener_keys, signed_in
from eata_clients.commands.standing import standing

if TYPE_CHECKING:
    from eata_clients.net.transport import Transport

_app = typer.Typer(help="An administration's opener: the keys of its territory.", no_args_is_help=True)
_Home = Annotated[Path, typer.Option("--home", envvar="EATA_CLIENT_HOME", help="The administration's folder.")]
_Territory = Annotated[str, typer.Argument(help="Territory code.")]


def register(app: typer.Typer) -> None:
    app.add_typer(_app, name="opener")


def _file(home: Path, territory: str, generation: int) -> Path:
    return home / (f"territory-{territory}.key" if generation == 1 else f"territory-{territory}-{generation}.key")


@_app.command("new-key")
def new_key(
    territory: _Territory, home: _Home, network: Network,
    shares: Annotated[Path, typer.Option(help="Folder for the recovery shares, one file each: give them to their keepers.")],
    split: Annotated[str, typer.Option(help="How many of how many shares give the key again.")] = "2-of-3",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Register the territory's next key generation (90 days). Its recovery shares are proved first."""
    import os

    from eata_host.vault import write_locked
    from eata_ledger.seal.stanza import SealingKey

    from eata_clients.commands.session import run
    from eata_clients.customs import territory_keys
    from eata_clients.issuer.client import read_party
    from eata_clients.trust.registry_pages import fetch

    least, _, count = split.partition("-of-")
    if not (least.isdecimal() and count.isdecimal()):
        raise Malformed("shares are such as 2-of-3")
    seed, party = os.urandom(32), read_party(home / "party.cbor")
    lines = territory_keys.shares_of(seed, int(least), int(count))

    async def work(transport: "Transport") -> Any:
        return await territory_keys.new_generation(
            transport, await fetch(transport), party, territory.upper(), SealingKey(seed)
        )

    shares.mkdir(parents=True, exist_ok=True, mode=0o700)
    body, done = run(network, home, work)
    write_locked(_file(home, body.territory, body.generation), seed)
    names = []
    for n, line in enumerate(lines, 1):
        path = shares / f"territory-{body.territory}-{body.generation}-share-{n}.locked"
        write_locked(path, line.encode())
        names.append(str(path))
    data = {"territory": body.territory, "generation": body.generation, **standing(done), "shares": names}
    say(
        data,
        as_json,
        f"{body.territory} generation {body.generation}, {done.standing}; {split} shares in {shares}.",
    )


@_app.command("show-share")
def show_share(file: Annotated[Path, typer.Argument(help="A share's file.")]) -> None:
    """Print a share's words, for its keeper to write down. Nobody else should see the screen."""
    from eata_host.vault import read_locked

    from eata_clients.customs import territory_keys

    typer.echo(territory_keys.words_of(read_locked(file)))


@_app.command()
def recover(home: _Home, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Get a lost territory key back from its shares: one a line on standard input, then an empty line."""
    from eata_host.vault import write_locked

    from eata_clients.commands.session import run
    from eata_clients.customs import territory_keys
    from eata_clients.trust.registry_pages import fetch

    lines = list(iter(typed_line, ""))
    if not lines:
        raise Malformed("give the shares, one a line, on standard input")
    seed = territory_keys.seed_of(lines)
    found = territory_keys.generation_of(run(network, home, fetch), seed)
    path = _file(home, found.territory, found.generation)
    write_locked(path, seed)
    say({"territory": found.territory, "generation": found.generation}, as_json, f"{path.name} is back.")


@_app.command("fetch")
def fetch_keys(home: _Home, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Fetch the generations that other members of the territory have made, with this administration's own key."""
    from eata_host.vault import write_locked

    from eata_clients.commands.session import run
    from eata_clients.customs import territory_keys
    from eata_clients.issuer.client import read_party
    from eata_clients.trust.registry_pages import fetch

    party = read_party(home / "party.cbor")

    async def work(transport: "Transport") -> dict[tuple[str, int], bytes]:
        return await territory_keys.fetch_seeds(transport, await fetch(transport), party)

    found = run(network, home, work)
    for (territory, generation), seed in found.items():
        write_locked(_file(home, territory, generation), seed)
    rows = [{"territory": territory, "generation": generation} for territory, generation in sorted(found)]
    say(rows, as_json, *(f"{r['territory']} generation {r['generation']}" for r in rows))


@_app.command()
def watch(
    home: _Home, network: Network, opener: Opener = None,
    since: Annotated[int, typer.Option("--from", min=0, help="First ledger index wanted.")] = 0,
    count: Annotated[int, typer.Option(min=0, help="Stop after so many commits; 0: never.")] = 0,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Open every commit of the territory as it arrives; alarm on one that does not open. Exit 1 if there was one."""
    import json

    from eata_clients.commands.session import run
    from eata_clients.customs import territory_keys

    keys, desk = opener_keys(opener), signed_in(home)
    if not keys:
        raise Fault("KEY_UNKNOWN", "No territory key was given.", "Name its file with --opener.")

    async def work(transport: "Transport") -> int:
        seen = alarms = 0
        async for found in territory_keys.watch(transport, desk, keys, since):
            seen += 1
            alarms += bool(found.why)
            if as_json:
                typer.echo(
                    json.dumps(
                        {"index": found.index, "carnet_id": found.carnet_id, "opens": not found.why, "why": found.why}
                    )
                )
            elif found.why:
                said = f"ALARM: the commit at index {found.index} of carnet {found.carnet_id} does not open here: {found.why}."
                typer.echo(f"{said} Have its holder or issuer mend it (AddStanza).", err=True)
            if seen == count:
                break
        return alarms

    raise typer.Exit(1 if run(network, home, work) else 0)
