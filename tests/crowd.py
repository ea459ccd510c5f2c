"""Random clients that take random carnets on random journeys, each through a random proxy."""

import random
from collections import Counter
from contextlib import AsyncExitStack

from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import remarks
from eata_clients.authoring.holding import Wish
from eata_clients.customs.client import CustomsDesk
from eata_clients.holder.wallet import Wallet
from eata_clients.net.errors import EataError
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, VoucherState, Warning
from eata_ledger.seal.codes import CodeKind

from tests.mesh import ADMINISTRATION, Mesh, People

OFFICES = {"CH": ("CH-ZRH",), "EU": ("DE-BER", "FR-LYS"), "XS": ("XS-KLOW",)}
WISHES = ((Kind.EXPORTATION, "CH"), (Kind.IMPORTATION, "EU"), (Kind.REEXPORTATION, "EU"), (Kind.REIMPORTATION, "CH"),
          (Kind.TRANSIT_OPEN, "XS"), (Kind.TRANSIT_CLOSE, "XS"))  # fmt: skip


class Crowd:
    """Two carnets, whoever handles them, and what became of each act."""

    def __init__(self, mesh: Mesh, people: People, stack: AsyncExitStack, rng: random.Random) -> None:
        self.mesh, self.people, self.stack, self.rng = mesh, people, stack, rng
        self.outcomes: Counter[str] = Counter()
        self.carnets: list[int] = []

    async def wallet(self) -> Wallet:
        prefer = [self.rng.choice(sorted(self.mesh.proxies))]
        return self.people.wallet(await self.stack.enter_async_context(self.people.transport(prefer=prefer)))

    async def issue(self) -> None:
        wallet = await self.wallet()
        carnet_id = await self.people.download(wallet, await self.people.issue(self.people.order()))
        self.carnets.append(carnet_id)
        [(slot, _, _)] = (await wallet.travel(carnet_id, (Wish(Kind.VALIDATION, "CH", Items.parse("1-20")),))).slots
        await self.commit(wallet, carnet_id, slot, "CH")

    async def step(self) -> None:
        wallet, carnet_id = await self.wallet(), self.rng.choice(self.carnets)
        act = self.rng.choice(["travel", "commit", "commit", "commit", "cancel", "renew", "hold"])
        try:
            await getattr(self, f"try_{act}")(wallet, carnet_id)
            self.outcomes[act] += 1
        except EataError as error:
            self.outcomes[error.code] += 1

    async def try_travel(self, wallet: Wallet, carnet_id: int) -> None:
        kind, place = self.rng.choice(WISHES)
        first = self.rng.randint(1, 20)
        items = Items.span(first, self.rng.randint(first, 20))
        await wallet.travel(carnet_id, (Wish(kind, place, items),))

    async def try_commit(self, wallet: Wallet, carnet_id: int) -> None:
        vouchers = (await wallet.show(carnet_id)).vouchers
        open_ones = [v for v in vouchers if v.state is VoucherState.PREPARED]
        if open_ones:
            chosen = self.rng.choice(open_ones)
            await self.commit(wallet, carnet_id, chosen.slot, chosen.territory)

    async def commit(self, wallet: Wallet, carnet_id: int, slot: int, place: str) -> None:
        customs = await self.customs(place)
        scanned = await customs.scan(wallet.code(carnet_id, slot))
        decision = Decision(scanned.presented.items, acknowledged=tuple(Warning), remarks=remarks(reason="random"))
        await customs.commit(scanned, decision)

    async def customs(self, place: str) -> CustomsDesk:
        office = self.rng.choice(OFFICES[place])
        prefer = [self.rng.choice(sorted(self.mesh.proxies))]
        transport = await self.stack.enter_async_context(self.people.transport(ADMINISTRATION[office], prefer))
        return self.people.customs(transport, office)

    async def try_cancel(self, wallet: Wallet, carnet_id: int) -> None:
        rows = [row for row, _ in (await wallet.show(carnet_id)).rows if row.cancelled is None]
        if not rows:
            return
        row = self.rng.choice(rows)
        code = wallet.code(carnet_id, row.slot, CodeKind.CANCELLATION)
        await (await self.customs(row.territory)).cancel(code, row.index, "random")

    async def try_renew(self, wallet: Wallet, carnet_id: int) -> None:
        await wallet.renew(carnet_id, self.rng.choice((await wallet.show(carnet_id)).vouchers).slot)

    async def try_hold(self, wallet: Wallet, carnet_id: int) -> None:
        customs = await self.customs("EU")
        await customs.hold(carnet_id, "random")
        await customs.release(carnet_id)
