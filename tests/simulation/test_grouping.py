"""What is on its way together is logged together: every group costs every replica a signature, a write and a wake-up."""

import asyncio
import itertools
import random

from eata_ledger.wire import entry_to_proto, frame_of, group_from_bytes

from tests.simulation.run import in_no_time
from tests.simulation.story import story
from tests.simulation.town import Town

_TURNS_APART = 3  # of the loop, between two entries: a call is read, judged, and proposed
_STARTED = 5.0  # simulated seconds


async def _logged(many: int, seeded: random.Random) -> list[int]:
    """How many of the entries each group of the log has, after `many` came one behind the other."""
    told = story()
    entries = list(itertools.islice(itertools.chain(told.registry, *told.carnets), many))
    assert len(entries) == many, "the story is long enough"
    town = Town(told, seeded, quorum=True)
    town.start_all()
    await asyncio.sleep(_STARTED)
    node = town.houses["frankfurt"].node
    assert node is not None, "it is up"

    async def call(number: int) -> None:
        for _ in range(number * _TURNS_APART):
            await asyncio.sleep(0)
        message = entry_to_proto(entries[number])
        await node.proposer.propose(message, frame_of(message))

    await asyncio.gather(*(call(number) for number in range(many)))
    town.kill_all()
    assert town.quorum is not None, "it is asked for"
    ours = {entry.frame_hash for entry in entries}  # a node ticks, too
    sizes = [len(ours & set(group_from_bytes(group).frames)) for group in town.quorum.groups[1:]]
    return [size for size in sizes if size]


def test_what_the_loop_brings_one_by_one_leaves_in_one_group(seeded: random.Random) -> None:
    assert in_no_time(lambda: _logged(24, seeded), seeded) == [24]


def test_a_lone_entry_leaves_by_itself(seeded: random.Random) -> None:
    assert in_no_time(lambda: _logged(1, seeded), seeded) == [1]
