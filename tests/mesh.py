"""A real cluster inside one test process: six proxies and a core, real gRPC with TLS, real RocksDB.

Everything a proxy is made of is the shipped class; only the processes are missing, so that a test can look
inside and record what passes inside TLS.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import grpc.aio
from eata_clients.authoring import clearing
from eata_clients.authoring.clearing import Desk
from eata_clients.authoring.content import CarnetContent, Goods
from eata_clients.authoring.issuing import Issued, Order
from eata_clients.customs import CustomsClient
from eata_clients.issuer import IssuerClient, read_party
from eata_clients.network import Identity, Network, Node
from eata_clients.registry import fetch
from eata_clients.sandbox import registrations
from eata_clients.submitting import submit
from eata_clients.transport import Transport, now
from eata_clients.wallet import WalletClient
from eata_ledger.carnet.dates import local_day
from eata_ledger.carnet.vocabulary import Role, SetKind
from eata_ledger.proof.keys import SigningKey
from eata_ledger.proof.qr import CodeQr
from eata_node.cluster import Cluster, create, running
from eata_node.commands import write_network
from eata_node.config import ClusterFile, read_genesis
from eata_node.engine.core import CoreServer
from eata_node.server import Proxy, Setup
from eata_node.tls import Authority

MEMBERS = ("CH", "DE", "FR", "RS", "US", "XS", "XB", "CH-ALLIANCE", "ES-CAMARA", "ICC-AUDIT")
ADMINISTRATION = {
    "RS-BEG": "RS",
    "US-JFK": "US",
    "CH-ZRH": "CH",
    "DE-BER": "DE",
    "FR-LYS": "FR",
    "XS-KLOW": "XS",
    "XB-SZOHOD": "XB",
}


def network_of(home: Path) -> Network:
    cluster = ClusterFile.read(home)
    nodes = tuple(Node(n.name, n.public, n.members) for n in cluster.nodes)
    return Network(bytes.fromhex(cluster.ledger), nodes, (home / "tls" / "ca.pem").read_bytes())


def prepare(home: Path) -> None:
    """A cluster's folders, with every sandbox member admitted."""
    create(home, "test", first_id=883)
    authority = Authority(home / "tls")
    for member in MEMBERS:
        authority.admit(f"org:{member}", home / "offices" / member)


async def register(home: Path, transport: Transport) -> None:
    """The sandbox's registry, signed and ordered."""
    source = json.loads((files("eata_clients") / "sandbox.json").read_text(encoding="utf-8"))
    genesis = (await fetch(transport)).genesis
    for entry in registrations(source, home / "offices", genesis.ledger):
        await submit(transport, genesis, entry)


@contextmanager
def seeded_processes(home: Path) -> Iterator[Cluster]:
    """Seven real processes with the sandbox registered."""
    prepare(home)
    with running(home) as cluster:
        write_network(home)

        async def seed() -> None:
            async with People(home).transport() as transport:
                await register(home, transport)

        asyncio.run(seed())
        yield cluster


class People:
    """Clients of a live cluster, one folder each, as in the field."""

    def __init__(self, home: Path) -> None:
        self.home, self.network = home, network_of(home)
        self._serial = 0

    def transport(self, member: str | None = None, prefer: Sequence[str] = ()) -> Transport:
        identity = None if member is None else Identity.read(self.home / "offices" / member)
        return Transport(self.network, identity, prefer)

    def order(self, items: int = 20, holder: str = "Muster AG", goods: str = "crate", sets: int = 9) -> Order:
        self._serial += 1
        lines = tuple(Goods(n, f"{goods} {n}", 1, "CH", 235_140, "1 kg") for n in range(1, items + 1))
        content = CarnetContent(holder, (), "Exhibitions", "CHF", ("EU",), lines)
        number, until = f"CHTA{self._serial:08d}", local_day(now(), 0) + 30
        return Order(number, "CH", ("EU", "XS"), until, dict.fromkeys(SetKind, sets), content, True)

    async def issue(self, order: Order) -> Issued:
        folder = self.home / "offices" / "CH-ALLIANCE"
        async with self.transport("CH-ALLIANCE") as transport:
            client = IssuerClient(folder, transport, read_party(folder / "party.cbor"))
            issued, _ = await client.issue(order.number, order)
            return issued

    async def download(self, wallet: WalletClient, issued: Issued) -> int:
        """Downloads, enrols and signs; returns the carnet ID."""
        shown = await wallet.download(CodeQr(str(issued.carnet_id), issued.pin))
        await wallet.sign(shown.carnet.carnet_id)
        return shown.carnet.carnet_id

    def wallet(self, transport: Transport, name: str = "holder") -> WalletClient:
        return WalletClient(self.home / "wallets" / name, transport)

    def desk(self, office: str, role: Role = Role.OFFICER) -> Desk:
        key = SigningKey((self.home / "offices" / ADMINISTRATION[office] / "desk-authority.key").read_bytes())
        return clearing.sign_in(self.network.ledger, key, office, role, now())

    def customs(self, transport: Transport, office: str, desk: Desk | None = None) -> CustomsClient:
        return CustomsClient(self.home / "offices" / ADMINISTRATION[office], transport, desk or self.desk(office))


class Mesh:
    """Six proxies and a core in this event loop."""

    def __init__(self, home: Path, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()) -> None:
        prepare(home)
        self.home, self._interceptors = home, interceptors
        self.cluster = ClusterFile.read(home)
        for node in self.cluster.nodes:
            node.metrics = 0
        self.genesis = read_genesis(home)
        self.proxies: dict[str, Proxy] = {}

    async def start(self) -> "People":
        self.core = CoreServer(self.home / "core", self.genesis, self.cluster.core.members)
        await self.core.start()
        for node in self.cluster.nodes:
            await self.start_proxy(node.name)
        for name in self.proxies:
            await self.ready(name)
        people = People(self.home)
        async with people.transport() as transport:
            await register(self.home, transport)
        return people

    async def start_proxy(self, name: str) -> Proxy:
        folder = self.home / "nodes" / name
        proxy = Proxy(Setup(name, folder, self.genesis, self.cluster, interceptors=self._interceptors))
        await proxy.start()
        self.proxies[name] = proxy
        return proxy

    async def ready(self, name: str) -> None:
        """Until the proxy writes."""
        proxy = self.proxies[name]
        async with asyncio.timeout(30):
            while proxy.proposer.incarnation == 0 or proxy._ledger.submitting is None:
                await proxy.replica.reach(proxy.replica.position + 1, 0.1)

    async def settled(self) -> None:
        """Until all six stand at the same position."""
        async with asyncio.timeout(30):
            while True:
                top = max(proxy.replica.position for proxy in self.proxies.values())
                for proxy in self.proxies.values():
                    await proxy.replica.reach(top, 5)
                if len({proxy.replica.position for proxy in self.proxies.values()}) == 1:
                    return

    async def stop(self) -> None:
        await asyncio.gather(*(proxy.stop() for proxy in self.proxies.values()))
        await self.core.stop()
