"""H2. The attacker is one proxy, the nearest to an issuer's gateway, and wants the issuer's act to fall on another of its carnets."""

import pytest
from eata_clients.authoring import keeping
from eata_clients.issuer.care import IssuerCare
from eata_clients.issuer.client import Issuer, read_party
from eata_clients.net.errors import EataError
from eata_ledger.facts import Facts
from eata_ledger.state import Carnet, Number

from tests.process.scene import Scene

pytestmark = pytest.mark.rule("C-16")


async def test_an_issuers_act_is_on_the_carnet_it_named(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for a number, the proxy answers with another carnet's ID. A new PIN for the one is never one for the other."""
    asked = (await scene.people.issue(scene.people.order())).carnet_id
    store = scene.mesh.proxies["tokyo"].node.replica.store
    known = Facts(store).get(Carnet, asked)
    assert known is not None
    liar = scene.mesh.proxies["frankfurt"].node.replica.store
    honest = liar.get

    def lies(family: int, key: bytes) -> bytes | None:
        wanted = (family, key) == (int(Number.FAMILY), known.number.encode())
        return Number(scene.carnet_id).to_bytes() if wanted else honest(family, key)

    monkeypatch.setattr(liar, "get", lies)
    folder = scene.people.home / "offices" / "CH-ALLIANCE"
    async with scene.people.transport("CH-ALLIANCE", ["frankfurt"]) as transport:
        issuer = Issuer(folder, transport, read_party(folder / "party.cbor"))
        carnet, _, done = await IssuerCare(issuer).new_pin("lost-1", known.number, keeping.rotate_pin)
        assert (carnet.carnet_id, done.final) == (asked, True)
        assert [one.node for one in transport.suspicions.found] == ["frankfurt"]
        assert Carnet.from_bytes((await issuer.carnet(f"00{asked}")).record).carnet_id == asked


async def test_too_few_nodes_are_not_believed(scene: Scene) -> None:
    """Two of six are left: who they are nobody can tell, and nothing is done."""
    for name in sorted(scene.mesh.proxies)[:4]:
        await scene.mesh.proxies.pop(name).stop()
    folder = scene.people.home / "offices" / "CH-ALLIANCE"
    async with scene.people.transport("CH-ALLIANCE", list(scene.mesh.proxies)) as transport:
        issuer = Issuer(folder, transport, read_party(folder / "party.cbor"))
        with pytest.raises(EataError) as told:
            await issuer.carnet(str(scene.carnet_id), to_act=True)
    assert told.value.code == "TOO_FEW_NODES"
