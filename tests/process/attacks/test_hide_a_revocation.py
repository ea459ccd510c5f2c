"""H3. The attacker runs up to two of six proxies, nearest to a desk, and leaves one revocation out of the registry: a key that was
stolen would be good for that desk as long as it asks them."""

import pytest
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.issuer import read_party
from eata_clients.registry_pages import fetch
from eata_clients.submitting import submit
from eata_clients.transport import now
from eata_clients.vault import read_key
from eata_ledger.encoding import sha256
from eata_ledger.proof.bodies import RevokeKey
from eata_ledger.proof.entry import Header
from eata_ledger.proof.keys import SigningKey
from eata_ledger.proof.registered import NONE, next_head
from eata_node.config import NodeKeys
from eata_node.services.registered import Registered
from eata_proto.v1 import ledger_pb2

from tests.process.scene import Scene, scene

__all__ = ["scene"]
TWO = ("frankfurt", "tokyo")


async def revoked(scene: Scene) -> bytes:
    """The Swiss desks' authority, taken back by its administration."""
    home = scene.people.home / "offices" / "CH"
    authority, party = SigningKey(read_key(home / "desk-authority.key")), read_party(home / "party.cbor")
    ledger = scene.people.network.ledger
    entry = make(ledger, RevokeKey(authority.id), Stamp(now()), (party.sign,))
    await submit(scene.public, scene.mesh.genesis.charter, entry)
    await scene.mesh.settled()
    return authority.id


def hide(scene: Scene, names: tuple[str, ...], replaced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """They hand out every registration but that one, or another in its place, under heads of their own that they sign."""
    keys = {NodeKeys.read(scene.mesh.home / "nodes" / name).statement.id for name in names}
    honest = Registered._read

    def read(self: Registered) -> None:
        honest(self)
        if self._key.id in keys:
            others = [one for one in self._known if not isinstance(Header.from_bytes(one.entry.header).body, RevokeKey)]
            self._known = others + others[-1:] * (len(self._known) - len(others)) if replaced else others
            self._heads = [NONE]
            for one in self._known:
                entry_hash = sha256(Header.from_bytes(one.entry.header).signed)
                self._heads.append(next_head(self._heads[-1], one.index, entry_hash))

    monkeypatch.setattr(Registered, "_read", read)


@pytest.mark.parametrize("names", [TWO[:1], TWO])
@pytest.mark.parametrize("replaced", [False, True])
async def test_a_revocation_left_out_is_found_out(
    scene: Scene, names: tuple[str, ...], replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shorter registry is one that may be behind: it is passed over. One of the same length is a lie, with a signature."""
    authority = await revoked(scene)
    hide(scene, names, replaced, monkeypatch)
    async with scene.people.transport("CH", list(names)) as transport:
        registry = await fetch(transport)
        assert authority in registry.revoked
        assert registry.attested >= scene.mesh.genesis.charter.one_honest
        assert {found.node for found in transport.suspicions.found} <= set(names)
        assert bool(transport.suspicions.found) is replaced


async def test_a_returning_client_takes_what_is_new_and_nothing_else(scene: Scene) -> None:
    """Brought up to date from the count it holds; the head over all of it is the nodes'."""
    known = await fetch(scene.public)
    before = known.count
    authority = await revoked(scene)
    assert authority not in known.revoked
    again = await fetch(scene.public, known)
    assert again is known
    assert (again.count, authority in again.revoked) == (before + 1, True)
    fresh = await fetch(scene.public)
    assert fresh.head_at(fresh.count) == again.head_at(again.count)
    assert fresh.charter == again.charter


async def test_with_one_node_left_the_registry_is_what_that_one_says(scene: Scene) -> None:
    """The last survivor: its word is taken, and the client knows whose word it is."""
    for name in [name for name in scene.mesh.proxies if name != "mumbai"]:
        await scene.mesh.proxies.pop(name).stop()
    registry = await fetch(scene.public)
    assert registry.attested == 1
    assert "CH-ZRH" in registry.offices


async def test_a_session_of_the_future_silences_nobody(scene: Scene) -> None:
    """A liar tells of a position that the log has not reached: the honest are asked again without it."""
    async with scene.people.transport() as transport:
        transport.carry(ledger_pb2.Session(era=1, position=10**9), "frankfurt")
        registry = await fetch(transport)
        assert registry.attested >= scene.mesh.genesis.charter.one_honest


async def test_headers_without_their_signatures_are_passed_over(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain does not cover signatures: the nearest node hands out true headers that nobody signed."""
    keys, honest = NodeKeys.read(scene.mesh.home / "nodes" / "frankfurt").statement.id, Registered.page

    def page(self: Registered, start: int, stanzas_for: bytes) -> list[ledger_pb2.RegistryEntry]:
        found = []
        for one in honest(self, start, stanzas_for):
            copy = ledger_pb2.RegistryEntry()
            copy.CopyFrom(one)
            if self._key.id == keys:
                copy.entry.ClearField("signatures")
            found.append(copy)
        return found

    monkeypatch.setattr(Registered, "page", page)
    async with scene.people.transport("CH", ["frankfurt"]) as transport:
        registry = await fetch(transport)
        assert "CH-ZRH" in registry.offices
        assert {found.node for found in transport.suspicions.found} <= {"frankfurt"}
