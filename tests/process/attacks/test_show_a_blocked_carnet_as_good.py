"""H2. The attacker runs up to two of six proxies and wants a desk to see another carnet than the ledger holds."""

from dataclasses import replace

import pytest
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.issuing import change
from eata_clients.customs.verdict import Word, verdict
from eata_clients.issuer.client import read_party
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_ledger.carnet.dates import local_day
from eata_ledger.log.bodies import Block
from eata_ledger.state import Carnet, CarnetState
from eata_proto.v1 import reading_pb2

from tests.process.attacks.liars import Liars
from tests.process.scene import ALL, Scene, refused, scene

__all__ = ["scene"]
TWO = ("frankfurt", "tokyo")


async def block(scene: Scene) -> None:
    party = read_party(scene.people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    charter = scene.mesh.genesis.charter
    entry = change(charter.ledger, party, Block(scene.carnet_id), Stamp(now()))
    await submit(scene.public, charter, entry)
    await scene.mesh.settled()


def unblocked(reply: reading_pb2.CarnetReply) -> None:
    """Not blocked, and valid for another year."""
    carnet = Carnet.from_bytes(reply.record)
    reply.record = replace(carnet, valid_until=carnet.valid_until + 365).to_bytes()
    reply.state = replace(CarnetState.from_bytes(reply.state), blocked=False).to_bytes()


@pytest.mark.parametrize("names", [TWO[:1], TWO])
async def test_a_desk_decides_on_what_an_honest_node_tells(scene: Scene, names: tuple[str, ...]) -> None:
    """The nearest proxies invent the same; the others tell the truth, the difference is shown and kept with signatures."""
    await block(scene)
    Liars(scene.mesh, names).tell(unblocked)
    customs, _, transport = await scene.customs("CH-ZRH", prefer="frankfurt")
    scanned = await customs.scan(scene.qr(1))
    found = verdict(scanned, Decision(ALL), local_day(now(), 0), True)
    assert (found.word, found.code) == (Word.STOP, "CARNET_BLOCKED")
    assert scanned.agreed.sure
    assert scanned.agreed.differing == names
    assert {suspicion.node for suspicion in transport.suspicions.found} == set(names)
    assert all({"said", "against"} <= set(suspicion.evidence) for suspicion in transport.suspicions.found)


async def test_a_node_that_signs_another_reply_than_it_gives_is_passed_over(scene: Scene) -> None:
    """It gives the invented reply with the true one's digest: nothing of it is used."""
    await block(scene)
    proxy = scene.mesh.proxies["frankfurt"]
    attested = proxy._attesting.attested

    def swapped(reply: reading_pb2.CarnetReply, request: object, signers: object) -> reading_pb2.CarnetReply:
        given = attested(reply, request, signers)  # type: ignore[arg-type]
        if given.record:
            unblocked(given)
        return given

    proxy._attesting.attested = swapped  # type: ignore[method-assign]
    customs, _, transport = await scene.customs("CH-ZRH", prefer="frankfurt")
    scanned = await customs.scan(scene.qr(1))
    assert scanned.state.blocked
    assert [suspicion.node for suspicion in transport.suspicions.found] == ["frankfurt"]


async def test_the_last_node_alone_is_told_apart(scene: Scene) -> None:
    """With one proxy left there is nobody to compare with: the desk sees LOOK, never a plain GO."""
    customs, _, _ = await scene.customs("CH-ZRH", prefer="frankfurt")
    await customs.registry()
    for name in list(scene.mesh.proxies):
        if name != "frankfurt":
            await scene.mesh.proxies.pop(name).stop()
    scanned = await customs.scan(scene.qr(1))
    found = verdict(scanned, Decision(ALL), local_day(now(), 0), True)
    assert (scanned.agreed.by, scanned.agreed.sure) == (1, False)
    assert (found.word, found.code) == (Word.LOOK, "UNCONFIRMED")


async def test_a_node_that_denies_a_voucher_does_not_turn_its_holder_away(scene: Scene) -> None:
    """It answers CODE_INVALID; others open the voucher."""
    proxy = scene.mesh.proxies["frankfurt"]

    async def denied(*_: object) -> object:
        from eata_ledger.outcomes import Outcome
        from eata_node.rpc.errors import refusal

        raise refusal(Outcome.CODE_INVALID)

    proxy._rights.require = denied  # type: ignore[method-assign,assignment]
    customs, _, _ = await scene.customs("CH-ZRH", prefer="frankfurt")
    scanned = await customs.scan(scene.qr(1))
    assert scanned.presented.slot == 1
    assert await refused(customs.scan(replace(scene.qr(1), carnet=str(scene.carnet_id + 1)))) == "CODE_INVALID"
