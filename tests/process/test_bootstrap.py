"""A replica whose next group the log no longer has starts from its peers, and believes none of them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from eata_ledger.log.leaf import Leaf
from eata_node.ground.rocks import u64
from eata_node.recovery import bootstrap
from eata_node.recovery.compaction import low_waters
from eata_node.recovery.fetching import Tree
from eata_node.replica import landmarks
from eata_node.replica.landmarks import EVERY, Vouched
from eata_node.replica.replica import Divergence, Replica
from eata_node.replica.store import ENTRIES, Store

from tests.load import build
from tests.mesh import Mesh, People

COMMITS = 60


async def compacted(house: Mesh) -> int:
    """Until the core has forgotten the beginning; the position it begins at."""
    async with asyncio.timeout(60):
        while not house.core._store.first:
            [one, *_] = house.proxies.values()
            await one.node.replica.reach(one.node.replica.position + 1, 0.2)
    return house.core._store.first


async def stopped(house: Mesh, name: str) -> None:
    await house.proxies.pop(name).stop()


async def lost(house: Mesh, name: str) -> None:
    """It is stopped, and its store is gone."""
    await stopped(house, name)
    shutil.rmtree(house.home / "nodes" / name / "store")


def state_of(house: Mesh, name: str) -> tuple[int, bytes, bytes]:
    replica = house.proxies[name].node.replica
    return replica.state.size, replica.root, replica.state.to_bytes()


async def test_a_lost_store_is_built_from_peers_and_follows_from_a_signed_landmark(mesh: tuple[Mesh, People]) -> None:
    """Its log's beginning is gone: entries come from a peer, each is applied here, and four have signed where it stands."""
    house, people = mesh
    await (await build(people, COMMITS)).run(people, 4)
    first = await compacted(house)
    assert first % EVERY == 0
    await lost(house, "tokyo")
    await house.start_proxy("tokyo")
    await house.ready("tokyo")
    replica = house.proxies["tokyo"].node.replica
    assert replica.store.anchor()[0] >= first
    assert replica.store.group(1) is None
    more = await build(people, 5)
    await more.run(people, 2)
    await house.settled()
    assert len({state_of(house, name) for name in house.proxies}) == 1
    assert more.acknowledged
    async with asyncio.timeout(20):
        while replica.cosigning.newest_final < replica.store.anchor()[1]:
            await replica.reach(replica.position + 1, 0.5)
    assert not any(proxy.node.replica.cosigning.excluded for proxy in house.proxies.values())


async def test_a_replica_left_behind_takes_only_what_it_lacks(mesh: tuple[Mesh, People]) -> None:
    house, people = mesh
    await house.settled()
    await stopped(house, "mumbai")
    await (await build(people, COMMITS)).run(people, 4)
    behind = Store.open(house.home / "nodes" / "mumbai")
    state = behind.log_state()
    assert state is not None
    behind.close()
    newest = min(proxy.node.replica.landmarks()[-1].landmark.position for proxy in house.proxies.values())
    await house.proxies["tokyo"].node.engine.compact(newest)
    fetched: list[int] = []
    await house.start_proxy("mumbai")
    node = house.proxies["mumbai"].node
    replica, fetching = node.replica, node.bootstrap.fetching
    take = fetching.take_entries

    def counted(entries: Any, tree: Tree, proof: Any) -> None:
        fetched.append(len(entries))
        take(entries, tree, proof)

    vars(fetching)["take_entries"] = counted
    await house.ready("mumbai")
    await house.settled()
    assert 0 < sum(fetched) <= replica.state.size - state[0].size
    assert len({state_of(house, name) for name in house.proxies}) == 1
    older = house.proxies["tokyo"].node.replica.landmarks()[0]
    assert older.landmark.size < replica.fetched
    assert not node.bootstrap._ahead(older), "the peers of the newer one may be away: facts of more entries are here"
    with pytest.raises(Divergence):
        fetching.stand_at(older, house.genesis.charter)


def other_facts(leaf: bytes) -> bytes:
    """A leaf that its entry does not give."""
    return leaf[:-1] + bytes([leaf[-1] ^ 1])


def other_time(leaf: bytes) -> bytes:
    """A leaf that its entry gives, and no tree that anybody has signed has it."""
    read = Leaf.from_bytes(leaf)
    return replace(read, log_time=read.log_time + 1).to_bytes()


@pytest.mark.parametrize("altered", [other_facts, other_time])
async def test_a_peer_that_alters_an_entry_is_not_believed(
    mesh: tuple[Mesh, People], altered: Callable[[bytes], bytes]
) -> None:
    """The next peer is asked; nothing of it stays."""
    house, people = mesh
    await (await build(people, COMMITS)).run(people, 4)
    await compacted(house)
    await house.settled()
    for name in ("frankfurt", "virginia"):
        store = house.proxies[name].node.store
        stored = store.entry(40)
        assert stored is not None
        store.put(ENTRIES, u64(40), replace(stored, leaf=altered(stored.leaf)).to_bytes())
        store.commit()
    await lost(house, "tokyo")
    await house.start_proxy("tokyo")
    await house.ready("tokyo")
    await house.settled()
    assert state_of(house, "tokyo") == state_of(house, "mumbai")


async def test_three_peers_are_not_enough_to_start_from(
    mesh: tuple[Mesh, People], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landmarks that only three have signed are nobody's truth: the replica waits, and serves nothing."""
    house, people = mesh
    await (await build(people, COMMITS)).run(people, 4)
    await compacted(house)
    await lost(house, "tokyo")
    own = bootstrap.own

    def few(replica: Any, told: Any, key: Any) -> Any:
        shown = own(replica, told, key)
        for one in shown:
            kept = [
                s
                for s in one.signatures
                if replica.charter.by_kid[s.signer].name in ("mumbai", "virginia", "frankfurt")
            ]
            del one.signatures[:]
            one.signatures.extend(kept)
        return shown

    monkeypatch.setattr(bootstrap, "own", few)
    await house.start_proxy("tokyo")
    replica = house.proxies["tokyo"].node.replica
    assert not await replica.reach(1, 3)
    assert (replica.position, house.proxies["tokyo"].node.submitting, replica.halted) == (-1, None, "")
    monkeypatch.undo()
    await house.ready("tokyo")


async def test_four_lost_stores_are_built_anew_though_the_other_two_went_on_for_long(
    mesh: tuple[Mesh, People], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sign no landmark that counts: the newest that four have signed must outlive all those that came after it."""
    house, people = mesh
    monkeypatch.setattr(landmarks, "KEPT", 2)
    await (await build(people, COMMITS)).run(people, 4)
    await compacted(house)
    four = ("frankfurt", "virginia", "tokyo", "sao-paulo")
    for name in four:
        await lost(house, name)
    replica = house.proxies["mumbai"].node.replica
    before = replica.position
    while replica.position < before + 4 * EVERY:  # twice what is kept
        await (await build(people, COMMITS)).run(people, 2)
    charter = replica.charter
    assert all(one.signers(charter) < charter.enough for one in replica.landmarks()[1:])
    for name in four:
        await house.start_proxy(name)
    for name in four:
        await house.ready(name)
    await house.settled()
    assert len({state_of(house, name) for name in house.proxies}) == 1


@pytest.mark.parametrize("empty", [True, False])
async def test_what_was_begun_is_ended_though_those_who_signed_it_are_gone(
    mesh: tuple[Mesh, People], monkeypatch: pytest.MonkeyPatch, empty: bool
) -> None:
    """A landmark chosen once is kept with its signatures: it needs one peer's entries from then on, and nobody's word.

    By a replica that has nothing, and by one that was left behind with older landmarks of its own.
    """
    house, people = mesh
    await (await build(people, COMMITS)).run(people, 4)
    if empty:
        await compacted(house)
        await lost(house, "tokyo")
    else:
        assert house.proxies["tokyo"].node.replica.landmarks()
        await stopped(house, "tokyo")
        await (await build(people, COMMITS)).run(people, 4)
        newest = min(proxy.node.replica.landmarks()[-1].landmark.position for proxy in house.proxies.values())
        node = house.proxies["mumbai"].node
        async with asyncio.timeout(60):
            while not await node.bootstrap.held([newest]):
                await node.replica.reach(node.replica.position + 1, 0.2)
        await node.engine.compact(newest)
    told, entries = asyncio.Event(), asyncio.Event()
    fetch = bootstrap.Bootstrap._fetch

    async def held_up(self: Any, tree: Tree) -> None:
        told.set()
        await entries.wait()
        await fetch(self, tree)

    monkeypatch.setattr(bootstrap.Bootstrap, "_fetch", held_up)
    await house.start_proxy("tokyo")
    await told.wait()
    await stopped(house, "tokyo")  # it has chosen, and starts again where nobody tells it anything
    monkeypatch.setattr(bootstrap, "own", lambda *_: [])
    entries.set()
    await house.start_proxy("tokyo")
    await house.ready("tokyo")
    await house.settled()
    assert len({state_of(house, name) for name in house.proxies}) == 1


async def test_a_peer_that_says_nothing_more_is_left_for_the_next(
    mesh: tuple[Mesh, People], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, people = mesh
    await (await build(people, COMMITS)).run(people, 4)
    await compacted(house)
    await lost(house, "tokyo")
    asked: list[str] = []
    begin = bootstrap.Bootstrap.__init__

    def with_two_silent(self: bootstrap.Bootstrap, replica: Replica, peers: Any) -> None:
        begin(self, replica, peers)
        for name in ("frankfurt", "virginia"):
            self._peers[name] = Silent(self._peers[name], lambda name=name: asked.append(name))  # type: ignore[misc, assignment]

    monkeypatch.setattr(bootstrap.Bootstrap, "__init__", with_two_silent)
    monkeypatch.setattr(bootstrap, "_PEER_SECONDS", 0.5)
    await house.start_proxy("tokyo")
    await house.ready("tokyo")
    await house.settled()
    assert asked[:2] == ["frankfurt", "virginia"]
    assert len({state_of(house, name) for name in house.proxies}) == 1


class Silent:
    """A peer whose entries stop coming after the third; nothing is closed."""

    def __init__(self, stub: Any, asked: Callable[[], None]) -> None:
        self._stub, self._asked = stub, asked
        self.Landmarks = stub.Landmarks

    async def Entries(self, request: Any) -> AsyncIterator[Any]:  # noqa: N802
        self._asked()
        left = 3
        async for entry in self._stub.Entries(request):
            if not left:
                await asyncio.Event().wait()
            left -= 1
            yield entry


async def test_the_log_is_compacted_no_further_than_four_can_show_what_was_signed(
    mesh: tuple[Mesh, People], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest landmark that has four signatures here may not be known to three others with theirs: then an older one."""
    house, people = mesh
    await (await build(people, COMMITS)).run(people, 4)
    node = house.proxies["mumbai"].node
    async with asyncio.timeout(60):
        while (
            not (positions := list(low_waters(node.replica, 1.0)))[1:]
            or await node.bootstrap.held(positions) != positions[0]
        ):
            await node.replica.reach(node.replica.position + 1, 0.2)
    own = bootstrap.own

    def without_newest(replica: Any, told: range, key: Any) -> Any:
        kept = own(replica, told, key)
        return [one for one in kept if Vouched(one.landmark, {}).landmark.position != positions[0]]

    monkeypatch.setattr(bootstrap, "own", without_newest)
    assert await node.bootstrap.held(positions) in positions[1:]
    assert await node.bootstrap.held(positions[:1]) == 0
