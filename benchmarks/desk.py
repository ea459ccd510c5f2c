"""What people wait for, on six replicas: the desk, the wallet, the issuer, the auditor; one after the other, interleaved."""

import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.holding import Wish
from eata_clients.authoring.issuing import Issued
from eata_clients.customs.client import CustomsDesk
from eata_clients.customs.verdict import Word, verdict
from eata_clients.holder.wallet import Wallet
from eata_clients.issuer.client import read_party
from eata_clients.net.transport import Transport
from eata_clients.trust.auditor import Auditor
from eata_ledger.carnet.dates import local_day
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.log.keys import SigningKey, verify
from eata_node.replica.store import Store
from rich.console import Console

from benchmarks.ledgers import Ledger, ledger
from benchmarks.measuring import Call, Figure, at_times, closed, machine
from tests.mesh import People

_ITEMS, _MANY = 20, 1_000
_QUEUE = 4.0  # people a second before the desks


@dataclass
class _Day:
    """One holder after another: issued, downloaded, scanned, committed."""

    people: People
    customs: CustomsDesk
    wallet: Wallet
    items: int = _ITEMS
    issued: list[Issued] = field(default_factory=list)
    carnets: list[int] = field(default_factory=list)
    slots: list[tuple[int, int]] = field(default_factory=list)

    def calls(self) -> dict[str, Call]:
        return {
            "issue a carnet": self._issue, "wallet: download and sign": self._download, "wallet: read again": self._read,
            "wallet: prepare two vouchers": self._prepare, "desk: scan to decision": self._decide,
            "desk: scan to receipt": self._commit,
        }  # fmt: skip

    async def _issue(self, _: int) -> None:
        self.issued.append(await self.people.issue(self.people.order(self.items)))

    async def _download(self, number: int) -> None:
        self.carnets.append(await self.people.download(self.wallet, self.issued[number]))

    async def _read(self, number: int) -> None:
        """With the session token: never older than what this wallet has seen."""
        await self.wallet.show(self.carnets[number])

    async def _prepare(self, number: int) -> None:
        every = Items.span(1, self.items)
        wishes = (Wish(Kind.VALIDATION, "CH", every), Wish(Kind.EXPORTATION, "CH", every))
        [(first, _, _), _] = (await self.wallet.travel(self.carnets[number], wishes)).slots
        self.slots.append((self.carnets[number], first))

    async def _decide(self, number: int) -> None:
        scanned = await self.customs.scan(self.wallet.code(*self.slots[number]))
        word = verdict(
            scanned, Decision(scanned.presented.items), local_day(time.time_ns() // 1_000_000, 60), True
        ).word
        assert word is not Word.STOP, "it may be committed"

    async def _commit(self, number: int) -> None:
        scanned = await self.customs.scan(self.wallet.code(*self.slots[number]))
        await self.customs.commit(scanned, Decision(scanned.presented.items))


async def run(folder: Path, carnets: int, console: Console) -> dict[str, Any]:
    """Figures of every step, a queue before the desks, and the audit's rate beside bare verification."""
    facts, figures = machine(), list[Figure]()
    async with ledger("six replicas", folder / "ledger", 0) as running, AsyncExitStack() as stack:
        people = running.people
        public = await stack.enter_async_context(people.transport())
        member = await stack.enter_async_context(people.transport("CH"))
        day = _Day(people, people.customs(member, "CH-ZRH"), people.wallet(public))
        for what, call in day.calls().items():
            with console.status(f"{what}, {carnets} times"):
                figures.append(await closed(what, call, 1, carnets, running.peer.pids))
        long = _Day(people, day.customs, day.wallet, _MANY)
        for what, call in long.calls().items():
            with console.status(f"{what}, {_MANY:,} items"):
                figures.append(await closed(f"{_MANY:,} items: {what}", call, 1, carnets, running.peer.pids))
        queue = iter(range(carnets, 2 * carnets))
        for what in ("issue a carnet", "wallet: download and sign", "wallet: prepare two vouchers"):
            call = day.calls()[what]
            for number in range(carnets, 2 * carnets):
                await call(number)
        with console.status(f"a queue of {carnets}"):
            figures.append(await _queue(day, queue, carnets, running))
        with console.status("auditing"):
            auditor = await stack.enter_async_context(people.transport("ICC-AUDIT"))
            audited = await _audit(people, auditor, running)
    return {
        "machine": facts, "settings": running.peer.settings, "ratios": audited,
        "figures": [vars(figure) for figure in figures],
    }  # fmt: skip


async def _queue(day: _Day, left: Iterator[int], count: int, running: Ledger) -> Figure:
    """People come at a fixed rate, served or not: scan to receipt as the last in the line feels it."""
    numbers = list(left)

    async def call(number: int) -> None:
        await day.calls()["desk: scan to receipt"](numbers[number])

    due = [number / _QUEUE for number in range(count)]
    return await at_times("desk: a queue, to receipt", call, due, f"{_QUEUE:g}/s", running.peer.pids)


async def _audit(people: People, transport: Transport, running: Ledger) -> dict[str, float]:
    """What one core audits in a second, beside bare Ed25519 verification in the same process."""
    party = read_party(people.home / "offices" / "ICC-AUDIT" / "party.cbor")
    checked = counted(running)
    rates, entries = [], 0.0
    for _ in range(3):
        bare, started = _bare(), time.process_time()
        report = await Auditor(transport, party).audit(running.cluster.names[0])
        spent = time.process_time() - started
        entries = report.entries / spent
        rates.append(entries * checked / bare)
    return {
        "audit: entries a second of one core": round(entries),
        "audit: signatures checked ÷ bare Ed25519 verifies, per core": round(statistics.median(rates), 3),
    }


def counted(running: Ledger) -> float:
    """Signatures an entry carries, on average; certificates are checked once and not counted."""
    name = running.cluster.names[0]
    running.cluster.stop(name)
    store = Store.open(running.cluster.home / "nodes" / name)
    state = store.log_state()
    assert state is not None, "it has followed"
    signatures = [len(stored.signatures) for index in range(state[0].size) if (stored := store.entry(index))]
    store.close()
    running.cluster.start(name)
    running.cluster.wait(name)
    return statistics.mean(signatures)


def _bare(count: int = 2_000) -> float:
    """Verifications a second of this core."""
    key, message = SigningKey(bytes(range(32))), bytes(300)
    signature, started = key.sign(message), time.process_time()
    for _ in range(count):
        verify(key.public, signature, message)
    return count / (time.process_time() - started)
