"""`python -m tests.lying HOME PARENT proxy NAME`: the shipped proxy as a process, in the attacker's hands.

It follows the log with its own keys, and answers, refuses, signs and keeps silent as the simulation's liars do.
"""

import asyncio
import random
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from eata_node.ground.config import NodeKeys
from eata_node.process import processes, server
from eata_node.process.processes import run_proxy
from eata_node.process.server import Proxy, Setup
from eata_node.writing.proposer import wall_clock

from tests.simulation.liars import Band, LyingAttesting, LyingLedger, LyingPeer, corrupt, rubbish

MODULE = "tests.lying"
_SETTLES = 60.0  # seconds of one choice of tricks


class LyingProxy(Proxy):
    """Serves the band's answers in place of the node's own."""

    def __init__(self, band: Band, setup: Setup) -> None:
        skew = band.skew(setup.name)
        super().__init__(replace(setup, clock=lambda: wall_clock() + skew))
        self._band = band
        corrupt(band, self.node)

    async def start(self) -> None:
        await super().start()
        self._lying = [asyncio.create_task(rubbish(self._band, self.node)), asyncio.create_task(self._change())]

    async def _change(self) -> None:
        """Another choice of tricks from time to time."""
        while True:
            await asyncio.sleep(_SETTLES)
            self._band.choose()

    async def stop(self) -> None:
        for task in self._lying:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await super().stop()


def lie(home: Path, name: str) -> None:
    """From here on the proxies of this process lie."""
    band = Band(random.Random(), {name: NodeKeys.read(home / "nodes" / name).statement})
    shipped: Any = server
    shipped.public.Ledger = partial(LyingLedger, band)
    shipped.public.Peer = partial(LyingPeer, band)
    shipped.Attesting = partial(LyingAttesting, band, name)
    vars(processes)["Proxy"] = partial(LyingProxy, band)


if __name__ == "__main__":
    home, parent, name = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[4]
    lie(home, name)
    sys.exit(run_proxy(home, name, parent))
