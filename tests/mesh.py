"""A real cluster inside one test process: six proxies and a core, real gRPC with TLS, real RocksDB.

Everything a proxy is made of is the shipped class; only the processes are missing, so that a test can look
inside and record what passes inside TLS.
"""

import asyncio
import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from weakref import WeakSet

import grpc.aio
from eata_clients.authoring import clearing
from eata_clients.authoring.clearing import Desk
from eata_clients.authoring.content import CarnetContent, Goods
from eata_clients.authoring.issuing import Issued, Order
from eata_clients.customs.client import CustomsDesk
from eata_clients.holder.devices import Devices
from eata_clients.holder.wallet import Wallet
from eata_clients.issuer.client import Issuer, read_party
from eata_clients.net.network import ClientIdentity, Network, NodeAddress
from eata_clients.net.receipts import Committed
from eata_clients.net.streaming import submit_many
from eata_clients.net.transport import Transport, now
from eata_clients.sandbox.registrations import registrations
from eata_clients.trust.registry_pages import fetch
from eata_host.vault import read_key
from eata_ledger.carnet.dates import local_day
from eata_ledger.carnet.vocabulary import Role, SetKind
from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.qr import CodeQr
from eata_ledger.rules import VERSION
from eata_node.engine.core import CoreServer
from eata_node.engine.members import Members
from eata_node.ground.config import ClusterFile, read_genesis
from eata_node.operator.cluster import REGIONS, Cluster, assign_ports, create, running
from eata_node.operator.commands import write_network
from eata_node.process.server import Proxy, Setup
from eata_node.rpc.tls import Authority
from eata_node.writing.proposer import wall_clock

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
    nodes = tuple(NodeAddress(n.name, n.public, n.members) for n in cluster.nodes)
    return Network(bytes.fromhex(cluster.ledger), nodes, (home / "tls" / "ca.pem").read_bytes())


def prepare(
    home: Path, voters: int = 0, quota: int = 0, rules: int = VERSION, regions: tuple[str, ...] = REGIONS
) -> ClusterFile:  # fmt: skip
    """A cluster's folders, with every sandbox member admitted; on `voters` etcd members, or on the embedded core."""
    create(home, "test", first_id=883, regions=regions, voters=voters, rules=rules)
    if quota:
        cluster = ClusterFile.read(home)
        cluster.quota = quota
        cluster.write(home)
    authority = Authority(home / "tls")
    for member in MEMBERS:
        authority.admit(f"org:{member}", home / "offices" / member)
    return ClusterFile.read(home)


async def register(home: Path, transport: Transport) -> None:
    """The sandbox's registry, signed and ordered."""
    source = json.loads((files("eata_clients.sandbox") / "sandbox.json").read_text(encoding="utf-8"))
    charter = (await fetch(transport)).charter
    async for _, answer in submit_many(transport, charter, registrations(source, home / "offices", charter.ledger)):
        assert isinstance(answer, Committed), answer


def begin_as(home: Path, like: Path) -> None:
    """A copy of a stopped cluster, on ports of its own."""
    shutil.copytree(like, home)
    assign_ports(home, read_genesis(home))


@contextmanager
def seeded_processes(home: Path, voters: int = 0, quota: int = 0, like: Path | None = None) -> Iterator[Cluster]:
    """Six proxies and their engine as real processes, with the sandbox registered; `like` a stopped cluster that has it."""
    if like is None:
        prepare(home, voters, quota)
        with seeded(home) as cluster:
            yield cluster
    else:
        begin_as(home, like)
        with running(home) as cluster:
            write_network(home)
            yield cluster


def metric(cluster: Cluster, name: str, wanted: str) -> float:
    """What Prometheus would read at a proxy."""
    port = cluster.file.node(name).metrics
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().split("\n")
    return next(float(line.partition(" ")[2]) for line in lines if line.startswith(f"{wanted} "))


@contextmanager
def seeded(home: Path, voters: Members | None = None) -> Iterator[Cluster]:
    """The processes of a cluster that has been prepared."""
    with running(home, voters) as cluster:
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
        self._doors: WeakSet[Transport] = WeakSet()

    def transport(self, member: str | None = None, prefer: Sequence[str] = ()) -> Transport:
        identity = None if member is None else ClientIdentity.read(self.home / "offices" / member)
        made = Transport(self.network, identity, prefer)
        self._doors.add(made)
        return made

    def tell(self, known: Transport) -> None:
        """The letter with the PIN arrives: from here on nobody is shown less than its sender was (P6)."""
        for door in self._doors:
            door.carry(known.session)

    def order(self, items: int = 20, holder: str = "Muster AG", goods: str = "crate", sets: int = 9) -> Order:
        self._serial += 1
        lines = tuple(Goods(n, f"{goods} {n}", 1, "CH", 235_140, "1 kg") for n in range(1, items + 1))
        content = CarnetContent(holder, (), "Exhibitions", "CHF", 2, ("EU",), lines)
        number, until = f"CHTA{self._serial:08d}", local_day(now(), 0) + 30
        return Order(number, "CH", ("EU", "XS"), until, dict.fromkeys(SetKind, sets), content, True)

    async def issue(self, order: Order) -> Issued:
        folder = self.home / "offices" / "CH-ALLIANCE"
        async with self.transport("CH-ALLIANCE") as transport:
            client = Issuer(folder, transport, read_party(folder / "party.cbor"))
            issued, _ = await client.issue(order.number, order)
            self.tell(transport)
            return issued

    async def download(self, wallet: Wallet, issued: Issued) -> int:
        """Signs on a first device; returns the carnet ID."""
        await wallet.sign(CodeQr(str(issued.carnet_id), issued.pin))
        return issued.carnet_id

    async def admit(self, first: Wallet, second: Wallet, carnet_id: int) -> None:
        """A second device of the same holder."""
        await Devices(first).admit(await Devices(second).request(str(carnet_id)))
        await second.show(carnet_id)

    def wallet(self, transport: Transport, name: str = "holder") -> Wallet:
        return Wallet(self.home / "wallets" / name, transport)

    def desk(self, office: str, role: Role = Role.OFFICER) -> Desk:
        key = SigningKey(read_key(self.home / "offices" / ADMINISTRATION[office] / "desk-authority.key"))
        return clearing.sign_in(self.network.ledger, key, office, role, now())

    def customs(self, transport: Transport, office: str, desk: Desk | None = None) -> CustomsDesk:
        return CustomsDesk(self.home / "offices" / ADMINISTRATION[office], transport, desk or self.desk(office))


class Mesh:
    """Six proxies and a core in this event loop."""

    def __init__(
        self, home: Path, interceptors: Sequence[grpc.aio.ServerInterceptor] = (), rules: int = VERSION,
        like: Path | None = None,
    ) -> None:  # fmt: skip
        """`like`: a stopped cluster to begin as, its sandbox registered."""
        self._registered = like is not None
        if like is None:
            prepare(home, rules=rules)
        else:
            begin_as(home, like)
        self.home, self._interceptors = home, interceptors
        self.cluster = ClusterFile.read(home)
        for node in self.cluster.nodes:
            node.metrics = 0
        self.genesis = read_genesis(home)
        self.proxies: dict[str, Proxy] = {}
        self._stopped = False

    async def start(self, known: dict[str, int] | None = None) -> "People":
        """`known`: the newest rules of a node's build, where it is an older one."""
        self.core = CoreServer(self.home / "core", self.genesis, self.cluster.core.members)
        await self.core.start()
        for node in self.cluster.nodes:
            await self.start_proxy(node.name, (known or {}).get(node.name, VERSION))
        for name in self.proxies:
            await self.ready(name)
        people = People(self.home)
        if not self._registered:
            async with people.transport() as transport:
                await register(self.home, transport)
        return people

    async def start_proxy(self, name: str, rules: int = VERSION, clock: Callable[[], int] = wall_clock) -> Proxy:
        folder = self.home / "nodes" / name
        proxy = Proxy(Setup(name, folder, self.genesis, self.cluster, clock, self._interceptors, rules))
        await proxy.start()
        self.proxies[name] = proxy
        return proxy

    async def ready(self, name: str) -> None:
        """Until the proxy writes."""
        proxy = self.proxies[name]
        async with asyncio.timeout(30):
            while proxy.node.proposer.incarnation == 0 or proxy.node.submitting is None:
                assert not proxy.node.replica.halted, proxy.node.replica.halted
                await proxy.node.replica.reach(proxy.node.replica.position + 1, 0.1)

    async def settled(self) -> None:
        """Until all six stand at the same position."""
        async with asyncio.timeout(30):
            while True:
                top = max(proxy.node.replica.position for proxy in self.proxies.values())
                for proxy in self.proxies.values():
                    await proxy.node.replica.reach(top, 5)
                if len({proxy.node.replica.position for proxy in self.proxies.values()}) == 1:
                    return

    async def stop(self) -> None:
        """Once; what has been stopped stays stopped."""
        if not self._stopped:
            self._stopped = True
            await asyncio.gather(*(proxy.stop() for proxy in self.proxies.values()))
            await self.core.stop()
