"""A cluster on one machine: made, started, watched, killed and stopped. One core and six proxies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.proof.genesis import Genesis, NodeKey, NodeRecord
from eata_ledger.proof.keys import Algorithm, SigningKey
from eata_ledger.rules import VERSION
from eata_ledger.seal.codes import exchange_public
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc, node_pb2, node_pb2_grpc

from eata_node.config import ClusterFile, Member, NodeKeys, all_free, free_ports, read_genesis, write_secret
from eata_node.engine.era import first_era
from eata_node.engine.log_store import LogStore
from eata_node.tls import CHANNEL_OPTIONS, Authority

REGIONS = ("frankfurt", "virginia", "sao-paulo", "johannesburg", "mumbai", "tokyo")


def create(home: Path, name: str, first_id: int, regions: tuple[str, ...] = REGIONS) -> Genesis:
    """Keys, certificates, genesis and era 1 of a development cluster (root 1-of-1) in `home`."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = Authority(home / "tls")
    root, operations = SigningKey(os.urandom(32)), SigningKey(os.urandom(32))
    offices = home / "offices" / "icc"
    authority.admit("org:icc", offices)
    write_secret(offices / "root.key", root.seed)
    write_secret(offices / "operations.key", operations.seed)
    records = []
    for region in regions:
        folder = home / "nodes" / region
        keys = NodeKeys.create(folder)
        authority.admit(f"node:{region}", folder)
        pairs = ((Purpose.GROUP, keys.group), (Purpose.STATEMENT, keys.statement))
        signing = tuple(NodeKey(purpose, Algorithm.ED25519, key.public) for purpose, key in pairs)
        assert keys.exchange is not None, "just made"
        exchange = NodeKey(Purpose.EXCHANGE, Algorithm.X25519, exchange_public(keys.exchange))
        records.append(NodeRecord(region, (*signing, exchange)))
    genesis = Genesis(
        1, name, time.time_ns() // 1_000_000, (root.public,), 1, operations.public, tuple(records), VERSION, first_id, 1
    )
    (home / "genesis.cbor").write_bytes(genesis.to_bytes())
    authority.admit("node:core", home / "core")
    log = LogStore(home / "core", genesis)
    log.refill(0, first_era(genesis, (root,)))
    log.go_live()
    log.close()
    assign_ports(home, genesis)
    return genesis


def assign_ports(home: Path, genesis: Genesis) -> ClusterFile:
    """Fresh free ports for every member, written to cluster.json."""
    ports = iter(free_ports(1 + 3 * len(genesis.nodes)))
    core = Member(name="core", members=f"127.0.0.1:{next(ports)}")
    nodes = [
        Member(
            name=node.name, public=f"127.0.0.1:{next(ports)}", members=f"127.0.0.1:{next(ports)}",
            metrics=next(ports),
        )
        for node in genesis.nodes
    ]  # fmt: skip
    cluster = ClusterFile(ledger=genesis.ledger.hex(), core=core, nodes=nodes)
    cluster.write(home)
    return cluster


class Cluster:
    """The processes of one $EATA_HOME, owned by this one."""

    def __init__(self, home: Path) -> None:
        self.home, self.genesis = home, read_genesis(home)
        self.file = ClusterFile.read(home)
        if not all_free(self.file):
            self.file = assign_ports(home, self.genesis)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def names(self) -> list[str]:
        return [node.name for node in self.file.nodes]

    def start(self, name: str) -> int:
        """Starts `core` or a proxy; returns the pid."""
        folder = self.home / "core" if name == "core" else self.home / "nodes" / name
        if not (folder / "tls.key").exists():  # a lost folder is made anew; what it held comes from the others
            Authority(self.home / "tls").admit(f"node:{name}", folder)
        arguments = ["core"] if name == "core" else ["proxy", name]
        with (folder / "log.jsonl").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "eata_node", str(self.home), str(os.getpid()), *arguments],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.processes[name] = process
        member = self.file.core if name == "core" else self.file.node(name)
        member.pid = process.pid
        self.file.write(self.home)
        return process.pid

    def start_all(self) -> None:
        for name in ("core", *self.names):
            self.start(name)

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
        member = self.file.core if name == "core" else self.file.node(name)
        member.pid = 0
        self.file.write(self.home)
        return process.pid

    def stop_all(self) -> None:
        """Proxies first, then the core; no process is left."""
        for process in self.processes.values():
            process.terminate()
        for name in [name for name in self.processes if name != "core"] + ["core"]:
            if name in self.processes:
                self.stop(name)

    def status(self, name: str, timeout: float = 2.0) -> ledger_pb2.StatusReply:
        """Raises grpc.RpcError where the proxy does not answer."""
        return proxy_status(self.home, self.file.node(name), timeout)

    def head(self, timeout: float = 2.0) -> node_pb2.HeadReply:
        return core_head(self.home, self.file, timeout)

    def wait(self, name: str, position: int = 1, patience: float = 60.0) -> ledger_pb2.StatusReply:
        """Until the proxy follows at `position` or later and has opened its incarnation."""
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


def core_head(home: Path, cluster: ClusterFile, timeout: float = 2.0) -> node_pb2.HeadReply:
    """What the core says of itself. Raises grpc.RpcError."""
    folder = home / "core"
    credentials = grpc.ssl_channel_credentials(
        (folder / "ca.pem").read_bytes(), (folder / "tls.key").read_bytes(), (folder / "tls.pem").read_bytes()
    )
    with grpc.secure_channel(cluster.core.members, credentials, options=CHANNEL_OPTIONS) as channel:
        return node_pb2_grpc.LogEngineStub(channel).Head(node_pb2.HeadRequest(), timeout=timeout)


@contextmanager
def running(home: Path) -> Iterator[Cluster]:
    """All seven processes, stopped at the end whatever happens."""
    cluster = Cluster(home)
    try:
        cluster.start_all()
        for name in cluster.names:
            cluster.wait(name)
        yield cluster
    finally:
        cluster.stop_all()
