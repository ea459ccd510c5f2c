"""What goes wrong: each kind once in a while, drawn by the run's seed; all of it is over before the end is judged."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.engine import NAME
from tests.simulation.loop import Process
from tests.simulation.town import House, Town
from tests.simulation.wire import Rates
from tests.world import NODES

_YEAR = 365 * 86_400_000
_CORE = 3  # the core's disk fails as often as three others
WILD = 2  # nodes that may lie, or whose clocks may be wrong, at once
_LEFT = 2  # replicas that are whole before another's store goes


@dataclass
class Troubles:
    """Strikes a town until told to end; every strike is undone by then."""

    town: Town
    seeded: random.Random
    struck: Counter[str] = field(default_factory=Counter)
    _under_way: set[asyncio.Task[Any]] = field(default_factory=set)

    async def run(self) -> None:
        rates = self.town.wire.rates
        rates.lost, rates.repeated = self.seeded.choice((0, 0.02, 0.1)), self.seeded.choice((0, 0.1))
        rates.delay = self.seeded.choice((0.002, 0.02, 0.08))
        kinds: list[Callable[[], Any]] = [
            self.kill, self.power_cut, self.write_fails, self.rot, self.hold, self.cut_from_engine, self.cut_from_peers,
            self.engine_away, self.slow_clock, self.wild_clock, self.twin, self.lose_store,
        ]  # fmt: skip
        chosen = self.seeded.sample(kinds, self.seeded.randint(1, len(kinds)))
        while True:
            await asyncio.sleep(self.seeded.expovariate(1 / 0.8))
            kind = self.seeded.choice(chosen)
            self.struck[kind.__name__] += 1
            task = asyncio.ensure_future(kind())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def end(self) -> None:
        """Everything is mended: wires open, clocks right, all processes up."""
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        town = self.town
        town.wire.rates = Rates()
        town.wire.cut.clear()
        town.wire.held.clear()
        town.wire.heal()
        if town.quorum is not None:
            town.quorum.led.set()
        elif not town.core.process.alive:
            town.start_core()
        town.core.platter.fail_next = ""
        for house in town.houses.values():
            house.skew, house.platter.fail_next = town.band.skew(house.name), ""
            house.platter.rotten.clear()
            if not house.process.alive:
                town.start(house)

    def _somebody(self) -> House:
        return self.town.houses[self.seeded.choice(NODES)]

    # -- processes and disks

    async def kill(self) -> None:
        await self._away(self._somebody())

    async def _away(self, house: House, meanwhile: Callable[[], Any] = lambda: None) -> None:
        house.process.kill()
        meanwhile()
        down = house.process
        await asyncio.sleep(self.seeded.uniform(0.1, 3))
        if house.process is down:
            self.town.start(house)

    async def power_cut(self) -> None:
        """What a replica had not synced may be gone; the log brings it again."""
        house = self._somebody()
        await self._away(house, house.platter.cut_power)

    async def lose_store(self) -> None:
        house = await self._expendable()
        await self._away(house, house.platter.wipe)

    async def _expendable(self) -> House:
        """One whose store may go: two others are whole. What six disks lose before one is rebuilt is lost indeed."""
        house = self._somebody()
        while sum(other.whole for other in self.town.houses.values() if other is not house) < _LEFT:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return house

    async def write_fails(self) -> None:
        """A replica's, or the core's: of its log, or of its head mark, which may be torn."""
        houses = [*self.town.houses.values(), *([self.town.core] * _CORE if self.town.quorum is None else [])]
        self.seeded.choice(houses).platter.fail_next = self.seeded.choice(("lost", "kept"))

    async def rot(self) -> None:
        (await self._expendable()).platter.rot()

    async def twin(self) -> None:
        """A second process with one identity, from an older image of its disk: the first one ends."""
        house = self._somebody()
        old = house.process
        if old.alive:
            house.platter = _copy(house)
            self.town.start(house)
            await asyncio.sleep(self.seeded.uniform(0.5, 4))
            if old.alive and old is not house.process:
                old.kill()

    # -- wires

    async def hold(self) -> None:
        """A paused process: nothing goes in or out, then everything at once."""
        name = self._somebody().name
        self.town.wire.held.add(name)
        try:
            await asyncio.sleep(self.seeded.uniform(0.2, 4))
        finally:
            self.town.wire.held.discard(name)
            self.town.wire.heal()

    async def cut_from_engine(self) -> None:
        await self._cut({frozenset((self._somebody().name, NAME))})

    async def cut_from_peers(self) -> None:
        name = self._somebody().name
        await self._cut({frozenset((name, other)) for other in (*NODES, "client") if other != name})

    async def _cut(self, ways: set[frozenset[str]]) -> None:
        self.town.wire.cut |= ways
        try:
            await asyncio.sleep(self.seeded.uniform(0.2, 5))
        finally:
            self.town.wire.cut -= ways
            self.town.wire.heal()

    async def engine_away(self) -> None:
        """No leader for a while; or the core's process dies, with or without its machine's power."""
        town = self.town
        if town.quorum is not None:
            town.quorum.led.clear()
            try:
                await asyncio.sleep(self.seeded.uniform(0.2, 4))
            finally:
                town.quorum.led.set()
            return
        down: Process = town.core.process
        if not down.alive:
            return
        down.kill()
        if self.seeded.random() < 0.5:
            town.core.platter.cut_power()
        await asyncio.sleep(self.seeded.uniform(0.1, 2))
        if town.core.process is down:
            town.start_core()

    # -- clocks

    async def slow_clock(self) -> None:
        self.town.houses[self.seeded.choice(NODES[WILD:])].skew = self.seeded.randint(-8_000, 0)

    async def wild_clock(self) -> None:
        """Two clocks in 2099, or years back: two of six are what log time bears, and a wrong reading lasts until the next."""
        for name in NODES[:WILD]:
            self.town.houses[name].skew = self.seeded.choice((73, -3)) * _YEAR
        await asyncio.sleep(self.seeded.uniform(1, 6))
        for name in NODES[:WILD]:
            self.town.houses[name].skew = self.town.band.skew(name)


def _copy(house: House) -> Any:
    """The disk as an image of the machine would have it."""
    old = house.platter
    new = type(old)(old.seeded)
    new.pairs = {name: dict(pairs) for name, pairs in old.pairs.items()}
    new.keys = {name: list(keys) for name, keys in old.keys.items()}
    new.files = {name: bytearray(data) for name, data in old.files.items()}
    return new
