"""H6. The attacker is a holder, or whoever has an enrolled device, and wants a carnet that no reply can hold: nobody could
look at it any more, no desk could stop it."""

import os
import secrets

import pytest
from eata_clients.authoring.content import DeclarationContent
from eata_clients.authoring.holding import Wish
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.log.keys import SigningKey
from eata_ledger.seal.codes import CodeKeys
from eata_proto.v1 import reading_pb2, reading_pb2_grpc

from tests.process.scene import Scene, scene

__all__ = ["scene"]
TRAVELS, EACH = 8, 32


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker spends no Argon2 on codes that nobody will type."""
    monkeypatch.setattr(
        "eata_clients.authoring.holding.code_keys", lambda *_: CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
    )


async def test_a_carnet_of_millions_of_bytes_is_read_page_by_page(scene: Scene, quick: None) -> None:
    """256 vouchers with the longest remarks there may be: the holder, a desk and the issuer read on, within 2 MiB a reply."""
    issued = await scene.people.issue(scene.people.order(sets=TRAVELS * EACH))
    wallet = scene.people.wallet(scene.public, "attacker")
    carnet_id = await scene.people.download(wallet, issued)
    for _ in range(TRAVELS):
        long = DeclarationContent("", "", "", secrets.token_hex(1_990), "", "")
        wish = Wish(Kind.EXPORTATION, "CH", Items.parse("1-20"), Items(), long)
        await wallet.travel(carnet_id, (wish,) * EACH)
    device = SigningKey(wallet.kept(carnet_id).device)
    stub = reading_pb2_grpc.WalletStub(scene.public.channel("frankfurt"))
    cursor, sizes, vouchers = b"", list[int](), 0
    while cursor or not sizes:
        query = reading_pb2.CarnetQuery(carnet_id=carnet_id, cursor=cursor)
        signed = scene.public.signed("/eata.v1.Wallet/Carnet", query.SerializeToString(), [device])
        reply = await stub.Carnet(signed)
        sizes.append(reply.ByteSize())
        vouchers += len(reply.vouchers)
        cursor = reply.next
    assert vouchers == TRAVELS * EACH
    assert len(sizes) > 1
    assert max(sizes) < 2 * 2**20
    shown = await wallet.show(carnet_id)
    assert len(shown.vouchers) == TRAVELS * EACH
    assert wallet.details(shown, TRAVELS * EACH).remarks
