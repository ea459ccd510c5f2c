"""What the on-line commands share: the network file, a transport for one command's life."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import typer

from eata_clients.net.transport import Transport, connect

T = TypeVar("T")


def run(network: Path, identity: Path | None, work: Callable[[Transport], Awaitable[T]]) -> T:
    """Runs one command over a transport; `identity` is a folder with an organisation's TLS key."""

    async def main() -> T:
        async with connect(network, identity) as transport:
            try:
                return await work(transport)
            finally:
                for suspicion in transport.suspicions.found:
                    typer.secho(
                        f"SUSPICIOUS: {suspicion}", fg=typer.colors.RED if sys.stderr.isatty() else None, err=True
                    )

    return asyncio.run(main())
