"""One contract, two engines: what a replica may rely on, tried on the embedded core and on three real etcd members."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from eata_ledger.log.opening import first_era
from eata_node.engine.interface import MustBootstrap

from tests.engines import EmbeddedRig, EtcdRig, Lane, Rig, read
from tests.world import World


@pytest_asyncio.fixture(params=["embedded", "etcd"])
async def rig(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> AsyncIterator[Rig]:
    kind = EtcdRig if request.param == "etcd" else EmbeddedRig
    made = kind(world, tmp_path, first_era(world.genesis, (world.root,)))
    await made.start()
    yield made
    await made.stop()


async def test_positions_are_counted_from_the_opening_and_read_back_in_order(rig: Rig) -> None:
    engine = rig.client(0)
    lane = Lane(rig.world, engine, 0)
    assert [await lane.append() for _ in range(5)] == [1, 2, 3, 4, 5]
    found = await read(rig.client(1), 0, 5)
    assert [placed.position for placed in found] == [0, 1, 2, 3, 4, 5]
    assert found[0].group == rig.opening
    assert await read(rig.client(2), 3, 5) == found[3:]
    head = await engine.head()
    assert (head.position, head.era, head.state) == (5, 1, "LIVE")


async def test_the_same_bytes_again_have_their_first_place(rig: Rig) -> None:
    engine = rig.client(0)
    lane = Lane(rig.world, engine, 0)
    data = lane.next()
    answers = [await engine.append(lane.id, 0, 1, data) for _ in range(3)]
    assert [(a.done, a.position) for a in answers] == [(True, 1)] * 3
    assert (await engine.head()).position == 1


async def test_a_lane_takes_only_its_next_group_and_says_what_is_there(rig: Rig) -> None:
    engine = rig.client(0)
    lane = Lane(rig.world, engine, 0)
    await lane.append()
    there = lane.next()
    assert (await engine.append(lane.id, 0, 2, there)).done
    other = lane.next(padding=1)  # another group 2: a late packet of an old process
    answer = await engine.append(lane.id, 0, 2, other)
    assert (answer.done, answer.lane_n, answer.lane_group) == (False, 2, there)
    lane.n = 3
    skipped = await engine.append(lane.id, 0, 4, lane.next())
    assert (skipped.done, skipped.lane_n) == (False, 2)
    assert (await engine.lanes(lane.id))[0] == (2, there)
    assert (await engine.head()).position == 2


async def test_lanes_do_not_wait_for_each_other_and_share_one_order(rig: Rig) -> None:
    lanes = [Lane(rig.world, rig.client(node), node, lane) for node in range(3) for lane in range(2)]

    async def fill(lane: Lane) -> list[int]:
        return [await lane.append() for _ in range(20)]

    places = await asyncio.gather(*(fill(lane) for lane in lanes))
    assert all(own == sorted(own) for own in places)
    assert sorted(position for own in places for position in own) == list(range(1, 121))
    found = await read(rig.client(3), 1, 120)
    assert len({placed.group for placed in found}) == 120


async def test_nothing_acknowledged_is_lost_or_moved_when_the_leader_goes(rig: Rig, seeded: random.Random) -> None:
    """Four strikes under traffic: every acknowledged group is at its position afterwards, once."""
    lanes = [Lane(rig.world, rig.client(node), node) for node in range(4)]
    acknowledged: dict[int, bytes] = {}
    stop, grown = asyncio.Event(), asyncio.Event()

    async def write(lane: Lane) -> None:
        while not stop.is_set():
            data = lane.next()
            answer = await lane.engine.append(lane.id, 0, lane.n + 1, data)
            assert answer.done
            assert acknowledged.setdefault(answer.position, data) == data
            lane.took()
            grown.set()

    writers = [asyncio.create_task(write(lane)) for lane in lanes]
    for _ in range(4):
        wanted = len(acknowledged) + seeded.randrange(20, 60)
        async with asyncio.timeout(60):
            while len(acknowledged) < wanted:
                await grown.wait()
                grown.clear()
        await rig.strike()
    stop.set()
    await asyncio.gather(*writers)
    assert len(acknowledged) > 80, "too little traffic"
    top = (await rig.client(0).head()).position
    found = {placed.position: placed.group for placed in await read(rig.client(5), 0, top)}
    assert sorted(found) == list(range(top + 1))
    assert {position: found[position] for position in acknowledged} == acknowledged


async def test_what_is_compacted_is_gone_and_everything_else_goes_on(rig: Rig) -> None:
    """The position compacted to is still there, also after a strike; whoever needs more must bootstrap."""
    engine = rig.client(0)
    lanes = [Lane(rig.world, engine, 0, lane) for lane in range(2)]
    for _ in range(20):
        for lane in lanes:
            await lane.append()
    whole = await read(engine, 0, 40)
    await engine.compact(25)
    await engine.compact(25)
    await engine.compact(10)
    await rig.strike()
    assert await read(rig.client(1), 25, 40) == whole[25:]
    for low in (0, 1, 24):
        with pytest.raises(MustBootstrap):
            await read(rig.client(1), low, 40)
    assert [await lane.append() for lane in lanes] == [41, 42]
    assert (await engine.lanes(lanes[0].id))[0][0] == 21
    await engine.compact(42)
    await rig.strike()
    assert await lanes[0].append() == 43
    await engine.make_room()
    assert 0 <= (await engine.room()).full() < 1
