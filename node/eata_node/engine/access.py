"""Who may do what in our etcd: a certificate of the engine's own authority admits, and its user's roles authorise.

A certificate's common name is its user. A node reads the log and writes its own lanes, nothing else. `root` opens eras,
defragments and changes members: the proxies beside voters hold it, as who runs a voter can alter its files anyway.
Members know each other by one common name, which no client has.
"""

from collections.abc import Awaitable, Iterable
from pathlib import Path

import grpc
import grpc.aio
from cryptography import x509
from cryptography.x509.oid import NameOID
from eata_proto.etcd import rpc_pb2, rpc_pb2_grpc

from eata_node.engine.endpoints import Doors
from eata_node.rpc.tls import Authority, Identity

ROOT, VOTER = "root", "voter"
ENGINE, KEEPER = "engine", "keeper"  # the folders, in a node's own, of its user's certificate and of root's
_READER = "reader"
WHOLE = b"\0"  # from the first key to the last
_SECONDS = 2.0


def user_of(node: bytes) -> str:
    """The user of a node, by the id of its group key."""
    return f"node:{node.hex()}"


def prefix_of(ledger: bytes) -> bytes:
    """What every key of a ledger begins with."""
    return b"eata/" + ledger[:8].hex().encode() + b"/"


def lanes_of(ledger: bytes, node: bytes) -> tuple[bytes, bytes]:
    """From the first key of a node's lanes to behind the last."""
    low = prefix_of(ledger) + b"lane/" + node.hex().encode() + b"/"
    return low, low[:-1] + b"0"


def authority_of(home: Path) -> Path:
    """The folder of the engine's authority: on one machine, whose operator carries what it admits to the others."""
    return home / "etcd" / "tls"


def admitted(home: Path, user: str, folder: Path, host: str = "localhost") -> Identity:
    """The user's certificate in `folder`; made anew where another's or another authority's is there.

    Raises `FileNotFoundError` where there is none and the authority is elsewhere.
    """
    authority = authority_of(home)
    if authority.exists() and not _fits(folder, user, (authority / "ca.pem").read_bytes()):
        (folder / "tls.pem").unlink(missing_ok=True)
        Authority(authority).admit(user, folder, host=host)
    return Identity.read(folder)


def _fits(folder: Path, user: str, authority: bytes) -> bool:
    certificate, theirs = folder / "tls.pem", folder / "ca.pem"
    if not (certificate.exists() and theirs.exists() and theirs.read_bytes() == authority):
        return False
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [name.value for name in names] == [user]


async def protect(doors: Doors, ledger: bytes, nodes: Iterable[bytes]) -> None:
    """These nodes may write their lanes, and from here on nobody does what his roles do not say. Said again, it changes nothing.

    `doors`: opened as root. Raises `AioRpcError` where etcd refuses; asks until a member answers.
    """
    await _role(doors, _READER, rpc_pb2.Permission.READ, (WHOLE, WHOLE))
    await _user(doors, ROOT, [ROOT])
    for node in nodes:
        await _role(doors, user_of(node), rpc_pb2.Permission.READWRITE, lanes_of(ledger, node))
        await _user(doors, user_of(node), [_READER, user_of(node)])
    await doors.first(lambda to: rpc_pb2_grpc.AuthStub(to).AuthEnable(rpc_pb2.AuthEnableRequest(), timeout=_SECONDS))


async def _role(doors: Doors, name: str, kind: rpc_pb2.Permission.Type.ValueType, keys: tuple[bytes, bytes]) -> None:
    add = rpc_pb2.AuthRoleAddRequest(name=name)
    permission = rpc_pb2.Permission(permType=kind, key=keys[0], range_end=keys[1])
    grant = rpc_pb2.AuthRoleGrantPermissionRequest(name=name, perm=permission)
    await _there(doors.first(lambda to: rpc_pb2_grpc.AuthStub(to).RoleAdd(add, timeout=_SECONDS)))
    await doors.first(lambda to: rpc_pb2_grpc.AuthStub(to).RoleGrantPermission(grant, timeout=_SECONDS))


async def _user(doors: Doors, name: str, roles: Iterable[str]) -> None:
    """Without a password: only a certificate is this user."""
    add = rpc_pb2.AuthUserAddRequest(name=name, options=rpc_pb2.UserAddOptions(no_password=True))
    await _there(doors.first(lambda to: rpc_pb2_grpc.AuthStub(to).UserAdd(add, timeout=_SECONDS)))
    for role in roles:
        await _granted(doors, rpc_pb2.AuthUserGrantRoleRequest(user=name, role=role))


async def _granted(doors: Doors, grant: rpc_pb2.AuthUserGrantRoleRequest) -> None:
    await doors.first(lambda to: rpc_pb2_grpc.AuthStub(to).UserGrantRole(grant, timeout=_SECONDS))


async def _there(adding: Awaitable[object]) -> None:
    """Added now or before."""
    try:
        await adding
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
