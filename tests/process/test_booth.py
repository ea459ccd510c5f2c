"""With no network: a booth decides from a card, says how old its trust is, queues; conflicts show on reconnecting."""

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import segno
import zxingcpp
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import remarks
from eata_clients.customs.booth import ALL_WARNINGS, Booth, Sight
from eata_clients.customs.client import CustomsDesk
from eata_clients.customs.verdict import Word
from eata_clients.net.errors import EataError, Untrusted
from eata_clients.net.receipts import Committed
from eata_clients.net.transport import now
from eata_clients.trust.trust_file import Freshness
from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.proof.card import Card
from eata_ledger.proof.statement import Statement
from eata_ledger.seal.codes import Code, CodeKind
from PIL import Image

from tests.process.scene import ALL, Scene, scene

__all__ = ["scene"]


@dataclass
class Desks:
    """Two booths of one office, prepared on line, and the way back."""

    scene: Scene
    booths: list[tuple[Booth, CustomsDesk]]

    def sight(self, card: Card, n: int = 0) -> Sight:
        return self.booths[n][0].look(card.text, now())


async def desks(scene: Scene, tmp_path: Path, office: str = "CH-ZRH", count: int = 2) -> Desks:
    made = []
    for n in range(count):
        _, desk, transport = await scene.customs(office)
        folder = tmp_path / f"desk-{n}"
        booth = Booth(folder, scene.mesh.genesis.ledger, desk)
        await booth.prepare(transport)
        made.append((booth, CustomsDesk(folder, transport, desk)))
    return Desks(scene, made)


async def card(scene: Scene, slot: int = 1) -> Card:
    await scene.wallet.cards(scene.carnet_id)
    return scene.wallet.card(scene.carnet_id, slot)


def decision() -> Decision:
    return Decision(ALL, acknowledged=ALL_WARNINGS, remarks=remarks(reason="no network"))


@pytest.mark.rule("U2")
async def test_a_card_survives_a_picture_and_an_independent_reader(scene: Scene) -> None:
    """Rendered by one library, read from the picture by another; within what a phone shows and a camera reads."""
    found = await card(scene)
    made = segno.make(found.text, error="m", micro=False)
    picture = io.BytesIO()
    made.save(picture, kind="png", scale=4)
    [read] = zxingcpp.read_barcodes(Image.open(picture).convert("L"))
    assert Card.read(read.text) == found
    assert made.symbol_size()[0] - 8 <= 145


@pytest.mark.rule("U1")
async def test_a_booth_decides_with_no_network_and_its_commit_counts_later(scene: Scene, tmp_path: Path) -> None:
    house = await desks(scene, tmp_path, count=1)
    booth, client = house.booths[0]
    sight = house.sight(await card(scene))
    assert (sight.presented.kind, sight.age.freshness) == (Kind.VALIDATION, Freshness.FRESH)
    verdict = booth.verdict(sight, now())
    assert verdict.word is Word.GO
    booth.commit(sight, decision(), now())
    assert (await scene.wallet.show(scene.carnet_id)).rows == []  # provisional: the ledger has not seen it
    [(_, done)] = await client.resend()
    assert isinstance(done, Committed)
    [row] = (await scene.wallet.show(scene.carnet_id)).rows
    assert (row[0].index, row[1] is not None) == (done.index, True)  # the counterfoil opens
    assert await client.resend() == []


@pytest.mark.rule("U1")
@pytest.mark.rule("U13")
async def test_two_booths_take_one_card_and_the_rules_decide_visibly_to_both_sides(
    scene: Scene, tmp_path: Path
) -> None:
    house, shown = await desks(scene, tmp_path), await card(scene)
    for n, (booth, _) in enumerate(house.booths):
        booth.commit(house.sight(shown, n), decision(), now())
    [(_, first)], [(_, second)] = [await client.resend() for _, client in house.booths]
    assert isinstance(first, Committed)
    assert isinstance(second, EataError)
    assert second.code == "CODE_CONSUMED"
    told = (await scene.wallet.show(scene.carnet_id)).reply.refused
    assert [(r.code, r.office, r.slot) for r in told] == [("CODE_CONSUMED", "CH-ZRH", 1)]


async def test_one_booth_takes_a_card_once(scene: Scene, tmp_path: Path) -> None:
    house = await desks(scene, tmp_path, count=1)
    booth, sight = house.booths[0][0], house.sight(await card(scene))
    booth.commit(sight, decision(), now())
    assert booth.verdict(sight, now()).code == "CODE_CONSUMED"
    with pytest.raises(EataError, match="used"):
        booth.commit(sight, decision(), now())


async def test_a_carnet_cancelled_meanwhile_is_refused_on_reconnecting(scene: Scene, tmp_path: Path) -> None:
    """The lying holder shows the card of a voucher that was renewed: the code opens nothing any more."""
    house, shown = await desks(scene, tmp_path, count=1), await card(scene)
    await scene.wallet.renew(scene.carnet_id, 1)
    booth, client = house.booths[0]
    booth.commit(house.sight(shown), decision(), now())
    [(_, done)] = await client.resend()
    assert isinstance(done, EataError)
    assert done.code == "CODE_INVALID"


Lie = Callable[[Card], Card]


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (lambda c: replace(c, statement=replace(c.statement, signatures=c.statement.signatures[:3])), "CARD_NOT_PROVED"),
        (lambda c: replace(c, statement=replace(c.statement, payload=c.statement.payload[:-1] + b"\x02")), "CARD_NOT_PROVED"),
        (lambda c: replace(c, slot=2), "CARD_NOT_PROVED"),
        (lambda c: replace(c, slot=9), "CARD_NOT_PROVED"),
        (lambda c: replace(c, declared=c.declared[:-1] + b"\x01"), "CARD_NOT_PROVED"),
        (lambda c: replace(c, code=Code.from_bytes(CodeKind.TRANSACTION, bytes(range(32)))), "CODE_INVALID"),
    ],
)  # fmt: skip
async def test_a_card_that_lies_is_not_gone_by(scene: Scene, tmp_path: Path, lie: Lie, code: str) -> None:
    house, shown = await desks(scene, tmp_path, count=1), await card(scene)
    with pytest.raises(EataError) as caught:
        house.sight(lie(shown))
    assert caught.value.code == code


async def test_an_unproved_card_leaves_no_trace_at_the_booth(scene: Scene, tmp_path: Path) -> None:
    """A home-made card of the far future: it must not make every later card look stale."""
    house, shown = await desks(scene, tmp_path, count=1), await card(scene)
    claim = replace(shown.claim, log_time=2**62)
    with pytest.raises(EataError):
        house.sight(replace(shown, statement=Statement(claim.to_bytes(), ())))
    assert house.sight(shown).age.freshness is Freshness.FRESH


async def test_a_code_and_a_packet_belong_to_one_voucher(scene: Scene, tmp_path: Path) -> None:
    """Parts of another voucher of the same travel: its packet alone is not what was declared, all of it is not this code's."""
    house, shown = await desks(scene, tmp_path, count=1), await card(scene)
    other = scene.wallet.card(scene.carnet_id, 2)
    for mixed, code in (
        (replace(shown, packet=other.packet), "CARD_NOT_PROVED"),
        (replace(other, code=shown.code), "CODE_INVALID"),
    ):
        with pytest.raises(EataError) as caught:
            house.sight(mixed)
        assert caught.value.code == code


async def test_what_a_booth_can_say_no_to(scene: Scene, tmp_path: Path) -> None:
    house = await desks(scene, tmp_path, office="DE-BER", count=1)
    booth = house.booths[0][0]
    first, third = await card(scene), scene.wallet.card(scene.carnet_id, 3)
    assert booth.verdict(house.sight(first), now()).code == "WRONG_TERRITORY_FOR_TYPE"
    verdict = booth.verdict(house.sight(third), now())  # prepared before the validation was made
    assert (verdict.word, verdict.code) == (Word.LOOK, "NOT_VALIDATED")
    assert booth.verdict(house.sight(third), now() + 13 * 3_600_000).code == "CERT_EXPIRED"


async def test_a_stale_trust_file_queues_and_a_clock_set_back_does_not_freshen_it(scene: Scene, tmp_path: Path) -> None:
    """A desk that lies about time: the highest log time it has met counts."""
    house = await desks(scene, tmp_path, count=1)
    booth, shown = house.booths[0][0], await card(scene)
    for days, freshness in ((6, Freshness.FRESH), (7, Freshness.OLD), (29, Freshness.OLD), (30, Freshness.STALE)):
        assert booth.trust.age(now() + days * DAY + 1_000).freshness is freshness
    booth.trust.see(now() + 31 * DAY)
    sight = house.sight(shown)
    assert sight.age.freshness is Freshness.STALE
    verdict = booth.verdict(sight, now())
    assert (verdict.word, verdict.code) == (Word.LOOK, "TRUST_STALE")


async def test_an_older_or_contradicting_trust_file_is_refused(scene: Scene, tmp_path: Path) -> None:
    house = await desks(scene, tmp_path, count=1)
    booth, transport = house.booths[0][0], scene.public
    old = booth.trust.read()
    await scene.wallet.attach(scene.carnet_id, "a.pdf", b"%PDF-1.7 x")
    await scene.mesh.settled()
    async with asyncio.timeout(30):
        while (new := await booth.trust.refresh(transport)).checkpoint.split()[1] == old.checkpoint.split()[1]:
            await scene.mesh.settled()
    assert booth.trust.read() == new
    with pytest.raises(Untrusted, match="has seen"):
        booth.trust.keep(old)
    (tmp_path / "desk-0" / "trust.cbor").write_bytes(old.to_bytes()[:-1])
    with pytest.raises(EataError, match="not good"):  # C19: named, and fetched anew on line
        booth.trust.read()
