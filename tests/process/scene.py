"""One carnet with three vouchers on six proxies, and desks wherever a test asks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from eata_clients.authoring.clearing import Decision, Desk
from eata_clients.authoring.content import NoticeDetails
from eata_clients.authoring.holding import Wish
from eata_clients.customs.client import CustomsDesk
from eata_clients.holder.wallet import Wallet
from eata_clients.net.errors import EataError
from eata_clients.net.transport import Transport
from eata_clients.opened.lists import Lists, openers
from eata_host.vault import read_key
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Role
from eata_ledger.proof.qr import CodeQr
from eata_ledger.seal.codes import CodeKeys, CodeKind, code_keys

from tests.mesh import ADMINISTRATION, Mesh, People

ALL = Items.parse("1-20")
OUT = (Wish(Kind.VALIDATION, "CH", ALL), Wish(Kind.EXPORTATION, "CH", ALL), Wish(Kind.IMPORTATION, "EU", ALL))
DETAILS = NoticeDetails(1_795_000_000_000, True, "", "Road", "ZH 1", "Agent", "EORI", "Basel", "CH", "two vans", "")


@dataclass
class Scene:
    """A downloaded, signed carnet with three vouchers, and desks wherever a test asks."""

    mesh: Mesh
    people: People
    stack: AsyncExitStack
    wallet: Wallet
    carnet_id: int
    public: Transport
    pin: CodeKeys

    async def customs(
        self, office: str, role: Role = Role.OFFICER, prefer: str = ""
    ) -> tuple[CustomsDesk, Desk, Transport]:
        made = self.people.transport(ADMINISTRATION[office], [prefer] if prefer else ())
        transport = await self.stack.enter_async_context(made)
        desk = self.people.desk(office, role)
        return self.people.customs(transport, office, desk), desk, transport

    def qr(self, slot: int, kind: CodeKind = CodeKind.TRANSACTION) -> CodeQr:
        return self.wallet.code(self.carnet_id, slot, kind)

    async def commit(self, slot: int, office: str) -> int:
        customs, _, _ = await self.customs(office)
        scanned = await customs.scan(self.qr(slot))
        return (await customs.commit(scanned, Decision(scanned.presented.items))).index

    async def lists(self, office: str, role: Role = Role.OFFICER, *territories: str) -> Lists:
        _, desk, transport = await self.customs(office, role)
        home = self.people.home / "offices" / ADMINISTRATION[office]
        seeds = [read_key(home / f"territory-{territory}.key") for territory in territories]
        return Lists(transport, desk, openers(*seeds))


@dataclass(frozen=True)
class Travelled:
    """A stopped cluster with the carnet and its vouchers, for many to begin as."""

    home: Path
    carnet_id: int
    pin: CodeKeys


@pytest.fixture(scope="session")
def travelled(tmp_path_factory: pytest.TempPathFactory, registered: Path) -> Travelled:
    home = tmp_path_factory.mktemp("travelled") / "home"

    async def made() -> Travelled:
        mesh = Mesh(home, like=registered)
        people = await mesh.start()
        async with people.transport() as public:
            wallet = people.wallet(public)
            carnet_id = await people.download(wallet, issued := await people.issue(people.order()))
            await wallet.travel(carnet_id, OUT)
        await mesh.settled()
        await mesh.stop()
        return Travelled(home, carnet_id, code_keys(issued.pin, people.network.ledger, carnet_id))

    return asyncio.run(made())


@pytest_asyncio.fixture
async def scene(tmp_path: Path, travelled: Travelled) -> AsyncIterator[Scene]:
    mesh = Mesh(tmp_path / "home", like=travelled.home)
    people = await mesh.start()
    people.order()  # its number is the carnet's that is there already
    async with AsyncExitStack() as stack:
        public = await stack.enter_async_context(people.transport())
        yield Scene(mesh, people, stack, people.wallet(public), travelled.carnet_id, public, travelled.pin)
    await mesh.stop()


async def refused(work) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(EataError) as caught:
        await work
    return caught.value.code
