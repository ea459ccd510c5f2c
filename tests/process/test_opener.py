"""Territory key generations and their opener: renewed, shared among members, recovered from shares, watched over."""

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from eata_clients.authoring import clearing, keeping
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import Stamp
from eata_clients.customs import territory_keys
from eata_clients.customs.territory_keys import Opened
from eata_clients.issuer.client import read_party
from eata_clients.net.errors import EataError
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_clients.opened.lists import openers
from eata_clients.trust.registry_pages import fetch
from eata_host.vault import read_key
from eata_ledger.carnet.vocabulary import Role
from eata_ledger.encoding import Malformed
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import SealingKey, keys

from tests.process.scene import ALL, Scene, refused, scene

__all__ = ["scene"]


def party(scene: Scene, code: str):  # type: ignore[no-untyped-def]
    return read_party(scene.people.home / "offices" / code / "party.cbor")


async def test_a_new_generation_reaches_every_member_and_seals_what_comes(scene: Scene) -> None:
    """The EU is many: one member makes it, each of the others fetches it with its own key, nobody else can."""
    _, _, transport = await scene.customs("DE-BER")
    registry, seed = await fetch(transport), os.urandom(32)
    made, _ = await territory_keys.new_generation(transport, registry, party(scene, "DE"), "EU", SealingKey(seed))
    registry = await fetch(transport)
    for code in ("DE", "FR"):
        found = await territory_keys.fetch_seeds(transport, registry, party(scene, code))
        assert found["EU", made.generation] == seed
        assert len(found) == 2
    assert ("EU", made.generation) not in await territory_keys.fetch_seeds(transport, registry, party(scene, "CH"))
    for slot, office in ((1, "CH-ZRH"), (2, "CH-ZRH"), (3, "DE-BER")):
        await scene.commit(slot, office)
    _, desk, there = await scene.customs("DE-BER", Role.CONTROLLER)
    old = read_key(scene.people.home / "offices" / "DE" / "territory-EU.key")
    for held, opens in ((seed, True), (old, False)):
        [found_] = await first(territory_keys.watch(there, desk, openers(held), 0), 1)
        assert (found_.why == "") is opens


async def first(stream: AsyncIterator[Opened], count: int) -> list[Opened]:
    found: list[Opened] = []
    async with aclosing(stream) as events:  # type: ignore[type-var]
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_only_a_member_makes_a_generation(scene: Scene) -> None:
    _, _, transport = await scene.customs("CH-ZRH")
    making = territory_keys.new_generation(
        transport, await fetch(transport), party(scene, "CH"), "EU", SealingKey(os.urandom(32))
    )
    assert await refused(making) == "ROLE_FORBIDDEN"


async def test_the_opener_alarms_on_a_commit_it_cannot_open_until_it_is_mended(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    customs, desk, transport = await scene.customs("CH-ZRH", Role.CONTROLLER)
    held = openers(read_key(scene.people.home / "offices" / "CH" / "territory-CH.key"))
    scanned = await customs.scan(scene.qr(1))
    monkeypatch.setattr(clearing, "wrap", lambda *_: os.urandom(1136 + len(keys().to_bytes())))
    done = await customs.commit(scanned, Decision(ALL))
    monkeypatch.undo()
    await scene.commit(2, "CH-ZRH")
    [bad, good] = await first(territory_keys.watch(transport, desk, held, 0), 2)
    assert (bad.index, bad.why != "", good.why) == (done.index, True, "")
    mine, registry = scene.wallet.holding(scene.carnet_id), await fetch(transport)
    secret = keys(content=mine.content_key, leaf=leaf_key(mine.journal(1)))
    entry = keeping.repair(
        mine.ledger, scene.carnet_id, done.index, 1, secret, registry.live(now())["CH"], mine.device, None, Stamp(now())
    )
    await submit(scene.public, registry.charter, entry)
    [mended] = await first(territory_keys.watch(transport, desk, held, 0), 1)
    assert mended.why == ""


async def test_a_lost_key_comes_back_from_any_two_of_three_shares_and_from_no_single_one(scene: Scene) -> None:
    _, _, transport = await scene.customs("CH-ZRH")
    registry = await fetch(transport)
    seed = read_key(scene.people.home / "offices" / "CH" / "territory-CH.key")
    lines = territory_keys.shares_of(seed, 2, 3)
    for chosen in itertools.permutations(lines, 2):
        found = territory_keys.seed_of(chosen)
        assert territory_keys.generation_of(registry, found).territory == "CH"
    for bad in ([lines[0]], [lines[0], lines[0]], [lines[0], "academic acid"], []):
        with pytest.raises(Malformed):
            territory_keys.seed_of(bad)
    with pytest.raises(EataError, match="No registered"):
        territory_keys.generation_of(registry, territory_keys.seed_of(territory_keys.shares_of(os.urandom(32), 2, 2)))


@pytest.mark.parametrize("split", [(0, 3), (4, 3), (1, 3), (2, 17)])
def test_shares_that_protect_nothing_or_cannot_be_are_not_made(split: tuple[int, int]) -> None:
    with pytest.raises(Malformed):
        territory_keys.shares_of(os.urandom(32), *split)
