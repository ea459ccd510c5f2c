"""What a client needs to know of a network: six addresses, the TLS root, the pinned ledger."""

import json
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from eata_host.files import read_text

from eata_clients.net.errors import EataError

_LARGEST = 1 << 20  # bytes of a network file

CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 8 << 20),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


@dataclass(frozen=True)
class NodeAddress:
    """A proxy's two doors: `public` for all, `members` for organisations with a certificate."""

    name: str
    public: str
    members: str


@dataclass(frozen=True)
class ClientIdentity:
    """An organisation's TLS key and certificate (PEM): it admits, it never authorises."""

    key: bytes
    certificate: bytes

    @classmethod
    def read(cls, folder: Path) -> "ClientIdentity | None":
        if not (folder / "tls.key").exists():
            return None
        return cls((folder / "tls.key").read_bytes(), (folder / "tls.pem").read_bytes())


@dataclass(frozen=True)
class Network:
    """Read from a network file; `ledger` is the SHA-256 of the genesis."""

    ledger: bytes
    nodes: tuple[NodeAddress, ...]
    authority: bytes

    @property
    def most_liars(self) -> int:
        """So many nodes may lie: fewer than half."""
        return (len(self.nodes) - 1) // 2

    @classmethod
    def read(cls, path: Path) -> "Network":
        try:
            source = json.loads(read_text(path, _LARGEST))
            nodes = tuple(NodeAddress(n["name"], n["public"], n["members"]) for n in source["nodes"])
            return cls(bytes.fromhex(source["ledger"]), nodes, source["ca"].encode())
        except FileNotFoundError:
            raise EataError(
                "NETWORK_FILE",
                f"{path} does not exist.",
                "Give the network file of the cluster; `eata init` writes it.",
            ) from None
        except (OSError, KeyError, TypeError, ValueError, RecursionError):
            raise EataError(
                "NETWORK_FILE", f"{path.name} is not a network file.", "Give the one that `eata init` wrote."
            ) from None

    def channel(self, node: NodeAddress, identity: ClientIdentity | None) -> grpc.aio.Channel:
        if identity is None:
            credentials = grpc.ssl_channel_credentials(self.authority)
            return grpc.aio.secure_channel(node.public, credentials, options=CHANNEL_OPTIONS)
        credentials = grpc.ssl_channel_credentials(self.authority, identity.key, identity.certificate)
        return grpc.aio.secure_channel(node.members, credentials, options=CHANNEL_OPTIONS)
