"""Where a cluster lives: $EATA_HOME, its cluster.json, and each member's folder and keys."""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from eata_ledger.proof.genesis import Genesis
from eata_ledger.proof.keys import SigningKey
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """From the environment; everything has a default."""

    model_config = SettingsConfigDict(env_prefix="EATA_")

    home: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "eata")


class Member(BaseModel):
    """One process of the cluster. Addresses are host:port on loopback; pid 0 is not running."""

    name: str
    public: str = ""
    members: str = ""
    metrics: int = 0
    pid: int = 0


class ClusterFile(BaseModel):
    """cluster.json: what clients and members need to find each other."""

    ledger: str
    core: Member
    nodes: list[Member]

    @classmethod
    def read(cls, home: Path) -> "ClusterFile":
        return cls.model_validate_json((home / "cluster.json").read_text())

    def write(self, home: Path) -> None:
        new = home / "cluster.json.new"
        new.write_text(json.dumps(self.model_dump(), indent=2) + "\n")
        new.replace(home / "cluster.json")

    def node(self, name: str) -> Member:
        return next(node for node in self.nodes if node.name == name)


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def all_free(cluster: ClusterFile) -> bool:
    """True if every port of cluster.json can be taken again: addresses stay from one start to the next."""
    addresses = [cluster.core.members, *(a for n in cluster.nodes for a in (n.public, n.members))]
    ports = [int(address.rpartition(":")[2]) for address in addresses] + [n.metrics for n in cluster.nodes]
    for port in ports:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def read_genesis(home: Path) -> Genesis:
    return Genesis.from_bytes((home / "genesis.cbor").read_bytes())


@dataclass(frozen=True)
class NodeKeys:
    """A node's secret keys, from its folder."""

    group: SigningKey
    statement: SigningKey
    exchange: bytes | None = None

    def __repr__(self) -> str:
        return "NodeKeys(…)"

    @classmethod
    def read(cls, folder: Path) -> "NodeKeys":
        group, statement = (SigningKey((folder / name).read_bytes()) for name in ("group.key", "statement.key"))
        exchange = folder / "exchange.key"
        return cls(group, statement, exchange.read_bytes() if exchange.exists() else None)

    @classmethod
    def create(cls, folder: Path) -> "NodeKeys":
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("group.key", "statement.key", "exchange.key"):
            write_secret(folder / name, os.urandom(32))
        return cls.read(folder)


def write_secret(path: Path, data: bytes) -> None:
    """Whole and on disk once it returns, readable by the owner only from the first byte on."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
