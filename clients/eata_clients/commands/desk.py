"""`eata desk`: a terminal for an officer with a wedge scanner."""

import asyncio
import os
import stat
import sys
from typing import Any

import typer

from eata_clients.commands.options import DeskHome, Network, Opener, opener_keys, signed_in


def register(app: typer.Typer) -> None:
    app.command(name="desk")(desk)


async def _lines() -> asyncio.StreamReader:
    """Standard input line by line, read by the loop itself so that Ctrl-C ends it at once."""
    reader = asyncio.StreamReader()
    if stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode):
        reader.feed_data(sys.stdin.buffer.read())
        reader.feed_eof()
    else:
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


def desk(home: DeskHome, network: Network, opener: Opener = None) -> None:
    """Scan, Enter, Enter, Enter: committed. Type ? for the keys."""
    from rich.console import Console

    from eata_clients.commands.session import run
    from eata_clients.counter import Counter
    from eata_clients.customs import CustomsClient
    from eata_clients.lists import Lists

    here, console = signed_in(home), Console(highlight=False, markup=False)

    async def work(transport: Any) -> None:
        lines = await _lines()

        async def ask(prompt: str) -> str:
            console.print(prompt, end="", markup=False)
            line = (await lines.readline()).decode(errors="replace")
            if not line:
                raise EOFError
            return line.rstrip("\r\n")

        lists = Lists(transport, here, opener_keys(opener))
        await Counter(CustomsClient(home, transport, here), lists, transport, here, console, ask).run()

    run(network, home, work)
