"""Certificates of a development cluster: one authority, one certificate a member, made with `cryptography`."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from eata_host.files import write_durable, write_secret

_DAYS = 825
# Loopback must not go through a proxy of the environment; large groups must fit.
CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 8 << 20),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.initial_reconnect_backoff_ms", 50),
)
SERVER_OPTIONS = (("grpc.max_receive_message_length", 8 << 20), ("grpc.so_reuseport", 0))


@dataclass(frozen=True)
class Identity:
    """PEM bytes of a member: its key, its certificate, the authority it trusts."""

    key: bytes
    certificate: bytes
    authority: bytes

    @classmethod
    def read(cls, folder: Path) -> "Identity":
        return cls(
            (folder / "tls.key").read_bytes(), (folder / "tls.pem").read_bytes(), (folder / "ca.pem").read_bytes()
        )

    def server(self, require_client: bool) -> grpc.ServerCredentials:
        pairs = [(self.key, self.certificate)]
        return grpc.ssl_server_credentials(pairs, self.authority if require_client else None, require_client)

    def channel(self, address: str, options: tuple[tuple[str, int], ...] = CHANNEL_OPTIONS) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)
        return grpc.aio.secure_channel(address, credentials, options=options)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@lru_cache(maxsize=256)
def public_key_of(pem: bytes) -> bytes:
    """The uncompressed P-256 point (65 bytes) of a certificate, empty for another kind of key."""
    key = x509.load_pem_x509_certificate(pem).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _reached_at(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """A development certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / "ca.pem").exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._create()
        self.certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "the authority's key is P-256"
        self._key = key

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name("eATA development CA"))
            .issuer_name(_name("eATA development CA"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_secret(self._folder / "ca.key", _pem(key))
        write_durable(self._folder / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM))

    def admit(
        self, common: str, folder: Path, lives: timedelta = timedelta(days=_DAYS), host: str = "localhost"
    ) -> None:  # fmt: skip
        """Writes tls.key, tls.pem and ca.pem for a member; it is reached on loopback, or as `host`."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        names = [x509.DNSName("localhost"), _reached_at(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(common))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + lives)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        write_secret(folder / "tls.key", _pem(key))
        write_durable(folder / "tls.pem", certificate.public_bytes(serialization.Encoding.PEM))
        write_durable(folder / "ca.pem", (self._folder / "ca.pem").read_bytes())
