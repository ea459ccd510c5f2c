"""P1, P6, P7 as one client after another sees them: two desks at every code, readers everywhere, proxies and core killed."""

import asyncio
import random
import shutil
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
from eata_clients.authoring import clearing
from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.holding import Wish
from eata_clients.holder.wallet import Wallet
from eata_clients.net.errors import EataError
from eata_clients.net.submitting import submit
from eata_clients.net.transport import Transport, now
from eata_clients.trust.registry import Registry
from eata_clients.trust.registry_pages import fetch
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.log.entry import Entry
from eata_ledger.outcomes import Outcome
from eata_ledger.state import Carnet
from eata_node.operator.cluster import Cluster

from scripts import debian
from tests.history import Commit, Op, Read, explained
from tests.load import travel
from tests.mesh import People, seeded_processes

CARNETS, VOUCHERS, READERS, DESKS = 4, 12, 2, 4


class Border:
    """Carnets with two commits for every voucher, and everybody who works on them at once."""

    def __init__(self, people: People, registry: Registry, seeded: random.Random) -> None:
        self.people, self.registry, self.seeded = people, registry, seeded
        self.history: list[Op] = []
        self.wallets: dict[int, Path] = {}
        self.rivals: list[tuple[int, int, Entry]] = []
        self._clients = 0
        self.left = 0

    def client(self) -> tuple[int, Transport]:
        """A client of its own, with its own nearest node."""
        self._clients += 1
        near = self.seeded.choice([node.name for node in self.people.network.nodes])
        return self._clients, self.people.transport(prefer=[near])

    async def prepare(self, transport: Transport, number: int) -> None:
        people, registry = self.people, self.registry
        wallet = people.wallet(transport, f"holder-{number}")
        carnet_id = await people.download(wallet, await people.issue(people.order(items=VOUCHERS, sets=VOUCHERS + 9)))
        held, desks = wallet.holding(carnet_id), (people.desk("DE-BER"), people.desk("FR-LYS"))
        [(slot, _, _)] = (await wallet.travel(carnet_id, (Wish(Kind.VALIDATION, "CH", Items.span(1, VOUCHERS)),))).slots
        async with people.transport("CH") as member:
            customs = people.customs(member, "CH-ZRH")
            scanned = await customs.scan(wallet.code(carnet_id, slot))
            await customs.commit(scanned, Decision(scanned.presented.items))
        entry, tickets = travel(held, slot + 1, range(1, VOUCHERS + 1))
        await submit(transport, registry.charter, entry)
        carnet = Carnet.from_bytes((await wallet.show(carnet_id)).reply.record)
        self.wallets[carnet_id] = people.home / "wallets" / f"holder-{number}"
        for ticket in tickets:
            for desk in desks:
                commit = clearing.commit(
                    held.ledger, desk, ticket, Decision(ticket.items), registry.live(now()),
                    registry.issuer(carnet.issuer), Stamp(now(), 60, life=3_600_000),
                )  # fmt: skip
                self.rivals.append((carnet_id, ticket.slot, commit))

    async def desks(self, pairs: list[list[tuple[int, int, Entry]]]) -> None:
        """Two desks, one pair of rivals after another: both begin together, each goes on until it is answered for good."""
        clients = (self.client(), self.client())
        async with clients[0][1], clients[1][1]:
            while pairs:
                both = zip(clients, pairs.pop(), strict=True)
                await asyncio.gather(*(self._commit(client, transport, entry) for (client, transport), entry in both))

    async def _commit(self, client: int, transport: Transport, rival: tuple[int, int, Entry]) -> None:
        carnet_id, slot, entry = rival
        started = time.monotonic()
        accepted = await _answered(transport, self.registry, entry)
        self.history.append(Commit(client, carnet_id, started, time.monotonic(), slot, entry.hash, accepted))

    async def reader(self, carnet_id: int, copy: Path, done: asyncio.Event) -> None:
        """A device of the holder, looking again and again, at least once after everything."""
        client, transport = self.client()
        shutil.copytree(self.wallets[carnet_id], copy)
        before: frozenset[int] = frozenset()
        async with transport:
            wallet, last = Wallet(copy, transport), False
            while not last:
                last, started = done.is_set(), time.monotonic()
                try:
                    shown = await wallet.show(carnet_id)
                except EataError as error:
                    if not error.retryable:
                        raise
                    continue
                slots = frozenset(row.slot for row, _ in shown.rows if row.kind is Kind.IMPORTATION)
                if slots != before or last:  # what has not changed says nothing new
                    self.history.append(Read(client, carnet_id, started, time.monotonic(), slots))
                before = slots
                await asyncio.sleep(self.seeded.uniform(0, 0.2))


async def _answered(transport: Transport, registry: Registry, entry: Entry) -> bool:
    while True:
        try:
            await submit(transport, registry.charter, entry)
            return True
        except EataError as error:
            if error.code == Outcome.CODE_CONSUMED.name:
                return False
            if not error.retryable:
                raise
            await transport.measure()


@pytest.fixture(params=[pytest.param("embedded", marks=pytest.mark.slow), "etcd"])
def ordered(request: pytest.FixtureRequest, home: Path, registered: Path) -> Iterator[Cluster]:
    """Six proxies on either engine, the sandbox registered."""
    if request.param == "etcd":
        debian.etcd()
    like, voters = (None, 3) if request.param == "etcd" else (registered, 0)
    with seeded_processes(home, voters, like=like) as cluster:
        yield cluster


async def _killed(cluster: Cluster, name: str) -> None:
    """A proxy, or what leads the log; it comes back at once."""
    if name == "engine" and cluster.voters is not None:
        leader = await cluster.voters.leader()
        cluster.voters.kill(leader)
        cluster.voters.start(leader)
        return
    process = "core" if name == "engine" else name
    await asyncio.to_thread(cluster.kill, process)
    await asyncio.to_thread(cluster.start, process)


def test_one_order_explains_every_answer(ordered: Cluster, tmp_path: Path, seeded: random.Random) -> None:
    cluster = ordered

    async def story() -> Border:
        people = People(cluster.home)
        async with people.transport() as transport:
            border = Border(people, await fetch(transport), seeded)
            for number in range(CARNETS):
                await border.prepare(transport, number)
        pairs = [border.rivals[n : n + 2] for n in range(0, len(border.rivals), 2)]
        seeded.shuffle(pairs)
        done = asyncio.Event()
        readers = [
            asyncio.create_task(border.reader(carnet_id, tmp_path / f"copy-{carnet_id}-{n}", done))
            for carnet_id in border.wallets for n in range(READERS)
        ]  # fmt: skip
        desks = [asyncio.create_task(border.desks(pairs[n::DESKS])) for n in range(DESKS)]
        for name in [*seeded.sample(cluster.names, 3), "engine"]:
            await asyncio.sleep(seeded.uniform(0.1, 0.5))
            await _killed(cluster, name)
        assert not all(desk.done() for desk in desks), "too little traffic"
        await asyncio.gather(*desks)
        done.set()
        await asyncio.gather(*readers)
        return border

    border = asyncio.run(story())
    commits = [op for op in border.history if isinstance(op, Commit)]
    assert len(commits) == 2 * CARNETS * VOUCHERS
    together = sum(
        first.start < second.end and second.start < first.end
        for first in commits for second in commits
        if first.carnet == second.carnet and first.slot == second.slot and first.entry < second.entry
    )  # fmt: skip
    assert together == CARNETS * VOUCHERS, "not all rivals met"
    assert sum(isinstance(op, Read) for op in border.history) > CARNETS * READERS * 2
    assert all(op.end < inf for op in border.history)
    assert explained(border.history) == []
