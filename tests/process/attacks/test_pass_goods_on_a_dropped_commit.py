"""H2. The attacker runs up to two of six proxies and wants goods to pass on commits that no ledger holds."""

import asyncio
from pathlib import Path

import pytest
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import Stamp
from eata_clients.net.errors import EataError
from eata_clients.net.outbox import Outbox
from eata_clients.net.receipts import Committed
from eata_clients.net.suspicions import Suspicion
from eata_clients.net.transport import Transport, now
from eata_clients.trust.trust_file import fetch_trust
from eata_ledger.log.entry import Entry
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.trust import verify_receipt
from eata_ledger.seal.codes import Code, CodeKind

from tests.process.attacks.liars import Liars
from tests.process.scene import ALL, Scene, scene
from tests.process.test_lying_clients import commit_entry

__all__ = ["scene"]
pytestmark = pytest.mark.rule("CORE-08")
TWO = ("frankfurt", "tokyo")


def waiting(scene: Scene, office: str) -> int:
    return len(Outbox(scene.people.home / "offices" / office / "outbox").waiting())


async def real_rows(scene: Scene) -> list[int]:
    return [row.index for row, _ in (await scene.wallet.show(scene.carnet_id)).rows]


async def at_desk(scene: Scene, slot: int, prefer: str) -> tuple[list[Committed], Committed, Transport]:
    """A commit at the nearest proxy; what the desk was told at once, and in the end."""
    customs, _, transport = await scene.customs("CH-ZRH", prefer=prefer)
    told: list[Committed] = []
    scanned = await customs.scan(scene.qr(slot))
    done = await customs.commit(scanned, Decision(scanned.presented.items), told=told.append)
    return told, done, transport


@pytest.mark.parametrize("names", [TWO[:1], TWO])
async def test_a_desk_is_told_final_only_of_what_the_ledger_holds(scene: Scene, names: tuple[str, ...]) -> None:
    """The nearest proxy drops it and signs that it is in; the same bytes go elsewhere, and the liar is named."""
    liars = Liars(scene.mesh, names)
    liars.drop_commits()
    told, done, transport = await at_desk(scene, 1, "frankfurt")
    assert liars.dropped
    assert [one.final for one in told] == [False]
    assert done.final
    assert done.signers >= scene.mesh.genesis.charter.enough
    assert done.index in await real_rows(scene)
    assert waiting(scene, "CH") == 0
    assert {suspicion.node for suspicion in transport.suspicions.found} == {"frankfurt"}
    kept = list((scene.people.home / "offices" / "CH" / "evidence").glob("frankfurt-*.json"))
    assert len(kept) == 1
    honest = next(name for name in scene.mesh.proxies if name not in names)
    metrics = scene.mesh.proxies[honest].node.metrics.contradicted
    assert metrics.labels("frankfurt")._value.get() >= 1


async def test_with_too_few_honest_nodes_there_it_stays_amber_and_in_the_outbox(scene: Scene) -> None:
    """Both liars and one honest node are up: three words are not more than half of six."""
    liars = Liars(scene.mesh, TWO)
    liars.drop_commits()
    away = [name for name in scene.mesh.proxies if name not in (*TWO, "virginia")]
    customs, _, transport = await scene.customs("CH-ZRH", prefer="frankfurt")
    scanned = await customs.scan(scene.qr(1))
    for name in away:
        await scene.mesh.proxies.pop(name).stop()
    done = await customs.commit(scanned, Decision(scanned.presented.items))
    assert not done.final
    assert not done.verification
    assert waiting(scene, "CH") == 1
    for name in away:
        await scene.mesh.start_proxy(name)
        await scene.mesh.ready(name)
    async with asyncio.timeout(20):
        while waiting(scene, "CH"):
            [(_, outcome)] = await customs.resend()
    assert isinstance(outcome, Committed)
    assert outcome.final
    assert outcome.index in await real_rows(scene)
    assert transport.suspicions.found


async def test_what_a_booth_kept_is_not_lost_to_a_stream_of_lies(scene: Scene) -> None:
    """The queue goes over one stream to the liar: nothing leaves the outbox before more than half have signed it."""
    customs, _, _ = await scene.customs("CH-ZRH", prefer="frankfurt")
    entry = await made_at(scene, "virginia")
    Liars(scene.mesh, TWO).drop_commits()
    Outbox(scene.people.home / "offices" / "CH" / "outbox").keep(entry)
    [(_, outcome)] = await customs.resend()
    assert isinstance(outcome, Committed)
    assert outcome.final
    assert outcome.index in await real_rows(scene)
    assert waiting(scene, "CH") == 0


async def made_at(scene: Scene, prefer: str) -> Entry:
    customs, desk, _ = await scene.customs("CH-ZRH", prefer=prefer)
    return await commit_entry(scene, customs, desk, 1, Stamp(now(), (await customs.clock())[1]))


async def test_a_refusal_by_liars_does_not_stop_honest_goods(scene: Scene) -> None:
    """They say CODE_CONSUMED, as logged; two of six are no majority, and a third node orders it."""
    liars = Liars(scene.mesh, TWO)
    liars.refuse_commits(Outcome.CODE_CONSUMED)
    _, done, _ = await at_desk(scene, 1, "frankfurt")
    assert done.final
    assert done.index in await real_rows(scene)


@pytest.mark.parametrize("outcome", [Outcome.CARNET_BLOCKED, Outcome.KEY_REVOKED])
async def test_a_refusal_in_a_liars_own_statement_does_not_stop_honest_goods(scene: Scene, outcome: Outcome) -> None:
    """They answer with no error but with a statement, signed by both, of a refusal that the log does not hold: at a desk, and to a queue."""
    entry = await made_at(scene, "virginia")
    Liars(scene.mesh, TWO).drop_commits(outcome)
    customs, _, _ = await scene.customs("CH-ZRH", prefer="frankfurt")
    Outbox(scene.people.home / "offices" / "CH" / "outbox").keep(entry)
    [(_, found)] = await customs.resend()
    assert isinstance(found, Committed)
    _, done, _ = await at_desk(scene, 2, "frankfurt")
    assert (found.final, done.final) == (True, True)
    assert {done.index, found.index} <= set(await real_rows(scene))


async def test_a_true_refusal_still_ends_the_sending(scene: Scene) -> None:
    """So many say it that one of them is honest: it is settled, and leaves the outbox."""
    entry = await made_at(scene, "virginia")
    await scene.commit(1, "CH-ZRH")
    customs, _, _ = await scene.customs("CH-ZRH", prefer="frankfurt")
    Outbox(scene.people.home / "offices" / "CH" / "outbox").keep(entry)
    [(_, outcome)] = await customs.resend()
    assert isinstance(outcome, EataError)
    assert (outcome.code, outcome.settled) == ("CODE_CONSUMED", True)
    assert waiting(scene, "CH") == 0


async def test_the_holder_believes_neither_their_receipt_nor_their_code(scene: Scene, tmp_path: Path) -> None:
    """Two signatures verify as provisional; a code of two shares convinces no wallet."""
    await scene.wallet.show(scene.carnet_id)
    liars = Liars(scene.mesh, TWO)
    liars.drop_commits()
    customs, _, _ = await scene.customs("CH-ZRH", prefer="frankfurt")
    scanned = await customs.scan(scene.qr(1))
    told: list[Committed] = []
    await customs.commit(scanned, Decision(ALL), told=told.append)
    trust = await fetch_trust(scene.public, await scene.wallet.registry())
    verdict = verify_receipt(told[0].statement, trust)
    assert not verdict.good
    assert verdict.why.startswith("provisional: 2 of 6")
    invented = Code.from_bytes(CodeKind.VERIFICATION, bytes(range(8)))
    assert scene.wallet.verify(scene.carnet_id, 1, invented) == ()


async def test_an_answer_that_does_not_verify_goes_elsewhere(scene: Scene) -> None:
    """Bytes that nobody signed are no answer."""
    liars = Liars(scene.mesh, TWO[:1])
    liars.keys = {}
    liars.drop_commits()
    _, done, transport = await at_desk(scene, 1, "frankfurt")
    assert done.final
    assert [type(found) for found in transport.suspicions.found] == [Suspicion]
