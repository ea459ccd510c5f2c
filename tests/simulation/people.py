"""The shipped client at work: it sends until it is answered, asks for receipts elsewhere, and sends what it sent before."""

import asyncio
import random

from eata_clients.errors import EataError
from eata_clients.receipts import receipt
from eata_clients.submitting import submit
from eata_clients.transport import Transport
from eata_ledger.proof.entry import Entry

from tests.simulation.promises import Broken
from tests.simulation.town import Town
from tests.world import NODES


class Person:
    """One client with its own transport and its own nearest node."""

    def __init__(self, town: Town, name: str, seeded: random.Random) -> None:
        self.town, self.name, self.seeded = town, name, seeded
        self.transport = Transport(town.network, prefer=[seeded.choice(NODES)])
        self.charter = town.genesis.charter
        self._done: list[tuple[Entry, int]] = []

    async def tell(self, entries: tuple[Entry, ...]) -> None:
        """Each entry once the one before is answered; now and then a look back."""
        for entry in entries:
            index = await self._sent(entry)
            if index is None:
                raise Broken(f"P6: {self.name}'s entry rests on what it was told, and was refused")
            self.town.promises.answered(self.name, entry.hash, index)
            self._done.append((entry, index))
            if self.seeded.random() < 0.4:
                await self._look_back()

    async def _sent(self, entry: Entry) -> int | None:
        """Its index once it is final, None where it was refused for good."""
        while True:
            try:
                done = await submit(self.transport, self.charter, entry)
                if done.final:
                    return done.index
                self.town.promises.seen["provisional"] += 1
            except EataError as error:
                if error.settled:
                    self.town.promises.trace.append(f"{self.name} {entry.hash.hex()[:12]} {error.code}")
                    return None
            finally:
                self.town.promises.suspected(self.transport.suspicions.found)
            await asyncio.sleep(self.seeded.uniform(0.1, 1))

    async def _look_back(self) -> None:
        """An old entry once more, and the receipt of another from any node: nobody may have forgotten."""
        entry, index = self.seeded.choice(self._done)
        again = await self._sent(entry)
        if again is None:
            raise Broken(f"P7: {self.name} was refused what was accepted at {index}")
        self.town.promises.answered(self.name, entry.hash, again, in_order=False)
        entry, index = self.seeded.choice(self._done)
        try:
            await receipt(self.transport, self.charter, index, entry.hash, signers=self.seeded.choice((1, 4)))
        except EataError as error:
            if not error.retryable:
                raise Broken(f"P6: {self.name} asked for the receipt of {index} and was told {error.code}") from None

    async def rival(self, entry: Entry) -> bool:
        """One of two desks at one code: committed or not."""
        index = await self._sent(entry)
        if index is not None:
            self.town.promises.answered(self.name, entry.hash, index)
        return index is not None


async def everybody(town: Town, seeded: random.Random) -> None:
    """The registry first, then all carnets at once, then two desks at each last voucher."""
    clerk = Person(town, "clerk", seeded)
    await clerk.tell(town.story.registry)
    holders = [Person(town, f"holder-{n}", seeded) for n in range(len(town.story.carnets))]
    await asyncio.gather(*(p.tell(entries) for p, entries in zip(holders, town.story.carnets, strict=True)))
    desks = [Person(town, f"desk-{n}", seeded) for n in range(2 * len(town.story.rivals))]
    pairs = [entry for pair in town.story.rivals for entry in pair]
    taken = await asyncio.gather(*(desk.rival(entry) for desk, entry in zip(desks, pairs, strict=True)))
    for n in range(len(town.story.rivals)):
        if sum(taken[2 * n : 2 * n + 2]) != 1:
            raise Broken(f"P1: of two commits of one voucher {sum(taken[2 * n : 2 * n + 2])} were accepted")
