"""One seed: a town, its people, its troubles, and what became of the promises."""

import asyncio
import contextlib
import hashlib
import os
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest import mock

import structlog

from tests.simulation.loop import Loop
from tests.simulation.people import everybody
from tests.simulation.promises import Broken
from tests.simulation.story import Story, story
from tests.simulation.town import Town
from tests.simulation.troubles import WILD, Troubles
from tests.world import NODES

_STRIKING_SECONDS, _MENDED_SECONDS = 12.0, 240.0
LEAST_TRAFFIC = 40
R = TypeVar("R")


@dataclass(frozen=True)
class Report:
    """What happened under one seed; `violation` is empty where every promise held."""

    seed: int
    violation: str
    seconds: float  # simulated
    seen: Counter[str]
    struck: Counter[str]
    trace: str


def simulate(seed: int) -> Report:
    """Plays one seed, with up to two lying nodes. Even seeds run on the model of a quorum log, odd ones on the shipped core."""
    told, seeded = story(), random.Random(seed)
    return in_no_time(lambda: _played(seed, told, seeded), seeded)


def in_no_time(work: Callable[[], Coroutine[Any, Any, R]], seeded: random.Random) -> R:
    """Runs `work` on a loop of its own, in simulated time; what it has left running ends with it."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    loop = Loop()
    with mock.patch.object(os, "urandom", seeded.randbytes), contextlib.closing(loop):
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(_alone(work()))
        finally:
            asyncio.set_event_loop(None)


async def _alone(work: Coroutine[Any, Any, R]) -> R:
    try:
        return await work
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _played(seed: int, told: Story, seeded: random.Random) -> Report:
    liars = seeded.sample(NODES[:WILD], seeded.choice((0, 1, 2, 2)))
    town = Town(told, seeded, seed % 2 == 0, liars)
    troubles, violation = Troubles(town, random.Random(seed + 1)), ""
    try:
        await _story(town, troubles, seeded)
    except Broken as broken:
        violation = str(broken)
    except Exception as error:
        violation = f"{type(error).__name__}: {error}"
    finally:
        town.kill_all()
    trace = hashlib.sha256("\n".join(town.promises.trace).encode()).hexdigest()
    return Report(seed, violation, asyncio.get_running_loop().time(), town.promises.seen, troubles.struck, trace)


async def _story(town: Town, troubles: Troubles, seeded: random.Random) -> None:
    town.start_all()
    striking = town.watch(troubles.run())
    people = asyncio.ensure_future(everybody(town, seeded))
    await asyncio.wait({people, town.broken}, timeout=_STRIKING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    striking.cancel()
    await troubles.end()
    await asyncio.wait({people, town.broken}, timeout=_MENDED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if town.broken.done():
        people.cancel()
        town.broken.result()
    if not people.done():
        people.cancel()
        raise Broken("writes did not go on after everything was mended")
    people.result()
    await _settled(town)
    town.promises.at_the_end({name: house.node for name, house in town.houses.items() if house.node is not None})
    if town.promises.seen["acknowledged"] < LEAST_TRAFFIC:
        raise Broken("too little traffic to prove anything")


async def _settled(town: Town) -> None:
    """Until all honest nodes stand at one position and none is halted."""
    async with asyncio.timeout(_MENDED_SECONDS):
        while True:
            await asyncio.sleep(0.5)
            honest = [house for name, house in town.houses.items() if name not in town.promises.liars]
            nodes = [house.node for house in honest if house.process.alive]
            if town.broken.done():
                town.broken.result()
            at = {node.replica.position for node in nodes if node is not None and not node.replica.halted}
            whole = all(node is not None and not node.replica.halted for node in nodes)
            if len(nodes) == len(honest) and whole and len(at) == 1:
                return
