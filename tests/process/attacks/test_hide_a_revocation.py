"""H3. The attacker runs up to two of six proxies, nearest to a desk, and leaves one revocation out of the registry: a key that was
stolen would be good for that desk as long as it asks them."""

import asyncio
from pathlib import Path

import pytest
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.issuer.client import read_party
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_clients.trust.registry_pages import FILE, KeptRegistry, fetch, read
from eata_host.vault import read_key
from eata_ledger.encoding import sha256
from eata_ledger.log.bodies import RevokeKey
from eata_ledger.log.entry import Header, signed_bytes
from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.registered import NONE, next_head, to_sign
from eata_node.ground.config import NodeKeys
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
    await scene.mesh.proxies.pop("mumbai").stop()  # five are left, and so many must answer: the liar is always heard
    async with scene.people.transport("CH", list(names)) as transport:
        registry = await fetch(transport)
        assert authority in registry.revoked
        assert registry.attested >= scene.mesh.genesis.charter.one_honest
        async with asyncio.timeout(30):
            while replaced and not transport.suspicions.found:  # it was too slow to be waited for
                await fetch(transport)
        assert {found.node for found in transport.suspicions.found} <= set(names)
        assert replaced or not transport.suspicions.found


async def test_a_returning_client_takes_what_is_new_and_nothing_else(scene: Scene) -> None:
    """Brought up to date from the count it holds; the head over all of it is the nodes'."""
    known = await fetch(scene.public)
    before = known.count
    authority = await revoked(scene)
    assert authority not in known.revoked
    again = await fetch(scene.public, known)
    assert authority not in known.revoked
    assert (again.count, authority in again.revoked) == (before + 1, True)
    fresh = await fetch(scene.public)
    assert fresh.head == again.head
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


async def test_a_client_that_returns_reads_its_own_file(scene: Scene, tmp_path: Path) -> None:
    """Another process of the same client fetches what is new; a file that is damaged, or another ledger's, is none."""
    first = await KeptRegistry(scene.public, tmp_path).get()
    authority = await revoked(scene)
    asked = Registered.page
    starts: list[int] = []

    def page(self: Registered, start: int, stanzas_for: bytes) -> list[ledger_pb2.RegistryEntry]:
        starts.append(start)
        return asked(self, start, stanzas_for)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Registered, "page", page)
        again = await KeptRegistry(scene.public, tmp_path).get()
        assert (starts, again.count, authority in again.revoked) == ([first.count], first.count + 1, True)
        fresh = await fetch(scene.public)
    assert sorted(again.offices) == sorted(fresh.offices)
    assert again.live(now()) == fresh.live(now())
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert read(tmp_path, scene.mesh.genesis.ledger) is None
    assert (await KeptRegistry(scene.public, tmp_path).get()).head == fresh.head
    assert read(tmp_path, bytes(32)) is None


async def test_a_desk_is_told_who_vouches_for_the_keys(scene: Scene) -> None:
    """Fetched while one node alone was there: what is judged by it is UNCONFIRMED, until the registry has been asked for again."""
    customs, _, _ = await scene.customs("CH-ZRH")
    (await customs.registry()).attested = 1
    scanned = await customs.scan(scene.qr(1))
    assert (scanned.agreed.by, scanned.agreed.sure) == (1, False)
    assert (await customs.scan(scene.qr(1))).agreed.sure


async def test_what_an_honest_node_vouched_for_is_never_taken_back(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk knows of the revocation; then one liar alone can be reached, and tells of a registry from before it."""
    authority = await revoked(scene)
    await KeptRegistry(scene.public, tmp_path).get()
    hide(scene, ("frankfurt",), False, monkeypatch)
    for name in [name for name in scene.mesh.proxies if name != "frankfurt"]:
        await scene.mesh.proxies.pop(name).stop()
    again = await KeptRegistry(scene.public, tmp_path).get()
    assert authority in again.revoked
    kept = read(tmp_path, scene.mesh.genesis.ledger)
    assert kept is not None
    assert authority in kept.revoked


async def test_what_one_node_alone_says_is_not_kept(scene: Scene, tmp_path: Path) -> None:
    """It may be used, marked as what it is; the next process asks again."""
    for name in [name for name in scene.mesh.proxies if name != "mumbai"]:
        await scene.mesh.proxies.pop(name).stop()
    assert (await KeptRegistry(scene.public, tmp_path).get()).attested == 1
    assert read(tmp_path, scene.mesh.genesis.ledger) is None


async def test_a_liars_endless_registry_holds_nobody_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells of a million registrations, under its own signature, and of a time in 2099: nobody asks it for them."""
    keys = NodeKeys.read(scene.mesh.home / "nodes" / "frankfurt").statement
    honest, asked = Registered.head, list[bool]()

    def head(self: Registered, count: int) -> ledger_pb2.RegistryHeadReply:
        if self._key.id != keys.id:
            return honest(self, count)
        wanted, head = count or 10**6, bytes(32)
        signature = keys.sign(to_sign(scene.people.network.ledger, wanted, head))
        return ledger_pb2.RegistryHeadReply(count=wanted, head=head, kid=keys.id[:8], signature=signature)

    pages = Registered.page

    def page(self: Registered, start: int, stanzas_for: bytes) -> list[ledger_pb2.RegistryEntry]:
        asked.append(self._key.id == keys.id)
        return pages(self, start, stanzas_for)

    monkeypatch.setattr(Registered, "head", head)
    monkeypatch.setattr(Registered, "page", page)
    async with scene.people.transport("CH", ["frankfurt"]) as transport:
        registry = await fetch(transport)
    assert registry.attested >= scene.mesh.genesis.charter.one_honest
    assert not any(asked)


async def test_one_liars_longer_registry_poisons_nothing(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With three nodes away, one of three tells of more: an old registration played again, and rubbish. What is known stays whole."""
    keys = NodeKeys.read(scene.mesh.home / "nodes" / "frankfurt").statement.id
    honest = Registered._read
    known = await KeptRegistry(scene.public, tmp_path).get()

    def read_(self: Registered) -> None:
        honest(self)
        if self._key.id == keys:
            rubbish = ledger_pb2.RegistryEntry(index=10**6, entry=ledger_pb2.Entry(header=b"rubbish"))
            self._known = [*self._known, self._known[0], rubbish]
            for one in self._known[-2:]:
                entry_hash = sha256(signed_bytes(one.entry.header))
                self._heads.append(next_head(self._heads[-1], one.index, entry_hash))

    monkeypatch.setattr(Registered, "_read", read_)
    for name in ("mumbai", "tokyo", "virginia"):
        await scene.mesh.proxies.pop(name).stop()
    found = await KeptRegistry(scene.public, tmp_path).get()
    assert (found.count, found.head) == (known.count, known.head)
    kept = read(tmp_path, scene.mesh.genesis.ledger)
    assert kept is not None
    assert (kept.count, kept.head) == (known.count, known.head)
