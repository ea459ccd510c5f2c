"""A process that was killed may have left something on its way: its successor opens above it (C-04, P6)."""

from typing import Any

import pytest
from eata_ledger.log.group import Group, GroupHeader, GroupKind
from eata_ledger.wire import group_from_bytes, group_to_bytes
from eata_node.process.server import Proxy, Setup

from tests.load import build
from tests.mesh import Mesh, People

NAME = "tokyo"


async def opening(proxy: Proxy) -> tuple[int, bytes]:
    """What a process of this node would send, had it just started: (n, group) of lane 0."""
    node, key = proxy.node, proxy.node.proposer._key
    n, newest = (await node.engine.lanes(key.id))[0]
    there = group_from_bytes(newest).group
    header = GroupHeader(
        1, node.replica.genesis.ledger, there.header.era, GroupKind.OPEN, key.id, there.header.incarnation + 1, 0,
        n + 1, there.hash, there.header.clock + 1, False, 0, node.replica.knows, None, (),
    )  # fmt: skip
    return header.n, group_to_bytes(Group(header, header.to_bytes(), header.sign(key)), ())


@pytest.mark.parametrize("before", ["lanes", "append"])
async def test_an_opening_that_was_still_on_its_way_is_opened_above(before: str, mesh: tuple[Mesh, People]) -> None:
    """It lands as the lanes are read, or once they have been read and the new opening is to be sent."""
    house, people = mesh
    await house.proxies.pop(NAME).stop()
    proxy = Proxy(Setup(NAME, house.home / "nodes" / NAME, house.genesis, house.cluster))
    node = proxy.node.proposer._key.id
    known, late = proxy.node.replica.nodes[node].incarnation, await opening(proxy)
    asked = getattr(proxy.node.engine, before)

    async def after_the_late_one(*given: Any) -> Any:
        setattr(proxy.node.engine, before, asked)
        assert (await proxy.node.engine.append(node, 0, *late)).done
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
