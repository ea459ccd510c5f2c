"""Real customs commits in volume: two author signatures each, sealed parts, stanzas, built beforehand."""

import asyncio
import os
import time
from dataclasses import dataclass, field

from eata_clients.authoring import clearing, holding
from eata_clients.authoring.clearing import Decision, Presented
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding, Wish
from eata_clients.errors import EataError
from eata_clients.registry import Registry, fetch
from eata_clients.submitting import submit
from eata_clients.transport import Transport, now
from eata_ledger.carnet.items import Items
from eata_ledger.carnet.vocabulary import Kind, SetKind
from eata_ledger.proof import bodies
from eata_ledger.proof.entry import Entry, declaration_digest
from eata_ledger.proof.keys import SigningKey
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.schedule import packet
from eata_ledger.state import Carnet

from tests.mesh import People

_A_TRAVEL = 32
_A_CARNET = 960


@dataclass
class Load:
    """Commits ready to send; `acknowledged` maps entry hash to ledger index once answered."""

    registry: Registry
    entries: list[Entry]
    acknowledged: dict[bytes, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    async def send(self, transport: Transport, entry: Entry) -> None:
        """Until it is answered: the same bytes again, from whichever node is there (P7)."""
        started = time.perf_counter()
        while True:
            try:
                done = await submit(transport, self.registry.genesis, entry)
                break
            except EataError as error:
                if not error.retryable:
                    raise
                await transport.measure()
        self.seconds.append(time.perf_counter() - started)
        self.acknowledged[entry.hash] = done.index

    async def run(self, people: People, concurrency: int) -> None:
        """All of it, through as many clients as asked, each preferring another node."""
        queue = list(reversed(self.entries))
        names = [node.name for node in people.network.nodes]

        async def client(number: int) -> None:
            async with people.transport(prefer=[names[number % len(names)]]) as transport:
                while queue:
                    await self.send(transport, queue.pop())

        await asyncio.gather(*(client(n) for n in range(concurrency)))


async def build(people: People, count: int) -> Load:
    """`count` importations of one item each, on as many carnets as needed, ready to commit."""
    async with people.transport() as transport:
        registry = await fetch(transport)
        load = Load(registry, [])
        while len(load.entries) < count:
            load.entries += await _carnet(people, transport, registry, min(_A_CARNET, count - len(load.entries)))
        return load


async def _carnet(people: People, transport: Transport, registry: Registry, count: int) -> list[Entry]:
    wallet = people.wallet(transport)
    order = people.order(items=count, sets=1000)
    assert order.sets[SetKind.IMPORT] >= count
    carnet_id = await people.download(wallet, await people.issue(order))
    held, desk = wallet.holding(carnet_id), people.desk("DE-BER")
    [(slot, _, _)] = await wallet.travel(carnet_id, (Wish(Kind.VALIDATION, "CH", Items.span(1, count)),))
    async with people.transport("CH") as member:
        customs = people.customs(member, "CH-ZRH")
        scanned = await customs.scan(wallet.code(carnet_id, slot))
        await customs.commit(scanned, Decision(scanned.presented.items))
    entries: list[Entry] = []
    carnet = Carnet.from_bytes((await wallet.show(carnet_id)).reply.record)
    for first in range(1, count + 1, _A_TRAVEL):
        items = range(first, min(first + _A_TRAVEL, count + 1))
        travel, tickets = _travel(held, slot + first, items)
        await submit(transport, registry.genesis, travel)
        for ticket in tickets:
            entries.append(
                clearing.commit(
                    held.ledger, desk, ticket, Decision(ticket.items), registry.live(now()),
                    registry.issuer(carnet.issuer), Stamp(now(), 60, life=3_600_000),
                )
            )  # fmt: skip
    return entries


def _travel(held: Holding, first_slot: int, items: range) -> tuple[Entry, list[Presented]]:
    """A travel of importations with random code keys, and what an officer would hold of each voucher."""
    declarations, parts, tickets = [], [], []
    for slot, item in enumerate(items, first_slot):
        wish = Wish(Kind.IMPORTATION, "EU", Items.span(item, item))
        keys = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
        declaration, sealed = holding.declare(held, slot, wish, keys, SigningKey(os.urandom(32)).public)
        declarations.append(declaration)
        parts += sealed
        digest = declaration_digest(
            held.ledger, held.carnet_id, declaration.to_value(), tuple(part.info for part in sealed)
        )
        secret = packet(Kind.IMPORTATION, held.content_key, held.journal(slot))
        tickets.append(
            Presented(held.carnet_id, slot, Kind.IMPORTATION, "EU", "CH", digest, wish.items, Items(), keys, secret)
        )
    body = bodies.Travel(held.carnet_id, os.urandom(16), tuple(declarations))
    entry = make(held.ledger, body, Stamp(now(), life=3_600_000), (held.device,), tuple(parts))
    return entry, tickets
