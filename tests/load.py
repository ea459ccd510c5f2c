"""Real customs commits in volume: two author signatures each, sealed parts, stanzas, built beforehand."""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from eata_clients.authoring import clearing, holding
from eata_clients.authoring.clearing import Decision, Desk, Presented
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding, Wish
from eata_clients.net.errors import EataError
from eata_clients.net.streaming import submit_many
from eata_clients.net.submitting import Told, submit
from eata_clients.net.transport import Transport, now
from eata_clients.trust.registry import Registry
from eata_clients.trust.registry_pages import fetch
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, SetKind
from eata_ledger.log import bodies
from eata_ledger.log.declared import declaration_digest
from eata_ledger.log.entry import Entry, Part
from eata_ledger.log.keys import SigningKey
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.schedule import packet
from eata_ledger.state import Carnet
from eata_proto.v1 import ledger_pb2

from tests.mesh import People

Clerk: TypeAlias = tuple[str, Desk]  # a territory, and who sits at a desk in it
_A_STREAM, _A_TRAVEL = 24, 32
_AGAIN = 0.1  # seconds before what is only ordered is sent again
_A_CARNET, _A_TOUR = 960, 6  # importations on one carnet: by one officer, and each by another


def passing(error: EataError) -> bool:
    """It may be another's word later: a node that is away, or a refusal that one node alone has given."""
    return error.retryable or (error.by_rules and not error.confirmed)


@dataclass
class Load:
    """Commits ready to send; `acknowledged` maps entry hash to ledger index once answered."""

    registry: Registry
    entries: list[Entry]
    acknowledged: dict[bytes, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    seen: dict[str, ledger_pb2.Session] = field(default_factory=dict)  # by node, what it has shown while this was built
    final: bool = False  # only that counts as acknowledged: where nodes lie, and more than half are there
    waiting: int = 0  # clients that have sent something and are not answered

    async def send(self, transport: Transport, entry: Entry, told: Told | None = None) -> None:
        """Until it is final: the same bytes again, from whichever node is there (P7); `told` hears that it is ordered."""
        started = time.perf_counter()
        while True:
            try:
                done = await submit(transport, self.registry.charter, entry, told=told)
                if done.final or not self.final:
                    break
                await asyncio.sleep(_AGAIN)
            except EataError as error:
                if not passing(error):
                    raise
                await transport.measure()
        self.seconds.append(time.perf_counter() - started)
        self.acknowledged[entry.hash] = done.index

    async def stream(self, transport: Transport, entries: list[Entry]) -> None:
        """The same for many, over one stream at a time."""
        while left := [entry for entry in entries if entry.hash not in self.acknowledged]:
            try:
                async with aclosing(submit_many(transport, self.registry.charter, left)) as answers:
                    async for entry, answer in answers:
                        if isinstance(answer, EataError):
                            raise answer
                        if answer.final or not self.final:  # one node's word alone is none
                            self.acknowledged[entry.hash] = answer.index
                await asyncio.sleep(_AGAIN if any(entry.hash not in self.acknowledged for entry in left) else 0)
            except EataError as error:
                if not passing(error):
                    raise
                await transport.measure()

    async def run(
        self, people: People, concurrency: int, streams: bool = False, pause: float = 0.0,
        until: asyncio.Event | None = None,
    ) -> None:  # fmt: skip
        """All of it, through as many clients as asked, each preferring another node; with `streams`, every other on one.

        A client rests for `pause` seconds an entry. With `until`, no more are sent once it is set.
        """
        queue = list(reversed(self.entries))
        names = [node.name for node in people.network.nodes]

        async def client(number: int) -> None:
            async with people.transport(prefer=[names[number % len(names)]]) as transport:
                for node, session in self.seen.items():  # nobody judges these entries from before they were built
                    transport.carry(session, node)
                while queue and not (until and until.is_set()):
                    sent = [queue.pop() for _ in range(min(_A_STREAM if streams and number % 2 else 1, len(queue)))]
                    self.waiting += 1
                    if len(sent) == 1:
                        await self.send(transport, sent[0])
                    else:
                        await self.stream(transport, sent)
                    self.waiting -= 1
                    await asyncio.sleep(pause * len(sent))

        await asyncio.gather(*(client(n) for n in range(concurrency)))


def committed(people: People, count: int) -> Load:
    """Built and acknowledged, from eight clients."""

    async def story() -> Load:
        load = await build(people, count)
        await load.run(people, 8)
        return load

    return asyncio.run(story())


async def build(people: People, count: int, clerks: Iterator[Clerk] | None = None) -> Load:
    """`count` importations of one item each, on as many carnets as needed, ready to commit.

    Each by the next of `clerks`, in its territory; by one officer of the EU where none are given.
    """
    async with people.transport() as transport:
        together = _A_TOUR if clerks else _A_CARNET
        registry, clerks = await fetch(transport), clerks or itertools.repeat(("EU", people.desk("DE-BER")))
        load = Load(registry, [])
        while len(load.entries) < count:
            wanted = min(together, count - len(load.entries))
            load.entries += await _carnet(people, transport, registry, list(itertools.islice(clerks, wanted)))
        load.seen = dict(transport._sessions)
        return load


async def _carnet(
    people: People, transport: Transport, registry: Registry, clerks: list[Clerk]
) -> list[Entry]:  # fmt: skip
    wallet, count = people.wallet(transport), len(clerks)
    order = people.order(items=count, sets=1000)
    order = replace(order, box_p=tuple(sorted({*order.box_p, *(territory for territory, _ in clerks)})))
    assert order.sets[SetKind.IMPORT] >= count
    carnet_id = await people.download(wallet, await people.issue(order))
    held = wallet.holding(carnet_id)
    [(slot, _, _)] = (await wallet.travel(carnet_id, (Wish(Kind.VALIDATION, "CH", Items.span(1, count)),))).slots
    async with people.transport("CH") as member:
        customs = people.customs(member, "CH-ZRH")
        scanned = await customs.scan(wallet.code(carnet_id, slot))
        await customs.commit(scanned, Decision(scanned.presented.items))
    entries: list[Entry] = []
    carnet = Carnet.from_bytes((await wallet.show(carnet_id)).reply.record)
    for first in range(1, count + 1, _A_TRAVEL):
        items = range(first, min(first + _A_TRAVEL, count + 1))
        entry, tickets = travel(held, slot + first, items, [clerks[item - 1][0] for item in items])
        await submit(transport, registry.charter, entry)
        for item, ticket in zip(items, tickets, strict=True):
            entries.append(
                clearing.commit(
                    held.ledger, clerks[item - 1][1], ticket, Decision(ticket.items), registry.live(now()),
                    registry.issuer(carnet.issuer), Stamp(now(), 60, life=3_600_000),
                )
            )  # fmt: skip
    return entries


def travel(
    held: Holding, first_slot: int, items: range, abroad: Sequence[str] = ()
) -> tuple[Entry, list[Presented]]:  # fmt: skip
    """A travel of importations, each item `abroad` or to the EU, with random code keys; and what an officer would hold."""
    parts: list[Part] = []
    tickets = []
    for slot, (item, territory) in enumerate(zip(items, abroad or ["EU"] * len(items), strict=True), first_slot):
        wish = Wish(Kind.IMPORTATION, territory, Items.span(item, item))
        keys = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
        made = holding.declare(held, slot, wish, keys, SigningKey(os.urandom(32)).public)
        parts += made
        digest = declaration_digest(held.ledger, held.carnet_id, slot, tuple(part.info.digest for part in made))
        secret = packet(Kind.IMPORTATION, held.content_key, held.journal(slot))
        tickets.append(
            Presented(
                held.carnet_id, slot, Kind.IMPORTATION, territory, "CH", digest, wish.items, Items(), keys, secret
            )
        )
    body = bodies.Travel(held.carnet_id, os.urandom(16))
    entry = make(held.ledger, body, Stamp(now(), life=3_600_000), (held.device,), tuple(parts))
    return entry, tickets
