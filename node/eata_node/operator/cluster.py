"""A cluster on one machine: made, started, watched, killed and stopped. One core and six proxies."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
from eata_host.files import write_durable
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.keys import SigningKey
from eata_ledger.log.opening import first_era
from eata_ledger.rules import VERSION
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc, node_pb2, node_pb2_grpc

from eata_node.engine.access import ENGINE, KEEPER, ROOT, VOTER, admitted, authority_of, protect, user_of
from eata_node.engine.etcd import EtcdEngine
from eata_node.engine.interface import EngineDown, Head
from eata_node.engine.log_store import LogDisk, LogStore
from eata_node.engine.members import Members, assign
from eata_node.ground.config import (
    ClusterFile,
    Member,
    NodeKeys,
    free_ports,
    make_passphrase,
    read_genesis,
    taken,
    write_locked,
)
from eata_node.rpc.tls import CHANNEL_OPTIONS, Authority, Identity, public_key_of

_READY, _OPENED = 60.0, 60.0  # seconds for a proxy to follow; for etcd to elect and to take an opening
REGIONS = ("frankfurt", "virginia", "sao-paulo", "johannesburg", "mumbai", "tokyo")


def create(
    home: Path,
    name: str,
    first_id: int,
    regions: tuple[str, ...] = REGIONS,
    root: tuple[int, int] = (1, 1),
    voters: int = 0,
    rules: int = VERSION,
) -> Genesis:
    """Keys, certificates, genesis and era 1 of a cluster in `home`; `root` is (threshold, keys), 1-of-1 to develop."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    home.chmod(0o700)  # it may have been there
    make_passphrase(home)
    authority = Authority(home / "tls")
    threshold, roots = root
    keepers, operations = [SigningKey(os.urandom(32)) for _ in range(roots)], SigningKey(os.urandom(32))
    offices = home / "offices" / "icc"
    authority.admit("org:icc", offices)
    for n, keeper in enumerate(keepers, 1):
        write_locked(offices / ("root.key" if roots == 1 else f"root-{n}.key"), keeper.seed)
    write_locked(offices / "operations.key", operations.seed)
    records = []
    for region in regions:
        folder = home / "nodes" / region
        keys = NodeKeys.create(folder)
        authority.admit(f"node:{region}", folder)
        records.append(keys.record(region, public_key_of((folder / "tls.pem").read_bytes())))
    genesis = Genesis(
        1, name, time.time_ns() // 1_000_000, tuple(k.public for k in keepers), threshold, operations.public,
        tuple(records), rules, first_id, 1,
    )  # fmt: skip
    write_durable(home / "genesis.cbor", genesis.to_bytes())
    opening = first_era(genesis, tuple(keepers[:threshold]))
    write_durable(home / "era.cbor", opening)
    authority.admit("node:core", home / "core")
    log = LogStore(LogDisk(home / "core"), genesis)
    log.refill(0, opening)
    log.go_live()
    log.close()
    assign_ports(home, genesis)
    if voters:
        choose_engine(home, "etcd", voters)
    return genesis


def choose_engine(home: Path, engine: str, voters: int, endpoints: Sequence[str] = ()) -> None:
    """`embedded`, or `etcd`: so many voters on this machine, or the members at the endpoints, whoever runs them."""
    cluster = ClusterFile.read(home)
    cluster.engine, cluster.etcd = engine, [] if endpoints else assign(voters)
    cluster.endpoints = list(endpoints) or [member.client for member in cluster.etcd]
    if endpoints:
        Authority(authority_of(home))
    for n, endpoint in enumerate(endpoints, 1):  # for whoever runs them to take into use
        admitted(home, VOTER, home / "etcd" / f"voter-{n}", host=endpoint.rpartition(":")[0])
    cluster.write(home)


def assign_ports(home: Path, genesis: Genesis, before: ClusterFile | None = None) -> ClusterFile:
    """Fresh free ports for the core and every proxy, written to cluster.json; the engine stays the one it was.

    The proxies are those of `before`, those that were added since the genesis among them.
    """
    names = [node.name for node in (genesis.nodes if before is None else before.nodes)]
    ports = iter(free_ports(1 + 3 * len(names)))
    core = Member(name="core", members=f"127.0.0.1:{next(ports)}")
    nodes = [
        Member(
            name=name, public=f"127.0.0.1:{next(ports)}", members=f"127.0.0.1:{next(ports)}",
            metrics=next(ports),
        )
        for name in names
    ]  # fmt: skip
    cluster = ClusterFile(ledger=genesis.ledger.hex(), core=core, nodes=nodes)
    if before is not None:
        cluster.engine, cluster.endpoints, cluster.etcd, cluster.quota = (
            before.engine,
            before.endpoints,
            before.etcd,
            before.quota,
        )
    cluster.write(home)
    return cluster


class PortTaken(Exception):
    """Another process has a member's port: which member, at which address. Addresses stay; nothing is moved by itself."""


class Cluster:
    """The processes of one $EATA_HOME, owned by this one."""

    def __init__(self, home: Path, keep_ports: bool = False) -> None:
        self.home, self.genesis = home, read_genesis(home)
        self.file = ClusterFile.read(home)
        if not keep_ports and (member := taken(self.file)):
            raise PortTaken(member)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.programs: dict[str, str] = {}  # by name, where another module than `eata_node` plays it
        self._noting = threading.Lock()
        self.voters = Members(home, self.file.etcd, self.genesis.ledger, self.file.quota) if self.file.etcd else None

    @property
    def names(self) -> list[str]:
        return [node.name for node in self.file.nodes]

    def start(self, name: str) -> int:
        """Starts `core` or a proxy; returns the pid."""
        folder = self.home / "core" if name == "core" else self.home / "nodes" / name
        if not (folder / "tls.key").exists():  # a lost folder is made anew; what it held comes from the others
            Authority(self.home / "tls").admit(f"node:{name}", folder)
        if name != "core" and self.file.engine == "etcd":
            self._admit(name)
        arguments = ["core"] if name == "core" else ["proxy", name]
        with (folder / "log.jsonl").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", self.programs.get(name, "eata_node"), str(self.home), str(os.getpid()), *arguments],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.processes[name] = process
        self._note(name, process.pid)
        return process.pid

    def _note(self, name: str, pid: int) -> None:
        """In cluster.json as it is now: others add nodes to it."""
        with self._noting:
            self.file = ClusterFile.read(self.home)
            (self.file.core if name == "core" else self.file.node(name)).pid = pid
            self.file.write(self.home)

    def start_all(self) -> None:
        if self.file.engine == "etcd":
            self._open_etcd()
        else:
            self.start("core")
        for name in self.names:
            self.start(name)

    def ready(self) -> None:
        """Until every proxy follows. Raises `Ended` for a member that does not even run, `TimeoutError` for a slow one."""
        for name in self.names:
            deadline = time.monotonic() + _READY
            while True:
                for member, process in self.processes.items():
                    if process.poll() is not None:
                        raise Ended(f"{member} ended with code {process.returncode}")
                try:
                    self.wait(name, patience=1.0)
                    break
                except TimeoutError:
                    if time.monotonic() > deadline:
                        raise

    def _open_etcd(self) -> None:
        """Its own voters, or those at the endpoints; position 0 is put where no era has been opened."""
        Authority(authority_of(self.home))
        if self.voters is not None:
            self.voters.start_all()
        for name in self.names[: len(self.file.endpoints)]:  # beside the voters
            admitted(self.home, ROOT, self.home / "nodes" / name / KEEPER)
        self.open_engine(self.names, _OPENED)

    def _admit(self, name: str) -> bytes:
        """etcd knows the node by its group key; the id of it. Raises `CannotOpen`, `FileNotFoundError`."""
        folder = self.home / "nodes" / name
        node = NodeKeys.read(folder).group.id
        admitted(self.home, user_of(node), folder / ENGINE)
        return node

    def open_engine(self, names: Sequence[str], patience: float) -> None:
        """An etcd in which the era is open and these nodes may write their lanes. Raises `TimeoutError`, `AioRpcError`."""
        nodes = [self._admit(name) for name in names]

        async def opened() -> None:
            root = admitted(self.home, ROOT, self.home / "etcd" / ROOT)
            engine = EtcdEngine(self.file.endpoints, root, self.genesis, self.file.quota)
            try:
                async with asyncio.timeout(patience):
                    await engine.open_era((self.home / "era.cbor").read_bytes())
                    await protect(engine.doors, self.genesis.ledger, nodes)
            except TimeoutError:
                raise TimeoutError(f"etcd did not answer in {patience:.0f} s") from None
            finally:
                await engine.close()

        asyncio.run(opened())

    def kill(self, name: str) -> int:
        """SIGKILL, as a power cut would; returns the pid that was."""
        return self._end(name, signal.SIGKILL)

    def stop(self, name: str) -> int:
        """SIGTERM: the member flushes and ends."""
        return self._end(name, signal.SIGTERM)

    def _end(self, name: str, how: signal.Signals) -> int:
        process = self.processes.pop(name)
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._note(name, 0)
        return process.pid

    def stop_all(self) -> None:
        """Proxies first, then the core; no process is left."""
        for process in self.processes.values():
            process.terminate()
        for name in [name for name in self.processes if name != "core"] + ["core"]:
            if name in self.processes:
                self.stop(name)
        if self.voters is not None:
            self.voters.stop_all()

    def status(self, name: str, timeout: float = 2.0) -> ledger_pb2.StatusReply:
        """Raises grpc.RpcError where the proxy does not answer."""
        return proxy_status(self.home, self.file.node(name), timeout)

    def head(self, timeout: float = 2.0) -> node_pb2.HeadReply:
        return engine_head(self.home, self.file, self.genesis, timeout)

    def wait(self, name: str, position: int = 1, patience: float = 60.0) -> ledger_pb2.StatusReply:
        """Until the proxy follows at `position` or later and has opened its incarnation. Raises `TimeoutError`."""
        deadline = time.monotonic() + patience
        while True:
            try:
                status = self.status(name)
                ready = status.incarnation and status.position >= position
                if status.state == "HALTED" or (status.state == "FOLLOWING" and ready):
                    return status
            except grpc.RpcError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} was not ready in {patience:.0f} s; see its log.jsonl")
            time.sleep(0.05)


def proxy_status(home: Path, member: Member, timeout: float = 2.0) -> ledger_pb2.StatusReply:
    """What a proxy says of itself, over its public door. Raises grpc.RpcError."""
    credentials = grpc.ssl_channel_credentials((home / "tls" / "ca.pem").read_bytes())
    with grpc.secure_channel(member.public, credentials, options=CHANNEL_OPTIONS) as channel:
        return ledger_pb2_grpc.LedgerStub(channel).Status(ledger_pb2.StatusRequest(), timeout=timeout)


def engine_head(home: Path, cluster: ClusterFile, genesis: Genesis, timeout: float = 2.0) -> node_pb2.HeadReply:
    """What the engine says of itself, whichever it is. Raises grpc.RpcError."""
    if cluster.engine != "etcd":
        return core_head(home, cluster, timeout)
    user = home / "nodes" / cluster.nodes[0].name / ENGINE
    if not user.exists():  # it was never started
        raise Unanswered
    identity = Identity.read(user)

    async def ask() -> Head:
        engine = EtcdEngine(cluster.endpoints, identity, genesis, cluster.quota)
        try:
            async with asyncio.timeout(timeout):
                return await engine.head()
        except (EngineDown, TimeoutError):
            raise Unanswered from None
        finally:
            await engine.close()

    found = asyncio.run(ask())
    return node_pb2.HeadReply(
        head=found.position, era=found.era, state=found.state, leader=found.leader, engine=found.engine,
        wanted=found.position,
    )  # fmt: skip


class Ended(Exception):
    """A member ended while it was started; the text says which, and with what code."""


class Unanswered(grpc.RpcError):
    """The engine has no quorum, or none of its members answers."""


def core_head(home: Path, cluster: ClusterFile, timeout: float = 2.0) -> node_pb2.HeadReply:
    """What the core says of itself. Raises grpc.RpcError."""
    folder = home / "core"
    credentials = grpc.ssl_channel_credentials(
        (folder / "ca.pem").read_bytes(), (folder / "tls.key").read_bytes(), (folder / "tls.pem").read_bytes()
    )
    with grpc.secure_channel(cluster.core.members, credentials, options=CHANNEL_OPTIONS) as channel:
        return node_pb2_grpc.LogEngineStub(channel).Head(node_pb2.HeadRequest(), timeout=timeout)


@contextmanager
def running(home: Path, voters: Members | None = None) -> Iterator[Cluster]:
    """All its processes, stopped at the end whatever happens; `voters` in place of its own members."""
    try:
        cluster = Cluster(home)
    except PortTaken:  # a test's: somewhere else will do
        assign_ports(home, read_genesis(home), ClusterFile.read(home))
        cluster = Cluster(home)
    cluster.voters = voters or cluster.voters
    try:
        cluster.start_all()
        cluster.ready()
        yield cluster
    finally:
        cluster.stop_all()
