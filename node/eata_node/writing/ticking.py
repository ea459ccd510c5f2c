"""The daily tick (ACC-46): any node gives it once log time has passed 05:00 UTC; the first counts."""

import asyncio
import os

from eata_ledger.carnet.dates import DAY
from eata_ledger.facts import Facts
from eata_ledger.log.bodies import Tick
from eata_ledger.log.entry import Header, build
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.keys import SigningKey
from eata_ledger.rules.registry import due_day
from eata_ledger.state import Chain
from eata_ledger.wire import entry_to_proto

from eata_node.replica.replica import Replica
from eata_node.replica.results import GroupVoid
from eata_node.writing.proposer import Overloaded, Proposer

_LOOK_SECONDS = 2.0
_TURN_SECONDS = 5.0


class Ticking:
    """Nodes take turns by name, so that one usually gives the day's tick alone."""

    def __init__(self, replica: Replica, proposer: Proposer, key: SigningKey, genesis: Genesis) -> None:
        self._replica, self._proposer, self._key, self._genesis = replica, proposer, key, genesis

    @property
    def _turn(self) -> int:
        """This node's place among the nodes of today."""
        return sum(node < self._key.id for node in self._replica.charter.by_id)

    def _due(self) -> int | None:
        """The day whose tick has not been given, None if it has."""
        day = due_day(self._replica.state.log_time)
        chain = Facts(self._replica.store).get(Chain, b"")
        return None if chain is not None and chain.as_of == day else day

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._due() is not None:
                await asyncio.sleep(self._turn * _TURN_SECONDS)
                day = self._due()
                if day is not None:
                    await self._give(day)

    async def _give(self, day: int) -> None:
        now = self._replica.state.log_time
        header = Header(self._genesis.ledger, self._key.id, os.urandom(16), now + DAY, now, 0, (), Tick(day))
        entry = build(header, (), (self._key,))
        try:
            await self._proposer.propose(entry_to_proto(entry), entry.frame_hash)
        except (GroupVoid, Overloaded):
            return
