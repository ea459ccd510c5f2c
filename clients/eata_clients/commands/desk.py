"""`eata desk`: a terminal for an officer with a wedge scanner."""

from typing import Any

import typer

from eata_clients.commands.options import DeskHome, Network, Opener, opener_keys, signed_in


def register(app: typer.Typer) -> None:
    app.command(name="desk")(desk)


def desk(home: DeskHome, network: Network, opener: Opener = None) -> None:
    """Scan, Enter, Enter, Enter: committed. Type ? for the keys."""
    from rich.console import Console

    from eata_clients.commands.session import run
    from eata_clients.counter import Counter
    from eata_clients.customs import CustomsClient
    from eata_clients.lists import Lists
    from eata_clients.typing_in import Typed

    here, console = signed_in(home), Console(highlight=False, markup=False)

    async def work(transport: Any) -> None:
        typed = await Typed.standard()

        async def ask(prompt: str) -> str:
            await typed.fresh()
            console.print(prompt, end="", markup=False)
            return await typed.line()

        lists = Lists(transport, here, opener_keys(opener))
        await Counter(CustomsClient(home, transport, here), lists, transport, here, console, ask).run()

    run(network, home, work)
