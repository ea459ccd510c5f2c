"""One carnet through the real services: issue, download, travel, scan, commit, receipt, and who sees what."""

import asyncio
import os
import threading

import grpc.aio
import pytest
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.holding import Wish
from eata_clients.holder.wallet import Wallet
from eata_clients.net.errors import EataError
from eata_clients.net.receipts import Committed, receipt
from eata_clients.opened.parts import Excerpts, open_counterfoil, open_keys
from eata_clients.trust.authors import Authors
from eata_clients.trust.registry_pages import fetch
from eata_host.vault import read_key
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.log.keys import Algorithm, key_id
from eata_ledger.proof.qr import CodeQr
from eata_ledger.seal.aead import CannotOpen, Context, unseal
from eata_ledger.seal.codes import Code, CodeKind
from eata_ledger.seal.schedule import earlier, leaf_key
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.state import Transaction
from eata_node.replica.cosigning import Cosigning
from eata_proto.v1 import reading_pb2, reading_pb2_grpc

from tests.load import build
from tests.mesh import Mesh, People
from tests.shown import value_of

ALL = Items.parse("1-20")
OUT = (Wish(Kind.VALIDATION, "CH", ALL), Wish(Kind.EXPORTATION, "CH", ALL), Wish(Kind.IMPORTATION, "EU", ALL))
OFFICES = ("CH-ZRH", "CH-ZRH", "DE-BER")


async def cross(people: People, wallet: Wallet, carnet_id: int, slot: int, office: str) -> Committed:
    """Scans and commits a voucher as declared."""
    member = {"CH-ZRH": "CH", "DE-BER": "DE", "XS-KLOW": "XS"}[office]
    async with people.transport(member) as transport:
        customs = people.customs(transport, office)
        scanned = await customs.scan(wallet.code(carnet_id, slot))
        return await customs.commit(scanned, Decision(scanned.presented.items, scanned.presented.not_returned))


@pytest.mark.rule("APP-16")
@pytest.mark.rule("C-16")
async def test_a_carnet_crosses_and_everyone_sees_what_they_should(mesh: tuple[Mesh, People]) -> None:
    """The holder sees all; the EU what precedes its arrival and its own; XS, later, everything so far."""
    house, people = mesh
    async with people.transport() as transport:
        wallet = people.wallet(transport)
        carnet_id = await people.download(wallet, await people.issue(people.order()))
        slots = (await wallet.travel(carnet_id, OUT)).slots
        indexes = [
            await cross(people, wallet, carnet_id, slot, office)
            for (slot, _, _), office in zip(slots, OFFICES, strict=True)
        ]
        shown = await wallet.show(carnet_id)
        assert [row.kind for row, _ in shown.rows] == [wish.kind for wish in OUT]
        assert all(counterfoil is not None for _, counterfoil in shown.rows)
        charter = (await fetch(transport)).charter
        last = indexes[-1]
        assert (await receipt(transport, charter, last.index, last.entry_hash)).signers >= 4
        with pytest.raises(EataError) as caught:
            await receipt(transport, charter, last.index, bytes(32))
        assert caught.value.code == "NOT_VISIBLE"
        await _opener_sees(people, carnet_id)
        await _xs_arrives(people, wallet, carnet_id)
    await house.settled()
    assert len({(p.node.replica.state.size, p.node.replica.root) for p in house.proxies.values()}) == 1


async def _opener_sees(people: People, carnet_id: int) -> None:
    """The EU's opener opens its own arrival, and with its journal key the two before it."""
    seed = read_key(people.home / "offices" / "FR" / "territory-EU.key")
    key = SealingKey(seed)
    openers = {key_id(key.public, Algorithm.XWING): key}
    async with people.transport("FR") as transport:
        reply, registry = await people.customs(transport, "FR-LYS").carnet(carnet_id), await fetch(transport)
    excerpts = Excerpts(reply.entries, people.network.ledger, Authors(registry))
    rows = [Transaction.from_bytes(row) for row in reply.rows]
    assert [row.kind for row in rows] == [Kind.VALIDATION, Kind.EXPORTATION, Kind.IMPORTATION]
    secret = open_keys(excerpts, rows[-1].index, openers, carnet_id)
    assert secret is not None
    assert secret.journal is not None
    for row in rows:
        leaf = leaf_key(earlier(secret.journal, rows[-1].slot, row.slot))
        assert open_counterfoil(excerpts, row, leaf, carnet_id) is not None
    assert [open_keys(excerpts, row.index, openers, carnet_id) is None for row in rows] == [True, True, False]


async def _xs_arrives(people: People, wallet: Wallet, carnet_id: int) -> None:
    """Later slots stay closed to the EU, by the node and by its keys (ACC-57, U9)."""
    [(slot, _, _)] = (await wallet.travel(carnet_id, (Wish(Kind.IMPORTATION, "XS", ALL),))).slots
    done = await cross(people, wallet, carnet_id, slot, "XS-KLOW")
    async with people.transport("FR") as transport:
        reply, registry = await people.customs(transport, "FR-LYS").carnet(carnet_id), await fetch(transport)
    rows = [Transaction.from_bytes(row) for row in reply.rows]
    assert done.index not in [row.index for row in rows]
    key = SealingKey(read_key(people.home / "offices" / "FR" / "territory-EU.key"))
    excerpts = Excerpts(reply.entries, people.network.ledger, Authors(registry))
    secret = open_keys(excerpts, rows[-1].index, {key_id(key.public, Algorithm.XWING): key}, carnet_id)
    assert secret is not None
    assert secret.journal is not None
    async with people.transport("XS") as transport:
        foreign = await people.customs(transport, "XS-KLOW").carnet(carnet_id)
    sealed = value_of(foreign, Label.COUNTERFOIL, done.index)
    with pytest.raises(ValueError, match="earlier"):
        earlier(secret.journal, 3, slot)
    with pytest.raises(CannotOpen):
        unseal(leaf_key(secret.journal), Context(people.network.ledger, carnet_id, Label.COUNTERFOIL, slot), sealed)


async def test_a_raw_stub_of_another_territory_sees_nothing(mesh: tuple[Mesh, People]) -> None:
    """With a genuine certificate and TLS identity of XS, before XS has met the carnet."""
    _, people = mesh
    async with people.transport() as transport:
        wallet = people.wallet(transport)
        carnet_id = await people.download(wallet, await people.issue(people.order()))
        [(slot, _, _)] = (await wallet.travel(carnet_id, OUT[:1])).slots
    async with people.transport("XS") as transport:
        customs = people.customs(transport, "XS-KLOW")
        with pytest.raises(EataError) as caught:
            await customs.carnet(carnet_id)
        assert caught.value.code == "NOT_VISIBLE"
        with pytest.raises(EataError) as caught:
            await customs.carnet(999_999)
        assert caught.value.code == "NOT_VISIBLE", "existence is not told either"
        with pytest.raises(EataError) as caught:
            await customs.scan(wallet.code(carnet_id, slot))
        assert caught.value.code == "WRONG_TERRITORY_FOR_TYPE"
        for stub, method in (
            (reading_pb2_grpc.IssuerStub, "/eata.v1.Issuer/Carnet"),
            (reading_pb2_grpc.WalletStub, "/eata.v1.Wallet/Carnet"),
        ):
            desk = people.desk("XS-KLOW")
            body = reading_pb2.CarnetQuery(carnet_id=carnet_id).SerializeToString()
            request = transport.signed(method, body, [desk.key], desk.certificate)
            with pytest.raises((EataError, grpc.aio.AioRpcError)) as refused:
                await transport.call(lambda channel, s=stub: s(channel).Carnet, request)  # type: ignore[misc]
            assert (
                "KEY_UNKNOWN" in str(refused.value)
                or "NOT_VISIBLE" in str(refused.value)
                or "UNIMPLEMENTED" in str(refused.value)
            )


async def test_without_a_members_certificate_customs_has_no_door(mesh: tuple[Mesh, People]) -> None:
    """The public door does not serve Customs, Issuer, Audit or Peer at all."""
    _, people = mesh
    async with people.transport() as transport:
        desk = people.desk("CH-ZRH")
        body = reading_pb2.CarnetQuery(carnet_id=883).SerializeToString()
        request = transport.signed("/eata.v1.Customs/Carnet", body, [desk.key], desk.certificate)
        with pytest.raises(EataError) as caught:
            await transport.call(lambda channel: reading_pb2_grpc.CustomsStub(channel).Carnet, request)
        assert caught.value.code == "UNIMPLEMENTED"


async def test_the_guide_s_wrong_pin_opens_nothing(mesh: tuple[Mesh, People]) -> None:
    """APP-06: the PIN's key must sign the read."""
    _, people = mesh
    issued = await people.issue(people.order())
    async with people.transport() as transport:
        with pytest.raises(EataError) as caught:
            await people.wallet(transport).download(CodeQr(str(issued.carnet_id), Code.random(CodeKind.PIN)))
        assert caught.value.code == "NOT_VISIBLE"


async def test_a_wrong_code_opens_no_voucher(mesh: tuple[Mesh, People]) -> None:
    """The officer with a certificate and a guess: refused by the node, and nothing was changed."""
    house, people = mesh
    issued = await people.issue(people.order())
    guess = Code.from_bytes(CodeKind.TRANSACTION, os.urandom(8))
    async with people.transport("CH") as transport:
        before = max(proxy.node.replica.state.size for proxy in house.proxies.values())
        with pytest.raises(EataError) as caught:
            await people.customs(transport, "CH-ZRH").scan(CodeQr(str(issued.carnet_id), guess))
        assert (caught.value.code, caught.value.final) == ("CODE_INVALID", False)
        assert max(proxy.node.replica.state.size for proxy in house.proxies.values()) == before


async def test_a_deleted_voucher_opens_nothing(mesh: tuple[Mesh, People]) -> None:
    """Its code is as good as unknown, to the desk's eyes as to its commit (APP-12)."""
    _, people = mesh
    async with people.transport() as transport:
        wallet = people.wallet(transport)
        carnet_id = await people.download(wallet, await people.issue(people.order()))
        [(slot, _, _)] = (await wallet.travel(carnet_id, OUT[:1])).slots
        code = wallet.code(carnet_id, slot)
        [voucher] = (await wallet.show(carnet_id)).vouchers
        await wallet.edit(carnet_id, voucher.travel_id, (Wish(Kind.VALIDATION, "CH", Items.parse("1-5")),))
        async with people.transport("CH") as desk:
            customs = people.customs(desk, "CH-ZRH")
            assert str((await customs.scan(code)).presented.items) == "1-5", "the code stays on edit (C-28)"
            await wallet.delete(carnet_id, voucher.travel_id)
            desk.session.CopyFrom(transport.session)
            with pytest.raises(EataError) as caught:
                await customs.scan(code)
            assert caught.value.code == "CODE_INVALID"


async def test_checkpoints_reach_four_signers_under_load(
    mesh: tuple[Mesh, People], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signatures meet on the same sizes, busy or not: the newest final one is never far behind."""
    house, people = mesh
    chosen_in, choose = list[int](), Cosigning.to_sign

    def noted(cosigning: Cosigning) -> tuple[int, bytes] | None:
        chosen_in.append(threading.get_ident())
        return choose(cosigning)

    monkeypatch.setattr(Cosigning, "to_sign", noted)
    load = await build(people, 150)
    await load.run(people, 4)
    replica = house.proxies["tokyo"].node.replica
    async with asyncio.timeout(10):
        while replica.cosigning.newest_final < replica.state.size:
            await replica.reach(replica.position + 1, 0.2)
    assert set(chosen_in) == {threading.get_ident()}, "what is signed is chosen between groups, where they are applied"
    signed = [
        len(stored.signatures)
        for size in range(replica.state.size)
        if (stored := replica.store.checkpoint(size)) is not None and size > 40
    ]
    assert sum(n >= 4 for n in signed) >= 2, signed
