"""Random journeys by random clients through random proxies that restart meanwhile: six replicas end as one."""

import random
from contextlib import AsyncExitStack
from hashlib import sha256

import pytest
from eata_node.replica.store import FACTS, Store

from tests.crowd import Crowd
from tests.mesh import Mesh, People

STEPS, RESTART_EVERY = 70, 14


def facts_of(store: Store) -> str:
    """SHA-256 over every fact, in key order."""
    digest = sha256()
    for key, value in store.everything(FACTS):
        digest.update(len(key).to_bytes(4, "big") + key + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


@pytest.mark.rule("PRX-02")
async def test_facts_are_equal_on_six_replicas_after_random_journeys_with_restarts(
    mesh: tuple[Mesh, People], seeded: random.Random
) -> None:
    house, people = mesh
    async with AsyncExitStack() as stack:
        crowd = Crowd(house, people, stack, seeded)
        for _ in range(2):
            await crowd.issue()
        for n in range(STEPS):
            if n % RESTART_EVERY == RESTART_EVERY - 1:
                name = seeded.choice(sorted(house.proxies))
                await house.proxies.pop(name).stop()
                await crowd.step()
                await house.start_proxy(name)
            await crowd.step()
    await house.settled()
    stores = [proxy.node.replica.store for proxy in house.proxies.values()]
    sizes, roots = ({p.node.replica.state.size for p in house.proxies.values()},
                    {p.node.replica.root for p in house.proxies.values()})  # fmt: skip
    assert (len(stores), len(sizes), len(roots)) == (6, 1, 1)
    assert len({facts_of(store) for store in stores}) == 1
    accepted = sum(count for act, count in crowd.outcomes.items() if act.islower())
    assert accepted >= STEPS // 3, crowd.outcomes  # too little traffic proves nothing
