"""C24: a client whose own clock is wrong is told so, not to check its network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import grpc.aio
import pytest
from eata_clients.net.errors import EataError
from eata_clients.net.network import Network, NodeAddress
from eata_clients.net.transport import Transport
from eata_node.rpc import tls
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

HOST = "127.0.0.1"


@asynccontextmanager
async def served(identity: tls.Identity) -> AsyncIterator[str]:
    """A door that opens to whoever takes its certificate; its address."""
    server = grpc.aio.server(options=tls.SERVER_OPTIONS)
    port = server.add_secure_port(f"{HOST}:0", identity.server(require_client=False))
    await server.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        await server.stop(None)


@pytest.mark.parametrize("hours", [-3, 24 * 1000], ids=["slow", "fast"])
async def test_a_client_whose_clock_is_wrong_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """To a clock that is three hours slow every certificate made today begins later; to a fast one all have ended."""

    class AtTheNode(datetime):
        """What the node's clock says: the client's is `hours` ahead of it."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) - timedelta(hours=hours)

    monkeypatch.setattr(tls, "datetime", AtTheNode)
    tls.Authority(tmp_path / "ca").admit("tokyo", tmp_path / "tokyo")
    identity = tls.Identity.read(tmp_path / "tokyo")
    async with served(identity) as address:
        network = Network(bytes(32), (NodeAddress("tokyo", address, address),), identity.authority)
        async with Transport(network) as transport:
            with pytest.raises(EataError) as told:
                await transport.call(lambda c: ledger_pb2_grpc.LedgerStub(c).Status, ledger_pb2.StatusRequest())
    assert (told.value.code, told.value.advice) == (
        "OWN_CLOCK_WRONG",
        "Set this computer's clock right, then try again.",
    )
