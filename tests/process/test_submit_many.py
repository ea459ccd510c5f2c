"""Many entries over one stream: each gets its own answer, in order, whatever becomes of the others."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from eata_clients.authoring import clearing
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import Stamp
from eata_clients.customs.client import CustomsDesk
from eata_clients.net import streaming
from eata_clients.net.errors import EataError, from_answer, from_rpc
from eata_clients.net.outbox import Outbox
from eata_clients.net.receipts import Committed
from eata_clients.net.streaming import submit_many
from eata_clients.net.submitting import submit
from eata_clients.net.transport import Transport, now
from eata_ledger.log.entry import Entry
from eata_ledger.log.genesis import Charter
from eata_ledger.outcomes import Outcome
from eata_ledger.wire import entry_to_proto
from eata_node.rpc.errors import ApiError, Trouble, refusal, trouble
from eata_node.rpc.limits import RATES, Limit
from eata_node.writing.proposer import Overloaded
from eata_node.writing.submit import Submitting
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from tests.load import build
from tests.mesh import Mesh, People
from tests.process.scene import Scene, scene
from tests.relay import relayed

__all__ = ["scene"]


async def through(
    transport: Transport, charter: Charter, entries: Iterable[Entry], together: int = 64
) -> list[Committed]:
    found = [answer async for _, answer in submit_many(transport, charter, entries, together=together)]
    assert all(isinstance(answer, Committed) for answer in found)
    return [answer for answer in found if isinstance(answer, Committed)]


async def codes(
    transport: Transport, charter: Charter, entries: Iterable[Entry], together: int = 64, record: bool = False
) -> list[str]:
    """What became of each, in the order of the entries: "" for accepted, else the refusal's code."""
    found = {
        entry.hash: answer.code if isinstance(answer, EataError) else ""
        async for entry, answer in submit_many(transport, charter, entries, None, record, together)
    }
    return [found[entry.hash] for entry in entries]


@pytest.mark.parametrize("together", [1, 64])
async def test_every_entry_is_answered_once_and_stands_where_its_answer_says(
    mesh: tuple[Mesh, People], together: int
) -> None:
    house, people = mesh
    load = await build(people, 150)
    async with people.transport(prefer=["mumbai"]) as transport:
        done = await through(transport, house.genesis.charter, load.entries, together)
        assert transport.session.position, "the next read sees what was acknowledged (P6)"
    await house.settled()
    assert [one.entry_hash for one in done] == [entry.hash for entry in load.entries]
    for proxy in house.proxies.values():
        assert all(proxy.node.store.whole_entry(one.index)[1].hash == one.entry_hash for one in done)


async def test_the_same_bytes_again_give_the_first_outcomes(mesh: tuple[Mesh, People]) -> None:
    """P7, from another node, in another order, twice in one message, and alone."""
    house, people = mesh
    load = await build(people, 40)
    async with people.transport(prefer=["tokyo"]) as transport:
        first = {one.entry_hash: one.index for one in await through(transport, house.genesis.charter, load.entries)}
        async with people.transport(prefer=["virginia"]) as other:
            other.carry(transport.session)
            again = await through(other, house.genesis.charter, [*reversed(load.entries), *load.entries[:5]])
            assert {one.entry_hash: one.index for one in again} == first
            alone = await submit(other, house.genesis.charter, load.entries[7])
            assert alone.index == first[load.entries[7].hash]


async def validation_then_export(scene: Scene) -> tuple[list[Entry], CustomsDesk]:
    """Two commits of one carnet; the second is refused before the first has been made."""
    customs, desk, _ = await scene.customs("CH-ZRH")
    registry, entries = await customs.registry(), []
    for slot in (1, 2):
        scanned = await customs.scan(scene.qr(slot))
        entries.append(
            clearing.commit(
                registry.genesis.ledger, desk, scanned.presented, Decision(scanned.presented.items),
                registry.live(now()), registry.issuer(scanned.carnet.issuer), Stamp(now(), 60),
            )
        )  # fmt: skip
    return entries, customs


@pytest.mark.parametrize("together", [1, 64])
@pytest.mark.parametrize("record", [False, True])
async def test_what_needs_an_earlier_entry_finds_it(scene: Scene, together: int, record: bool) -> None:
    entries, _ = await validation_then_export(scene)
    async with scene.people.transport("CH", prefer=["tokyo"]) as transport:
        assert await codes(transport, scene.mesh.genesis.charter, entries[1:]) == ["NOT_VALIDATED"]
        assert await codes(transport, scene.mesh.genesis.charter, entries, together=together, record=record) == ["", ""]


async def test_one_refusal_leaves_the_others_as_they_are(scene: Scene) -> None:
    """A forged one, one with another part than was signed, and one whose turn has not come."""
    [validation, export], _ = await validation_then_export(scene)
    load = await build(scene.people, 10)
    forged = replace(
        load.entries[0], signatures=tuple(replace(one, value=bytes(64)) for one in load.entries[0].signatures)
    )
    swapped = replace(load.entries[1], parts=load.entries[2].parts)
    async with scene.people.transport("CH", prefer=["mumbai"]) as transport:
        await scene.mesh.settled()
        before = scene.mesh.proxies["mumbai"].node.replica.state.size
        found = await codes(transport, scene.mesh.genesis.charter, [forged, export, *load.entries[2:6]])
        assert found == ["SIGNATURE_INVALID", "NOT_VALIDATED", "", "", "", ""]
        assert await codes(transport, scene.mesh.genesis.charter, [swapped, *load.entries[6:]]) == [
            "ENTRY_MALFORMED",
            "",
            "",
            "",
            "",
        ]
        size = scene.mesh.proxies["mumbai"].node.replica.state.size
        assert size - before == 8, "advice is not logged"
        assert await codes(transport, scene.mesh.genesis.charter, [validation]) == [""]


async def test_a_commit_that_is_refused_is_recorded_where_that_was_asked(scene: Scene) -> None:
    [_, export], _ = await validation_then_export(scene)
    async with scene.people.transport("CH") as transport:
        [(_, refused)] = [
            one async for one in submit_many(transport, scene.mesh.genesis.charter, [export], record=True)
        ]
        assert isinstance(refused, EataError)
        assert (refused.final, refused.code) == (True, "NOT_VALIDATED")


async def test_a_node_that_dies_midway_is_left_for_the_next_with_the_same_bytes(mesh: tuple[Mesh, People]) -> None:
    house, people = mesh
    load = await build(people, 200)
    found: list[Committed] = []
    submitting, asked = house.proxies["frankfurt"].node.submitting, 0
    assert submitting is not None
    decide = submitting._decide

    async def three_times(*given: Any) -> Any:
        """Then it answers nothing more: what is left can only be answered elsewhere."""
        nonlocal asked
        asked += 1
        return await (decide(*given) if asked <= 3 else asyncio.Event().wait())

    submitting._decide = three_times  # type: ignore[method-assign, assignment]
    async with people.transport(prefer=["frankfurt"]) as transport:
        async for _, answer in submit_many(transport, house.genesis.charter, load.entries, together=8):
            assert isinstance(answer, Committed)
            found.append(answer)
            if len(found) == 24:
                await house.proxies.pop("frankfurt").stop()
    assert {one.entry_hash for one in found} == {entry.hash for entry in load.entries}
    assert len({one.index for one in found}) == len(load.entries) == len(found)


async def test_a_silent_node_is_left_for_the_next(
    mesh: tuple[Mesh, People], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """P6: it need not end, and its stream need not break; a hedge and a question tell."""
    monkeypatch.setattr(streaming, "_OVERDUE", 10**9)
    house, people = mesh
    load = await build(people, 40)
    mumbai = next(node for node in people.network.nodes if node.name == "mumbai")
    with relayed([mumbai.public]) as [relay]:
        behind = tuple(replace(n, public=relay.address) if n == mumbai else n for n in people.network.nodes)
        async with Transport(replace(people.network, nodes=behind), prefer=["mumbai"]) as transport:
            await through(transport, house.genesis.charter, load.entries[:8])
            relay.cut = True
            async with asyncio.timeout(60):
                done = await through(transport, house.genesis.charter, load.entries[8:], together=8)
    assert len(done) == 32


@pytest.mark.parametrize("together", [1, 64])
@pytest.mark.parametrize("record", [False, True])
async def test_what_needs_an_entry_that_got_no_outcome_is_not_refused_for_it(
    scene: Scene, together: int, record: bool
) -> None:
    """The node is overloaded for a moment: the export is not told NOT_VALIDATED, and the next node takes both."""
    entries, _ = await validation_then_export(scene)
    proposer = scene.mesh.proxies["tokyo"].node.proposer
    propose, first = proposer.propose, entry_to_proto(entries[0]).header

    async def overloaded(entry: ledger_pb2.Entry, frame: bytes, receipt: bool = False) -> Any:
        if entry.header == first:
            raise Overloaded
        return await propose(entry, frame, receipt)

    proposer.propose = overloaded  # type: ignore[method-assign]

    async def requests() -> AsyncIterator[ledger_pb2.SubmitManyRequest]:
        messages = [entries] if together > 1 else [[entry] for entry in entries]
        for message in messages:
            yield ledger_pb2.SubmitManyRequest(entries=[entry_to_proto(entry) for entry in message], record=record)

    replies = await ask(scene.people, requests())
    told = [from_answer(one.refused) for reply in replies for one in reply.answers]
    assert [(error.code, error.retryable) for error in told] == [("NOT_READY", True)] * 2
    async with scene.people.transport("CH", prefer=["tokyo"]) as transport:
        assert await codes(transport, scene.mesh.genesis.charter, entries, together, record) == ["", ""]


async def test_a_sender_who_has_had_enough_is_told_so_and_keeps_what_is_left(
    mesh: tuple[Mesh, People], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, people = mesh
    load, outbox, taken = await build(people, 20), Outbox(tmp_path / "outbox"), 0
    charge = Submitting._charge

    def ten(self: Submitting, message: ledger_pb2.Entry) -> ApiError | None:
        nonlocal taken
        taken += 1
        return charge(self, message) if taken <= 10 else trouble(Trouble.RATE_LIMITED)

    monkeypatch.setattr(Submitting, "_charge", ten)
    async with people.transport(prefer=["tokyo"]) as transport:
        with pytest.raises(EataError) as caught:
            async for _ in submit_many(transport, house.genesis.charter, load.entries, outbox):
                pass
        assert caught.value.code == "RATE_LIMITED"
        monkeypatch.undo()
        left = outbox.waiting()
        assert {entry.hash for entry in left} == {entry.hash for entry in load.entries[10:]}
        assert len(await through(transport, house.genesis.charter, load.entries)) == 20


async def ask(
    people: People, requests: AsyncIterator[ledger_pb2.SubmitManyRequest], prefer: str = "tokyo"
) -> list[ledger_pb2.SubmitManyReply]:
    async with people.transport() as transport:
        call = ledger_pb2_grpc.LedgerStub(transport.channel(prefer)).SubmitMany(requests)
        return [reply async for reply in call]


@pytest.mark.parametrize(
    ("count", "padding", "code"), [(0, 0, "REQUEST_MALFORMED"), (65, 0, "REQUEST_MALFORMED"), (1, 1_200_000, "REQUEST_TOO_LARGE")]
)  # fmt: skip
async def test_a_message_out_of_its_bounds_ends_the_stream_after_the_answers_before_it(
    mesh: tuple[Mesh, People], count: int, padding: int, code: str
) -> None:
    _, people = mesh
    [entry] = (await build(people, 1)).entries

    async def requests() -> AsyncIterator[ledger_pb2.SubmitManyRequest]:
        yield ledger_pb2.SubmitManyRequest(entries=[entry_to_proto(entry)])
        wrong = entry_to_proto(replace(entry, parts=(*entry.parts, bytes(padding))))
        yield ledger_pb2.SubmitManyRequest(entries=[wrong] * count)

    async with people.transport() as transport:
        call = ledger_pb2_grpc.LedgerStub(transport.channel("tokyo")).SubmitMany(requests())
        first = await call.read()
        assert isinstance(first, ledger_pb2.SubmitManyReply)
        assert first.answers[0].reply.statement
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert from_rpc(caught.value).code == code


async def test_an_entry_that_is_too_large_is_named_alone(mesh: tuple[Mesh, People]) -> None:
    _, people = mesh
    small, large = (await build(people, 2)).entries
    swollen = replace(large, parts=(*large.parts, bytes(600_000)))

    async def requests() -> AsyncIterator[ledger_pb2.SubmitManyRequest]:
        yield ledger_pb2.SubmitManyRequest(entries=[entry_to_proto(swollen), entry_to_proto(small)])

    [reply] = await ask(people, requests())
    assert from_answer(reply.answers[0].refused).code == "ENTRY_TOO_LARGE"
    assert reply.answers[1].reply.statement


async def test_who_forges_by_the_message_is_counted_like_who_forges_by_the_call(mesh: tuple[Mesh, People]) -> None:
    house, people = mesh
    [entry] = (await build(people, 1)).entries
    forged = entry_to_proto(
        replace(entry, signatures=(replace(entry.signatures[0], value=bytes(64)), *entry.signatures[1:]))
    )

    async def forge() -> None:
        async with people.transport() as transport:
            call = ledger_pb2_grpc.LedgerStub(transport.channel("tokyo")).SubmitMany()
            for _ in range(RATES[Limit.FAILURES].burst // 50 + 3):
                await call.write(ledger_pb2.SubmitManyRequest(entries=[forged] * 50))
                reply = await call.read()
                assert isinstance(reply, ledger_pb2.SubmitManyReply)
                assert {from_answer(one.refused).code for one in reply.answers} == {"SIGNATURE_INVALID"}

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await forge()
    assert from_rpc(caught.value).code == "RATE_LIMITED"
    metrics = house.proxies["tokyo"].node.metrics.registry
    assert metrics.get_sample_value("eata_limited_total", {"limit": Limit.FAILURES.value})


async def test_what_waits_for_an_earlier_entry_is_recorded_by_nobody(scene: Scene, tmp_path: Path) -> None:
    """H2, H11: one proxy answers “not now” to the first and “refused” to the second: honest nodes get both, in their order."""
    entries, _ = await validation_then_export(scene)
    submitting = scene.mesh.proxies["frankfurt"].node.submitting
    assert submitting is not None

    async def many(request: Any, pay: Any, before: Any, refused: Any) -> ledger_pb2.SubmitManyReply:
        said = [trouble(Trouble.NOT_READY), refusal(Outcome.NOT_VALIDATED)]
        answers = [ledger_pb2.Answer(refused=refused(one)) for one in said[: len(request.entries)]]
        return ledger_pb2.SubmitManyReply(answers=answers)

    submitting.many = many  # type: ignore[method-assign]
    async with scene.people.transport("CH", prefer=["frankfurt"]) as transport:
        sent = submit_many(transport, scene.mesh.genesis.charter, entries, Outbox(tmp_path / "box"), record=True)
        found = {entry.hash: answer async for entry, answer in sent}
    assert [isinstance(found[entry.hash], Committed) for entry in entries] == [True, True]
    assert list((tmp_path / "box").iterdir()) == []
