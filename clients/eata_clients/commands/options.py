"""What the desk's and the wallet's commands share: their groups, their options, the signed-in desk."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.files import read_text
from eata_host.places import default_network
from eata_host.vault import read_key
from eata_host.words import written
from eata_ledger.encoding import Malformed

if TYPE_CHECKING:
    from eata_clients.authoring.clearing import Desk
    from eata_clients.opened.parts import Openers

customs_app = typer.Typer(help="An officer's desk.", no_args_is_help=True)
wallet_app = typer.Typer(help="A holder's wallet.", no_args_is_help=True)

DeskHome = Annotated[
    Path, typer.Option("--home", envvar="EATA_CLIENT_HOME", help="The desk's folder (TLS identity, keys).")
]
WalletHome = Annotated[Path, typer.Option("--home", envvar="EATA_CLIENT_HOME", help="The wallet's folder.")]
Network = Annotated[
    Path, typer.Option("--network", envvar="EATA_NETWORK", default_factory=default_network, help="The network file.")
]
CarnetId = Annotated[int, typer.Argument(help="Carnet ID.")]
Opener = Annotated[
    list[Path] | None,
    typer.Option(envvar="EATA_OPENER", help="A territory's key file, to read what is sealed for it; again for more."),
]


def _from_file(value: str) -> str:
    from eata_clients.authoring.content import MOST_CHARACTERS

    try:
        text = read_text(Path(value), 16_000).strip() if value else ""
    except OSError:
        raise typer.BadParameter(
            "a text file is wanted, and this names none that can be read: write the text into a file"
        ) from None
    except Malformed as error:
        raise typer.BadParameter(f"a text file is wanted: {error}") from None
    if len(text) > MOST_CHARACTERS:
        raise typer.BadParameter(f"at most {MOST_CHARACTERS:,} characters are sealed")
    try:
        return written(text, lines=True)
    except Malformed as error:
        raise typer.BadParameter(str(error)) from None


def sealed(help: str) -> Any:
    """An option for text that only its readers may see: from a file, since a list of processes shows arguments."""
    return typer.Option(parser=_from_file, metavar="FILE", help=f"{help} (a text file; sealed).")


def signed_in(home: Path) -> "Desk":
    """The desk whose officer has signed in there."""
    from eata_clients.customs import desk_file

    return desk_file.signed_in(home)


def opener_keys(files: list[Path] | None) -> "Openers":
    """The territory keys an administration's opener holds."""
    from eata_clients.opened.lists import openers

    return openers(*(read_key(path) for path in files or ()))
