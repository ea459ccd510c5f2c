"""Where a cluster lives: $EATA_HOME, its cluster.json, and each member's folder and keys."""

import json
import os
import socket
from codecs import BOM_UTF8
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path

from eata_host.files import write_durable, write_secret
from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.log.genesis import Genesis, NodeKey, NodeRecord
from eata_ledger.log.keys import Algorithm, SigningKey
from eata_ledger.proof.cosignature import CosigningKey
from eata_ledger.seal.aead import CannotOpen
from eata_ledger.seal.codes import exchange_public
from eata_ledger.seal.keystore import Vault
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_PORTS = range(10_000, 32_000)
_WALK = count(os.getpid() * 7919)  # each process from a place of its own, so that two do not choose the same at once


class Settings(BaseSettings):
    """From the environment; everything has a default."""

    model_config = SettingsConfigDict(env_prefix="EATA_", env_ignore_empty=True)

    home: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "eata")


class Member(BaseModel):
    """One process of the cluster. Addresses are host:port on loopback; pid 0 is not running."""

    name: str
    public: str = ""
    members: str = ""
    metrics: int = 0
    pid: int = 0


class EtcdMember(BaseModel):
    """One etcd voter on loopback, host:port each."""

    name: str
    client: str
    peer: str


class ClusterFile(BaseModel):
    """cluster.json: what clients and members need to find each other."""

    ledger: str
    core: Member
    nodes: list[Member]
    engine: str = "embedded"
    endpoints: list[str] = Field(default_factory=list)
    etcd: list[EtcdMember] = Field(default_factory=list)
    quota: int = 2 << 30  # bytes an etcd member may hold

    @classmethod
    def read(cls, home: Path) -> "ClusterFile":
        return cls.model_validate_json((home / "cluster.json").read_text())

    def write(self, home: Path) -> None:
        write_durable(home / "cluster.json", (json.dumps(self.model_dump(), indent=2) + "\n").encode())

    def node(self, name: str) -> Member:
        return next(node for node in self.nodes if node.name == name)


def free_ports(wanted: int) -> list[int]:
    """Ports that were free a moment ago, from below those that systems give to outgoing connections."""
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < wanted:
            s = held.enter_context(socket.socket())
            with suppress(OSError):
                s.bind(("127.0.0.1", _PORTS[next(_WALK) % len(_PORTS)]))
                found.append(s.getsockname()[1])
        return found


def taken(cluster: ClusterFile) -> str:
    """The first member whose port another process has, with the address; empty where all can be taken again."""
    for member in (cluster.core, *cluster.nodes):
        addresses = [one for one in (member.public, member.members) if one]
        addresses += [f"127.0.0.1:{member.metrics}"] if member.metrics else []
        for address in addresses:
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", int(address.rpartition(":")[2])))
                except OSError:
                    return f"{member.name} at {address}"
    return ""


def read_genesis(home: Path) -> Genesis:
    return Genesis.from_bytes((home / "genesis.cbor").read_bytes())


@dataclass(frozen=True)
class NodeKeys:
    """A node's secret keys, from its folder."""

    group: SigningKey
    statement: SigningKey
    exchange: bytes | None = None
    cosign: CosigningKey | None = None

    def __repr__(self) -> str:
        return "NodeKeys(…)"

    @classmethod
    def read(cls, folder: Path) -> "NodeKeys":
        group, statement = (SigningKey(read_locked(folder / name)) for name in ("group.key", "statement.key"))
        exchange, cosign = folder / "exchange.key", folder / "cosign.key"
        return cls(
            group, statement, read_locked(exchange) if exchange.exists() else None,
            CosigningKey(read_locked(cosign)) if cosign.exists() else None,
        )  # fmt: skip

    @classmethod
    def create(cls, folder: Path) -> "NodeKeys":
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("group.key", "statement.key", "exchange.key", "cosign.key"):
            write_locked(folder / name, os.urandom(32))
        return cls.read(folder)

    def record(self, name: str, tls: bytes) -> NodeRecord:
        """The public half, as genesis or the root registers it; `tls` the uncompressed key of its TLS certificate."""
        keys = [
            NodeKey(Purpose.GROUP, Algorithm.ED25519, self.group.public),
            NodeKey(Purpose.STATEMENT, Algorithm.ED25519, self.statement.public),
        ]
        if self.exchange is not None:
            keys.append(NodeKey(Purpose.EXCHANGE, Algorithm.X25519, exchange_public(self.exchange)))
        if self.cosign is not None:
            keys.append(NodeKey(Purpose.COSIGN, Algorithm.ML_DSA_44, self.cosign.public))
        keys.append(NodeKey(Purpose.TLS, Algorithm.P256, tls))
        return NodeRecord(name, tuple(keys))


def write_locked(path: Path, content: bytes) -> None:
    """A key on disk, locked with the passphrase of this machine (docs/formats.md, “Keystores”)."""
    write_secret(path, _vault(_passphrase_file(path)).lock(content))


def read_locked(path: Path) -> bytes:
    """What `write_locked` wrote. Raises `CannotOpen`."""
    return _vault(_passphrase_file(path)).unlock(path.read_bytes())


@lru_cache(maxsize=8)
def _vault(file: Path) -> Vault:
    return Vault(lambda: _passphrase(file))


def _passphrase(file: Path) -> bytes:
    found = file.read_bytes().removeprefix(BOM_UTF8).strip()
    if len(found) < 6:
        raise CannotOpen(f"{file.name} holds no passphrase of at least 6 characters")
    return found


def _passphrase_file(path: Path) -> Path:
    """EATA_PASSPHRASE_FILE, systemd's credential, or the development cluster's own file above `path`."""
    given, credentials = os.environ.get("EATA_PASSPHRASE_FILE"), os.environ.get("CREDENTIALS_DIRECTORY")
    if given:
        return Path(given)
    if credentials:
        return Path(credentials) / "eata-passphrase"
    return next((above / "passphrase" for above in path.parents if (above / "passphrase").exists()), Path("passphrase"))


def make_passphrase(home: Path) -> None:
    """A development cluster has a random one beside its keys, unless the operator names a file or credential."""
    if not os.environ.get("EATA_PASSPHRASE_FILE") and not os.environ.get("CREDENTIALS_DIRECTORY"):
        write_secret(home / "passphrase", os.urandom(16).hex().encode())
