"""The shipped client at work: it sends until it is answered, asks for receipts elsewhere, and sends what it sent before."""

import asyncio
import random
from typing import Any
from unittest import mock

from eata_clients.net.errors import EataError
from eata_clients.net.receipts import receipt
from eata_clients.net.submitting import submit
from eata_clients.net.transport import Transport
from eata_clients.trust.comparing import Comparing
from eata_ledger.log.bodies import Commit, Sign
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.state import CarnetState
from eata_proto.v1 import ledger_pb2, reading_pb2, reading_pb2_grpc

from tests.simulation.promises import Broken
from tests.simulation.town import Town
from tests.world import NODES


class Watched(Transport):
    """Looks at every single node's answer: others may make good what one has said, but an honest one says nothing false."""

    def __init__(self, town: Town, prefer: list[str]) -> None:
        super().__init__(town.network, prefer=prefer)
        self._town, self.resting = town, None

    resting: Entry | None

    async def at(self, name: str, method: Any, request: Any, seconds: float = 12.0) -> Any:
        try:
            return await super().at(name, method, request, seconds)
        except EataError as error:
            rests = self.resting is not None and getattr(request, "entry", None) is not None
            if rests and error.by_rules and name not in self._town.promises.liars:
                raise Broken(f"P6: {name} refused what rests on what was told ({error.code})") from None
            raise


class Person:
    """One client with its own transport and its own nearest node."""

    def __init__(self, town: Town, name: str, seeded: random.Random) -> None:
        self.town, self.name, self.seeded = town, name, seeded
        self.transport = Watched(town, prefer=[seeded.choice(NODES)])
        self.charter = town.genesis.charter
        self._done: list[tuple[Entry, int]] = []

    async def tell(self, entries: tuple[Entry, ...], own: tuple[int, SigningKey] | None = None) -> None:
        """Each entry once the one before is final; now and then a look back, and at the holder's own carnet."""
        for entry in entries:
            self.transport.resting = entry
            index = await self._sent(entry)
            self.transport.resting = None
            if index is None:
                raise Broken(f"P6: {self.name}'s entry rests on what it was told, and was refused")
            self.town.promises.answered(self.name, entry.hash, index)
            self._done.append((entry, index))
            if self.seeded.random() < 0.4:
                await self._look_back()
            if own is not None and self.seeded.random() < 0.3:
                await self._read(*own)

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

    async def _read(self, carnet_id: int, device: SigningKey) -> None:
        """What the nodes tell alike is what the holder was told before; nobody in this story blocks a carnet."""
        enrolled = any(isinstance(entry.header.body, Sign) for entry, _ in self._done)
        if not enrolled:
            return
        name, clock = "/eata.v1.Wallet/Carnet", self.town.now

        def ask(cursor: bytes) -> ledger_pb2.SignedRequest:
            query = reading_pb2.CarnetQuery(carnet_id=carnet_id, cursor=cursor)
            return self.transport.signed(name, query.SerializeToString(), [device])

        try:
            with mock.patch("eata_clients.net.transport.now", clock):
                agreed = await Comparing(
                    self.transport, self.charter, lambda c: reading_pb2_grpc.WalletStub(c).Carnet, name, ask
                ).agreed()  # fmt: skip
        except EataError as error:
            self.town.promises.seen[f"read {error.code}"] += 1
            return
        finally:
            self.town.promises.suspected(self.transport.suspicions.found)
        self.town.promises.seen["reads"] += 1
        if not agreed.sure:
            return
        self.town.promises.seen["sure reads"] += 1
        if CarnetState.from_bytes(agreed.reply.state).blocked:
            raise Broken(f"H2: {self.name} believes what liars tell of carnet {carnet_id}")
        commits = sum(isinstance(entry.header.body, Commit) for entry, _ in self._done)
        if len(agreed.reply.rows) < commits:
            raise Broken(
                f"P6: {self.name} is shown {len(agreed.reply.rows)} transactions after it was told of {commits}"
            )

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
    told = zip(holders, town.story.carnets, town.story.holders, strict=True)
    await asyncio.gather(*(person.tell(entries, own) for person, entries, own in told))
    desks = [Person(town, f"desk-{n}", seeded) for n in range(2 * len(town.story.rivals))]
    pairs = [entry for pair in town.story.rivals for entry in pair]
    taken = await asyncio.gather(*(desk.rival(entry) for desk, entry in zip(desks, pairs, strict=True)))
    for n in range(len(town.story.rivals)):
        if sum(taken[2 * n : 2 * n + 2]) != 1:
            raise Broken(f"P1: of two commits of one voucher {sum(taken[2 * n : 2 * n + 2])} were accepted")
