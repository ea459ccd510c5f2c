"""`eata desk`: a terminal for an officer with a wedge scanner."""

from pathlib import Path
from typing import Annotated, Any

import typer

from eata_clients.commands.options import DeskHome, Network, Opener, opener_keys, signed_in


def register(app: typer.Typer) -> None:
    app.command(name="desk")(desk)


def desk(
    home: DeskHome, network: Network, opener: Opener = None,
    controller: Annotated[Path | None, typer.Option(help="A controller's desk folder: signs what an earlier shift has noted.")] = None,
) -> None:  # fmt: skip
    """Scan, Enter, Enter, Enter: committed. Type ? for the keys.

    Example: eata desk --opener territory-CH.key
    """
    from eata_host.typing_in import TypedLines
    from rich.console import Console

    from eata_clients.commands.session import run
    from eata_clients.customs.client import CustomsDesk
    from eata_clients.customs.desk_screen import Screen
    from eata_clients.customs.terminal import Terminal
    from eata_clients.opened.lists import Lists

    second = None if controller is None else signed_in(controller)
    here, console = signed_in(home), Console(highlight=False, markup=False)

    async def work(transport: Any) -> None:
        typed = await TypedLines.standard()

        async def ask(prompt: str) -> str:
            await typed.fresh()
            console.print(prompt, end="", markup=False)
            return await typed.line()

        keys = opener_keys(opener)
        client, lists = CustomsDesk(home, transport, here, keys), Lists(transport, here, keys)
        await Terminal(client, lists, transport, here, Screen(console, ask), second).run()

    run(network, home, work)
