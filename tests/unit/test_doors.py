"""Whom an etcd engine asks, and what it takes for an answer."""

import grpc
import grpc.aio
import pytest
from eata_node.engine.endpoints import Doors
from eata_node.rpc.tls import Authority, Identity

Code = grpc.StatusCode


def failure(code: Code, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), f"etcdserver: {details}")


@pytest.fixture
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    folder = tmp_path_factory.mktemp("tls")
    Authority(folder).admit("node", folder / "node")
    return Identity.read(folder / "node")


async def asked(identity: Identity, error: grpc.aio.AioRpcError) -> int:
    """How often, until there is an answer: the first member asked fails so, the second answers."""
    doors, times = Doors(["127.0.0.1:1", "127.0.0.1:2"], identity), 0

    async def call(_: grpc.aio.Channel) -> str:
        nonlocal times
        times += 1
        if times == 1:
            raise error
        return "answer"

    try:
        assert await doors.first(call) == "answer"
    finally:
        await doors.close()
    return times


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (Code.UNAVAILABLE, "leader changed"),
        (Code.RESOURCE_EXHAUSTED, "mvcc: database space exceeded"),
        (Code.INVALID_ARGUMENT, "revision of auth store is old"),
        (Code.INVALID_ARGUMENT, "user name is empty"),
    ],
)
async def test_what_passes_is_asked_of_another(identity: Identity, code: Code, details: str) -> None:
    """A member that has just joined knows no roles yet; roles that change make calls under way void."""
    assert await asked(identity, failure(code, details)) == 2


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (Code.PERMISSION_DENIED, "permission denied"),
        (Code.INVALID_ARGUMENT, "request is too large"),
        (Code.FAILED_PRECONDITION, "role name already exists"),
        (Code.OUT_OF_RANGE, "mvcc: required revision has been compacted"),
    ],
)
async def test_what_no_member_would_answer_otherwise_is_raised(identity: Identity, code: Code, details: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=details):
        await asked(identity, failure(code, details))
