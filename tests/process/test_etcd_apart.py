"""A member that its clients reach and the others do not: whoever asked it, or watches it, goes to another by itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from eata_ledger.log.opening import first_era
from eata_node.engine import etcd
from eata_node.engine.etcd import EtcdEngine
from eata_node.engine.members import Members, assign

from scripts import debian
from tests.apart import Apart, kept_apart, possible
from tests.engines import QUOTA, EtcdRig, Lane
from tests.relay import relayed
from tests.world import World

pytestmark = pytest.mark.skipif(not possible(), reason="mount namespaces take root")


@pytest_asyncio.fixture
async def rig(world: World, tmp_path: Path) -> AsyncIterator[EtcdRig]:
    debian.etcd()
    with kept_apart(Members(tmp_path, assign(3), world.ledger, QUOTA)) as members:
        made = EtcdRig(world, tmp_path, first_era(world.genesis, (world.root,)), members)
        await made.start()
        yield made
        await made.stop()


async def watch(engine: EtcdEngine, shown: "asyncio.Queue[int]") -> None:
    """Follows as a node does, however often a watch ends."""
    position = 1
    while True:
        async for placed in engine.follow(position):
            position = placed[-1].position + 1
            for one in placed:
                shown.put_nowait(one.position)


async def test_a_cut_off_leader_holds_up_neither_appends_nor_who_watches_it(rig: EtcdRig) -> None:
    """P6: it goes on answering its clients' connections, and can show and take nothing (`hasleader`)."""
    members: Apart = rig.members
    leader = await members.leader()
    first = sorted(members.members, key=lambda member: member.name != leader)
    engine, watcher = (
        EtcdEngine([member.client for member in first], rig.identity(node), rig.world.genesis, QUOTA)
        for node in (0, 1)
    )  # fmt: skip
    rig.clients += [engine, watcher]
    shown: asyncio.Queue[int] = asyncio.Queue()
    watching = asyncio.create_task(watch(watcher, shown))
    lane = Lane(rig.world, engine, 0)
    async with asyncio.timeout(30):
        assert await lane.append() == await shown.get() == 1
        members.isolate(leader)
        assert await lane.append() == await shown.get() == 2
    watching.cancel()
    assert await members.leader() != leader


async def test_a_member_that_falls_silent_holds_up_neither_appends_nor_who_watches_it(
    rig: EtcdRig, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """P6: a leader that hangs keeps its connections; others are asked before any call's own time is over."""
    for name in ("_APPEND_SECONDS", "_READ_SECONDS", "_STALLED"):
        monkeypatch.setattr(etcd, name, 600.0)
    engine, shown = rig.client(0), asyncio.Queue[int]()
    lane = Lane(rig.world, engine, 0)
    await engine.room()
    door = engine.doors.order[0]
    with relayed([door.endpoint]) as [relay]:
        async with rig.identity(0).channel(relay.address) as silent:
            door.calls = door.watching = silent
            watching = asyncio.create_task(watch(engine, shown))
            async with asyncio.timeout(30):
                assert await lane.append() == await shown.get() == 1
                relay.cut = True
                assert await lane.append() == await shown.get() == 2
            watching.cancel()


async def test_a_watch_that_shows_nothing_while_the_log_goes_on_is_left(
    rig: EtcdRig, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A member whose disk hangs answers, and says that it leads: only the head that others tell shows it."""
    monkeypatch.setattr(etcd, "_STALLED", 0.5)
    watcher, lane, shown = rig.client(1), Lane(rig.world, rig.client(0), 0), asyncio.Queue[int]()
    await watcher.room()
    door = watcher.doors.order[0]
    with relayed([door.endpoint]) as [relay]:
        async with rig.identity(1).channel(relay.address) as silent:
            door.watching = silent
            watching = asyncio.create_task(watch(watcher, shown))
            async with asyncio.timeout(30):
                assert await lane.append() == await shown.get() == 1
                relay.cut = True
                await lane.append()
                while shown.empty():
                    await watcher.head()
            assert await shown.get() == 2
            watching.cancel()


async def test_who_leads_is_asked_first_then_the_nearest(rig: EtcdRig) -> None:
    """Once measured, whatever order they were named in; one without a leader stands last."""
    members: Apart = rig.members
    engine = rig.client(0)
    leader = await members.leader()
    cut = next(member for member in members.members if member.name != leader)
    members.isolate(cut.name)
    async with asyncio.timeout(30):
        while (await engine.room()) and (await engine.doors.order[-1].status()).leader:
            pass
    assert engine.doors.order[-1].endpoint == cut.client
    assert engine.doors.order[0].endpoint == next(m.client for m in members.members if m.name == leader)
