"""A process that was killed may have left something on its way: its successor opens above it (C-04, P6)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from eata_ledger.proof.group import Group, GroupHeader, GroupKind
from eata_ledger.wire import group_to_bytes
from eata_node.engine.interface import Appended
from eata_node.server import Proxy, Setup

from tests.load import build
from tests.mesh import Mesh, People

NAME = "tokyo"


def opening(proxy: Proxy) -> Callable[[], Awaitable[Appended]]:
    """Sends what a process of this node would, had it just started; nothing is sent yet."""
    node, key = proxy.node, proxy.node.proposer._key
    state = node.replica.nodes[key.id]
    header = GroupHeader(
        1, node.replica.genesis.ledger, node.replica.state.era, GroupKind.OPEN, key.id, state.incarnation + 1, 0,
        state.lanes[0].n + 1, state.lanes[0].hash, state.clock + 1, 0, node.replica.knows, None, (),
    )  # fmt: skip
    data = group_to_bytes(Group(header, header.to_bytes(), header.sign(key)), ())
    return lambda: node.engine.append(key.id, 0, header.n, data)


@pytest.mark.parametrize("before", ["lanes", "append"])
async def test_an_opening_that_was_still_on_its_way_is_opened_above(before: str, mesh: tuple[Mesh, People]) -> None:
    """It lands between catching up and reading the lanes, or between that and the new opening."""
    house, people = mesh
    await house.proxies.pop(NAME).stop()
    proxy = Proxy(Setup(NAME, house.home / "nodes" / NAME, house.genesis, house.cluster))
    known, late = proxy.node.replica.nodes[proxy.node.proposer._key.id].incarnation, opening(proxy)
    asked = getattr(proxy.node.engine, before)

    async def after_the_late_one(*given: Any) -> Any:
        setattr(proxy.node.engine, before, asked)
        assert (await late()).done
        return await asked(*given)

    setattr(proxy.node.engine, before, after_the_late_one)
    house.proxies[NAME] = proxy
    await proxy.start()
    await house.ready(NAME)
    assert proxy.node.proposer.incarnation == known + 2
    async with people.transport(prefer=[NAME]) as transport:
        load = await build(people, 1)
        await load.send(transport, load.entries[0])
        assert transport.last_node == NAME
