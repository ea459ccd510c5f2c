"""Six nodes of mixed versions: later rules come into force for all at one position, and a build without them stops there."""

from pathlib import Path

import pytest
from eata_clients.authoring import rooting
from eata_clients.errors import EataError
from eata_clients.registry import fetch
from eata_clients.submitting import submit
from eata_clients.transport import Transport, now
from eata_clients.vault import read_key
from eata_ledger.proof.bodies import ActivateRules
from eata_ledger.proof.keys import SigningKey

from tests.load import build
from tests.mesh import Mesh, People

OLD, NEW = 3, 4


async def activate(house: Mesh, transport: Transport) -> None:
    root = SigningKey(read_key(house.home / "offices" / "icc" / "root.key"))
    entry = rooting.propose(house.genesis.ledger, root, ActivateRules(NEW), now())
    await submit(transport, (await fetch(transport)).charter, entry)


async def test_rules_are_activated_once_the_last_node_has_been_updated(tmp_path: Path) -> None:
    """Traffic goes on all the while. Too early is refused; a build taken back stops, and goes on once it is updated."""
    house = Mesh(tmp_path / "home", rules=OLD)
    people = await house.start(known={"tokyo": OLD, "mumbai": OLD})
    try:
        async with people.transport() as transport:
            await (await build(people, 20)).run(people, 4)
            await updated(house, "mumbai", NEW)
            with pytest.raises(EataError, match="RULES_NOT_ANNOUNCED"):
                await activate(house, transport)
            await (await build(people, 20)).run(people, 4)
            await updated(house, "tokyo", NEW)
            await activate(house, transport)
            await (await build(people, 20)).run(people, 4)
        await house.settled()
        assert {proxy.node.replica.rules for proxy in house.proxies.values()} == {NEW}
        assert len({proxy.node.replica.root for proxy in house.proxies.values()}) == 1
        await taken_back(house, people, "tokyo")
        await updated(house, "tokyo", NEW)
        await house.settled()
        assert len({proxy.node.replica.root for proxy in house.proxies.values()}) == 1
    finally:
        await house.stop()


async def updated(house: Mesh, name: str, rules: int) -> None:
    """Stopped, and started as a build that knows these rules."""
    await house.proxies.pop(name).stop()
    await house.start_proxy(name, rules)
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
