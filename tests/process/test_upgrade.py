"""Six nodes of mixed versions: later rules come into force for all at one position, and a build without them stops there.

The later rules are made up (`tests/later.py`): there are none yet.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from eata_clients.authoring import rooting
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.issuer.client import read_party
from eata_clients.net.errors import EataError
from eata_clients.net.submitting import submit
from eata_clients.net.transport import Transport, now
from eata_clients.trust.registry_pages import fetch
from eata_host.vault import read_key
from eata_ledger.log.bodies import ActivateRules
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey

from tests.later import LATER, Mark, later_rules
from tests.load import build
from tests.mesh import Mesh, People
from tests.process.test_bootstrap import compacted, lost

OLD = 1


@pytest.fixture(autouse=True)
def _both_builds() -> Iterator[None]:
    with later_rules():
        yield


def new_build(house: Mesh) -> dict[str, int]:
    """Every node of a build that knows the later rules."""
    return {node.name: LATER for node in house.cluster.nodes}


async def activate(house: Mesh, transport: Transport) -> None:
    root = SigningKey(read_key(house.home / "offices" / "icc" / "root.key"))
    entry = rooting.propose(house.genesis.ledger, root, ActivateRules(LATER), now())
    await submit(transport, (await fetch(transport)).charter, entry)


async def mark(house: Mesh, people: People) -> Entry:
    """An entry that only the later rules take, on a carnet issued for it."""
    party = read_party(house.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    issued = await people.issue(people.order())
    return make(house.genesis.ledger, Mark(issued.carnet_id), Stamp(now()), (party.sign,))


async def test_rules_are_activated_once_the_last_node_has_been_updated(tmp_path: Path) -> None:
    """Traffic goes on all the while. Too early is refused; a build taken back stops, and goes on once it is updated."""
    house = Mesh(tmp_path / "home")
    people = await house.start(known=new_build(house) | {"tokyo": OLD, "mumbai": OLD})
    try:
        async with people.transport() as transport:
            await (await build(people, 20)).run(people, 4)
            await updated(house, "mumbai")
            with pytest.raises(EataError, match="RULES_NOT_ANNOUNCED"):
                await activate(house, transport)
            marked = await mark(house, people)
            with pytest.raises(EataError, match="ENTRY_MALFORMED"):
                await submit(transport, house.genesis.charter, marked)
            await (await build(people, 20)).run(people, 4)
            await updated(house, "tokyo")
            await activate(house, transport)
            await submit(transport, house.genesis.charter, marked)
            await (await build(people, 20)).run(people, 4)
        await house.settled()
        assert {proxy.node.replica.rules for proxy in house.proxies.values()} == {LATER}
        assert len({proxy.node.replica.root for proxy in house.proxies.values()}) == 1
        await taken_back(house, people, "tokyo")
        await updated(house, "tokyo")
        assert len({proxy.node.replica.root for proxy in house.proxies.values()}) == 1
    finally:
        await house.stop()


async def test_an_older_build_that_fetches_from_its_peers_stops_at_rules_it_does_not_know(tmp_path: Path) -> None:
    """The log no longer has what brought them: its peers' entries say so, and it asks to be updated in place of waiting."""
    house = Mesh(tmp_path / "home")
    people = await house.start(known=new_build(house))
    try:
        async with people.transport() as transport:
            await activate(house, transport)
        await (await build(people, 60)).run(people, 4)
        await compacted(house)
        await lost(house, "tokyo")
        proxy = await house.start_proxy("tokyo", OLD)
        async with asyncio.timeout(30):
            while not proxy.node.replica.halted:
                await proxy.node.replica.reach(proxy.node.replica.position + 1, 0.1)
        assert "update it" in proxy.node.replica.halted
        assert proxy.node.replica.state.size == 0, "it stands nowhere yet"
        await updated(house, "tokyo")
        assert len({proxy.node.replica.root for proxy in house.proxies.values()}) == 1
    finally:
        await house.stop()


async def updated(house: Mesh, name: str) -> None:
    """Stopped, and started as a build that knows the later rules."""
    await house.proxies.pop(name).stop()
    await house.start_proxy(name, LATER)
    await house.ready(name)
    await house.settled()


async def taken_back(house: Mesh, people: People, name: str) -> None:
    """An older build refuses to go on under rules it does not know; the other five do not need it."""
    await house.proxies.pop(name).stop()
    proxy = await house.start_proxy(name, OLD)
    await (await build(people, 10)).run(people, 4)
    while not proxy.node.replica.halted:
        await proxy.node.replica.reach(proxy.node.replica.position + 1, 0.1)
    assert "update it" in proxy.node.replica.halted
