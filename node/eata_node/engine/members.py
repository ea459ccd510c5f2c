"""Real etcd members on loopback: three or five voters with mTLS, started, killed, told apart by who leads.

One table of flags for each version; 3.4 is what Debian 12 has and what is tested.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path

import grpc
import grpc.aio
from eata_proto.etcd import rpc_pb2, rpc_pb2_grpc

from eata_node.engine.access import ROOT, VOTER, admitted, authority_of
from eata_node.ground.config import EtcdMember, free_ports
from eata_node.rpc.tls import Authority, Identity

# Tested with 3.4. Later versions drop the “experimental-” prefix; 3.5 and 3.6 were not tried.
FLAGS = {
    "client-cert-auth": "true", "peer-client-cert-auth": "true", "peer-cert-allowed-cn": VOTER, "auto-tls": "false",
    "strict-reconfig-check": "true", "enable-grpc-gateway": "false",
    "experimental-initial-corrupt-check": "true", "experimental-corrupt-check-time": "10m", "enable-v2": "false",
    "heartbeat-interval": "100", "election-timeout": "1000", "max-request-bytes": str(2 << 20),
    "snapshot-count": "10000", "logger": "zap", "log-level": "warn",
}  # fmt: skip


def assign(count: int) -> list[EtcdMember]:
    """Names and free ports for `count` members."""
    ports = iter(free_ports(2 * count))
    return [
        EtcdMember(name=f"etcd-{n}", client=f"127.0.0.1:{next(ports)}", peer=f"127.0.0.1:{next(ports)}")
        for n in range(1, count + 1)
    ]  # fmt: skip


def find_binary() -> Path:
    """EATA_ETCD, or `etcd` on the path. Raises `FileNotFoundError` with what to do."""
    found = os.environ.get("EATA_ETCD") or shutil.which("etcd")
    if not found or not Path(found).exists():
        raise FileNotFoundError("etcd is not installed: `apt-get install etcd-server`, or name its binary in EATA_ETCD")
    return Path(found)


JOINS = "joins"  # a mark in the folder of a member that was replaced


class Members:
    """The etcd processes of one $EATA_HOME, owned by this one."""

    def __init__(self, home: Path, members: list[EtcdMember], ledger: bytes, quota: int) -> None:
        self.home, self.members, self.ledger, self.quota = home, members, ledger, quota
        self.binary = find_binary()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @cached_property
    def operator(self) -> Identity:
        """etcd's root."""
        return admitted(self.home, ROOT, self.home / "etcd" / ROOT)

    def _folder(self, name: str) -> Path:
        return self.home / "etcd" / name

    @property
    def endpoints(self) -> list[str]:
        return [member.client for member in self.members]

    def start_all(self) -> None:
        for member in self.members:
            self.start(member.name)

    async def replace(self, name: str) -> None:
        """A member whose data is damaged or gone: the others drop it, and it joins again with an empty disk."""
        member = next(m for m in self.members if m.name == name)
        await _patiently(lambda: self._readmit(member))
        shutil.rmtree(self._folder(name) / "data", ignore_errors=True)
        (
            self._folder(name) / JOINS
        ).touch()  # read at every start, also of one that ends before it has written anything
        self.start(name)

    async def _readmit(self, member: EtcdMember) -> None:
        """Drops a member and adds it anew; may be tried again after any of its steps, answered or not."""
        leads, url = await self.leader(), self._peer_url(member)
        leader = next(m for m in self.members if m.name == leads)
        async with self.operator.channel(leader.client) as channel:
            stub = rpc_pb2_grpc.ClusterStub(channel)
            found = await stub.MemberList(rpc_pb2.MemberListRequest(), timeout=5)
            known = next((one for one in found.members if url in one.peerURLs), None)
            if known is not None and not known.name:  # added, and has not joined
                return
            if known is not None:
                await stub.MemberRemove(rpc_pb2.MemberRemoveRequest(ID=known.ID), timeout=5)
            await stub.MemberAdd(rpc_pb2.MemberAddRequest(peerURLs=[url]), timeout=5)

    def _peer_url(self, member: EtcdMember) -> str:
        """Where the other members find this one."""
        return f"https://{member.peer}"

    def _command(self, name: str) -> list[str]:
        """What runs as this member, before its flags."""
        return [str(self.binary)]

    def start(self, name: str) -> int:
        """Starts or restarts a member on its own data; one that was replaced joins those that are there. Returns the pid."""
        member = next(m for m in self.members if m.name == name)
        folder = self._folder(name)
        Authority(authority_of(self.home))
        admitted(self.home, VOTER, folder, host=name)
        cluster = ",".join(f"{m.name}={self._peer_url(m)}" for m in self.members)
        tls = {"trusted-ca-file": folder / "ca.pem", "cert-file": folder / "tls.pem", "key-file": folder / "tls.key"}
        flags = {
            **FLAGS, **{name: str(path) for name, path in tls.items()},
            **{f"peer-{name}": str(path) for name, path in tls.items()},
            "name": name, "data-dir": str(folder / "data"), "quota-backend-bytes": str(self.quota),
            "listen-client-urls": f"https://{member.client}", "advertise-client-urls": f"https://{member.client}",
            "listen-peer-urls": f"https://{member.peer}", "initial-advertise-peer-urls": self._peer_url(member),
            "initial-cluster": cluster, "initial-cluster-token": self.ledger[:8].hex(),
            "initial-cluster-state": "existing" if (folder / JOINS).exists() else "new",
        }  # fmt: skip
        with (folder / "log.jsonl").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [*self._command(name), *(f"--{flag}={value}" for flag, value in flags.items())],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
                env={"PATH": os.environ.get("PATH", ""), "ETCD_UNSUPPORTED_ARCH": os.environ.get("ETCD_UNSUPPORTED_ARCH", "")},
            )  # fmt: skip
        return self.processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL, as a power cut would."""
        self._end(name, signal.SIGKILL)

    def pause(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGCONT)

    def stop_all(self) -> None:
        """One after another: a leader that ends together with the others waits 7 s for one to lead after it."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
        for name in list(self.processes):
            self._end(name, signal.SIGTERM)

    def _end(self, name: str, how: signal.Signals) -> None:
        process = self.processes.pop(name)
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def leader(self, patience: float = 30.0) -> str:
        """The name of the member that leads, once one does and it is up."""
        async with asyncio.timeout(patience):
            while True:
                for member in self.members:
                    name = await _leads(member, self.operator)
                    if name in self.processes:
                        return name
                await asyncio.sleep(0.05)


# What a change of members may meet: no leader, no answer, or that it was done by a call that got none.
_PASSING = {
    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
}  # fmt: skip


async def _patiently(call: Callable[[], Awaitable[object]], patience: float = 60.0) -> None:
    """etcd takes no change of its members while one of them was out of touch a moment ago, or none leads."""
    async with asyncio.timeout(patience):
        while True:
            try:
                await call()
                return
            except grpc.aio.AioRpcError as error:
                if error.code() not in _PASSING:
                    raise
            except TimeoutError:  # nobody leads
                pass
            await asyncio.sleep(0.5)


async def _leads(member: EtcdMember, identity: Identity) -> str:
    """Who this member says leads, empty where it does not answer or knows none."""
    async with identity.channel(member.client) as channel:
        try:
            status = await rpc_pb2_grpc.MaintenanceStub(channel).Status(rpc_pb2.StatusRequest(), timeout=1)
            found = await rpc_pb2_grpc.ClusterStub(channel).MemberList(rpc_pb2.MemberListRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return ""
    return next((m.name for m in found.members if status.leader == m.ID), "")
