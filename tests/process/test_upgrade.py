"""Six nodes of mixed versions: later rules come into force for all at one position, and a build without them stops there."""

import asyncio
from pathlib import Path

import pytest
from eata_clients.authoring import issuing, rooting
from eata_clients.authoring.content import Stamp
from eata_clients.errors import EataError
from eata_clients.issuer import read_party
from eata_clients.registry import fetch
from eata_clients.streaming import submit_many
from eata_clients.submitting import Committed, submit
from eata_clients.transport import Transport, now
from eata_clients.vault import read_key
from eata_ledger.proof.batch import BatchSignature, signed_together
from eata_ledger.proof.bodies import ActivateRules
from eata_ledger.proof.entry import Entry
from eata_ledger.proof.keys import SigningKey, verify
from eata_node import verified

from tests.load import build
from tests.mesh import Mesh, People
from tests.process.test_bootstrap import compacted, lost

OLD, NEW = 3, 4


async def activate(house: Mesh, transport: Transport) -> None:
    root = SigningKey(read_key(house.home / "offices" / "icc" / "root.key"))
    entry = rooting.propose(house.genesis.ledger, root, ActivateRules(NEW), now())
    await submit(transport, (await fetch(transport)).charter, entry)


async def batch_of(house: Mesh, people: People, transport: Transport, count: int) -> list[Entry]:
    """Issues under one signature."""
    party, ledger = read_party(house.home / "offices" / "CH-ALLIANCE" / "party.cbor"), house.genesis.ledger
    done = await submit(
        transport, (await fetch(transport)).charter, issuing.reserve(ledger, party, count, Stamp(now()))
    )
    assert isinstance(done.facts, list)
    [_, first, last] = done.facts
    assert isinstance(first, int)
    assert isinstance(last, int)
    entries = [
        issuing.issue(ledger, party, people.order(), n, first, Stamp(now())).entry for n in range(first, last + 1)
    ]
    return signed_together(entries, party.sign)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every signature that a replica checks from here on."""
    checked: list[bytes] = []

    def check(public: bytes, signature: bytes, message: bytes) -> bool:
        checked.append(signature)
        return verify(public, signature, message)

    monkeypatch.setattr(verified, "verify", check)
    return checked


async def test_rules_are_activated_once_the_last_node_has_been_updated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traffic goes on all the while. Too early is refused; a build taken back stops, and goes on once it is updated."""
    house = Mesh(tmp_path / "home", rules=OLD)
    people = await house.start(known={"tokyo": OLD, "mumbai": OLD})
    try:
        async with people.transport() as transport:
            await (await build(people, 20)).run(people, 4)
            await updated(house, "mumbai", NEW)
            with pytest.raises(EataError, match="RULES_NOT_ANNOUNCED"):
                await activate(house, transport)
            together = await batch_of(house, people, transport, 8)
            early = [answer async for _, answer in submit_many(transport, house.genesis.charter, together)]
            assert [isinstance(one, EataError) and one.code for one in early] == ["ENTRY_MALFORMED"] * 8
            await (await build(people, 20)).run(people, 4)
            await updated(house, "tokyo", NEW)
            await activate(house, transport)
            checked = counting(monkeypatch)
            now_good = [answer async for _, answer in submit_many(transport, house.genesis.charter, together)]
            assert all(isinstance(one, Committed) for one in now_good)
            await house.settled()
            shared = BatchSignature.from_bytes(together[0].signatures[0].value).signature
            assert checked.count(shared) == 6, "each replica checks what eight entries share once"
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


async def test_an_older_build_that_fetches_from_its_peers_stops_at_rules_it_does_not_know(tmp_path: Path) -> None:
    """The log no longer has what brought them: its peers' entries say so, and it asks to be updated in place of waiting."""
    house = Mesh(tmp_path / "home", rules=OLD)
    people = await house.start()
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
        await updated(house, "tokyo", NEW)
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
