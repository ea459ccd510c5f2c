"""Guessing, enumeration, floods, oversized and slow callers: each is turned away, the others are served."""

import asyncio
import os
from collections.abc import Awaitable
from typing import Any

import grpc.aio
import pytest
from eata_clients.authoring.clearing import Decision
from eata_clients.net.errors import EataError, from_rpc
from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.qr import CodeQr
from eata_ledger.seal.codes import Code, CodeKind
from eata_node.rpc.limits import RATES, Limit
from eata_node.services import follow
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc, lists_pb2, lists_pb2_grpc, reading_pb2, reading_pb2_grpc

from tests.process.scene import ALL, Scene, refused, scene

__all__ = ["scene"]
NODE = "frankfurt"


async def code_of(call: Awaitable[Any]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return from_rpc(error).code
    except EataError as error:
        return error.code
    return ""


def limited(scene: Scene, limit: Limit, node: str = NODE) -> float:
    metrics = scene.mesh.proxies[node].node.metrics.registry
    return metrics.get_sample_value("eata_limited_total", {"limit": limit.value}) or 0.0


async def test_a_desk_that_guesses_codes_is_told_to_wait_and_the_others_are_not(scene: Scene) -> None:
    _, desk, transport = await scene.customs("CH-ZRH", prefer=NODE)
    stub = reading_pb2_grpc.CustomsStub(transport.channel(NODE))

    async def guess() -> str:
        key = SigningKey(os.urandom(32))
        body = reading_pb2.VoucherQuery(voucher_key=key.public).SerializeToString()
        signed = transport.signed("/eata.v1.Customs/Voucher", body, [desk.key, key], desk.certificate)
        return await code_of(stub.Voucher(signed, timeout=10))

    answers = [await guess() for _ in range(RATES[Limit.GUESSES].burst + 5)]
    assert answers[: RATES[Limit.GUESSES].burst] == ["CODE_INVALID"] * RATES[Limit.GUESSES].burst
    assert answers[-1] == "RATE_LIMITED"
    assert limited(scene, Limit.GUESSES) >= 1
    other, _, _ = await scene.customs("CH-ZRH", prefer=NODE)
    scanned = await other.scan(scene.qr(1))
    await other.commit(scanned, Decision(ALL))


async def test_guessing_a_pin_locks_nobody_out_of_the_carnet(scene: Scene) -> None:
    """A PIN has 75 bits: what is wrong is counted at the door, by address; a limit by carnet would be a weapon."""
    stub = reading_pb2_grpc.WalletStub(scene.public.channel(NODE))
    body = reading_pb2.CarnetQuery(carnet_id=scene.carnet_id).SerializeToString()

    async def ask(key: SigningKey) -> str:
        return await code_of(stub.Carnet(scene.public.signed("/eata.v1.Wallet/Carnet", body, [key]), timeout=10))

    assert {await ask(SigningKey(os.urandom(32))) for _ in range(60)} == {"NOT_VISIBLE"}
    assert await ask(scene.pin.sign) == ""


async def test_walking_through_carnet_ids_ends_at_the_door(scene: Scene) -> None:
    """Enumeration: what is not there and what is not yours are one answer, and soon none."""
    stub, key = reading_pb2_grpc.WalletStub(scene.public.channel(NODE)), SigningKey(os.urandom(32))
    answers = []
    for carnet_id in range(1, RATES[Limit.FAILURES].burst + 50):
        body = reading_pb2.CarnetQuery(carnet_id=carnet_id).SerializeToString()
        signed = scene.public.signed("/eata.v1.Wallet/Carnet", body, [key])
        answers.append(await code_of(stub.Carnet(signed, timeout=10)))
        if answers[-1] == "RATE_LIMITED":
            break
    assert set(answers[:-1]) == {"NOT_VISIBLE"}
    assert answers[-1] == "RATE_LIMITED"
    assert limited(scene, Limit.FAILURES) >= 1
    number = await code_of(
        ledger_pb2_grpc.LedgerStub(scene.public.channel("tokyo")).Status(ledger_pb2.StatusRequest(), timeout=5)
    )
    assert number == ""


async def test_number_lookups_are_counted_by_address(scene: Scene) -> None:
    stub = ledger_pb2_grpc.LedgerStub(scene.public.channel(NODE))
    calls = [code_of(stub.Number(ledger_pb2.NumberRequest(number=f"CHTA{n:08d}"), timeout=10)) for n in range(200)]
    answers = await asyncio.gather(*calls)
    assert answers.count("RATE_LIMITED") >= 200 - RATES[Limit.LOOKUP].burst - 10
    assert limited(scene, Limit.LOOKUP) == answers.count("RATE_LIMITED")


@pytest.mark.parametrize(("method", "size"), [("Submit", 700_000), ("Number", 70_000)])
async def test_a_request_larger_than_its_kind_is_turned_away_unread(scene: Scene, method: str, size: int) -> None:
    channel = scene.public.channel(NODE)
    call: Any = channel.unary_unary(f"/eata.v1.Ledger/{method}")
    junk = ledger_pb2.NumberRequest(number="x" * size).SerializeToString()
    assert await code_of(call(junk, timeout=10)) == "REQUEST_TOO_LARGE"
    huge = ledger_pb2.NumberRequest(number="x" * (9 << 20)).SerializeToString()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(huge, timeout=10)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_caller_who_never_reads_its_stream_holds_nobody_up(scene: Scene) -> None:
    """Slow clients: streams opened and left; as many as one may open, then no more; others go on."""
    stub, held = lists_pb2_grpc.FollowStub(scene.public.channel(NODE)), scene.wallet.holding(scene.carnet_id)

    def stream() -> Any:
        body = lists_pb2.FollowQuery(carnet_id=scene.carnet_id).SerializeToString()
        return stub.Carnet(scene.public.signed("/eata.v1.Follow/Carnet", body, [held.device]))

    left = [stream() for _ in range(8)]
    for opened in left:
        await opened.read()  # it is open, and from here on nobody reads it
    assert await code_of(stream().read()) == "RATE_LIMITED"
    indexes = [await scene.commit(slot, "CH-ZRH") for slot in (1, 2)]
    assert indexes == sorted(indexes)
    for opened in left:
        opened.cancel()


async def test_one_administrations_desks_leave_streams_for_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H13. However many desks it certifies."""
    monkeypatch.setattr(follow, "_STREAMS_A_PARTY", 2)
    await scene.commit(1, "CH-ZRH")
    await scene.commit(3, "DE-BER")

    async def stream(office: str) -> Any:
        _, desk, transport = await scene.customs(office, prefer=NODE)
        body = lists_pb2.FollowQuery().SerializeToString()
        asked = transport.signed("/eata.v1.Follow/Territory", body, [desk.key], desk.certificate)
        return lists_pb2_grpc.FollowStub(transport.channel(NODE)).Territory(asked)

    left = [await stream("DE-BER") for _ in range(2)]
    assert [(await opened.read()).type for opened in left] == ["COMMIT", "COMMIT"]
    assert await code_of((await stream("DE-BER")).read()) == "RATE_LIMITED"
    assert (await (await stream("CH-ZRH")).read()).type == "COMMIT"
    left[0].cancel()
    async with asyncio.timeout(30):
        while await code_of((await stream("DE-BER")).read()) == "RATE_LIMITED":  # until the node has seen it go
            pass


async def test_asking_too_much_with_one_key_does_not_touch_another(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eata_node.rpc import limits

    proxy = scene.mesh.proxies[NODE]
    held = scene.wallet.holding(scene.carnet_id)
    monkeypatch.setitem(proxy.node.limits._rates, Limit.IDENTITY, limits.Rate(1, 5))
    proxy.node.limits._buckets[Limit.IDENTITY].clear()
    stub = reading_pb2_grpc.WalletStub(scene.public.channel(NODE))
    body = reading_pb2.CarnetQuery(carnet_id=scene.carnet_id).SerializeToString()

    async def read() -> str:
        return await code_of(
            stub.Carnet(scene.public.signed("/eata.v1.Wallet/Carnet", body, [held.device]), timeout=10)
        )

    assert [await read() for _ in range(6)] == [""] * 5 + ["RATE_LIMITED"]
    customs, _, _ = await scene.customs("CH-ZRH", prefer=NODE)
    assert (await customs.scan(scene.qr(1))).carnet.carnet_id == scene.carnet_id


async def test_a_wrong_code_at_the_counter_stays_a_wrong_code(scene: Scene) -> None:
    customs, _, _ = await scene.customs("CH-ZRH", prefer=NODE)
    typed = Code.from_bytes(CodeKind.TRANSACTION, os.urandom(32))
    for _ in range(3):
        assert await refused(customs.scan(CodeQr(str(scene.carnet_id), typed))) == "CODE_INVALID"
