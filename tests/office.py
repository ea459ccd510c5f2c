"""A national issuing system before its gateway: the gateway's process, good orders, and calls as one organisation or another."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from eata_node.operator.cluster import Cluster
from eata_node.rpc.tls import CHANNEL_OPTIONS, Identity
from eata_proto import errors as wire
from eata_proto.v1 import gateway_pb2, gateway_pb2_grpc
from google.protobuf import json_format

EATA = Path(sys.executable).with_name("eata")


def order(**changes: Any) -> gateway_pb2.IssueRequest:
    """A good order, but for `changes`."""
    source = {
        "request_id": "order-1", "number": "CHTA00000133", "home": "CH", "currency": "CHF", "holder": "Muster AG",
        "valid_until": (datetime.now(UTC).date() + timedelta(days=30)).isoformat(), "intended_use": "Fairs",
        "box_p": ["EU"], "itinerary": ["EU"], "sets": {"EXPORT": 1, "IMPORT": 1}, "test": True,
        "goods": [{"item": 1, "description": "Stand", "pieces": 1, "origin": "CH", "value": "100.00"}],
    }  # fmt: skip
    goods = changes.get("goods", source["goods"])
    worth = sum(Decimal(line.get("value", "0")) for line in goods)
    return json_format.ParseDict(
        {**source, "items": len(goods), "total": str(worth), **changes}, gateway_pb2.IssueRequest()
    )


class Office:
    """The gateway's process, and calls to it as one organisation or another."""

    def __init__(self, cluster: Cluster, member: str = "CH-ALLIANCE") -> None:
        self.cluster, self.member = cluster, member
        self.start()

    def start(self) -> None:
        home = self.cluster.home / "offices" / self.member
        arguments = ["nics", "serve", "--home", str(home), "--network", str(self.cluster.home / "network.json")]
        self.process = subprocess.Popen([str(EATA), *arguments], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def issue(self, request: gateway_pb2.IssueRequest, member: str = "") -> gateway_pb2.IssueReply:
        identity = Identity.read(self.cluster.home / "offices" / (member or self.member))
        credentials = grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)
        with grpc.secure_channel(self.address, credentials, options=CHANNEL_OPTIONS) as channel:
            return gateway_pb2_grpc.NicsStub(channel).Issue(request, timeout=30)

    def call(self, method: str, request: Any) -> Any:
        """One call as the gateway's own organisation."""
        with self.stub() as stub:
            return getattr(stub, method)(request, timeout=30)

    @contextmanager
    def stub(self) -> Iterator[Any]:
        identity = Identity.read(self.cluster.home / "offices" / self.member)
        credentials = grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)
        with grpc.secure_channel(self.address, credentials, options=CHANNEL_OPTIONS) as channel:
            yield gateway_pb2_grpc.NicsStub(channel)

    def issue_many(self, file: Path) -> list[dict[str, Any]]:
        """From a terminal: what became of each order in a file; the exit code says whether any was refused."""
        arguments = ["issuer", "issue-many", str(file), "--gateway", self.address, "--json", "--home",
                     str(self.cluster.home / "offices" / self.member)]  # fmt: skip
        done = subprocess.run([str(EATA), *arguments], capture_output=True, text=True, timeout=120, check=False)
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        assert done.returncode == any("error" in row for row in rows), done.stderr
        return rows

    def code(self, method: str, request: Any) -> str:
        """The refusal's code."""
        with pytest.raises(grpc.RpcError) as caught:
            self.call(method, request)
        coded = wire.from_rpc(caught.value)
        assert coded is not None
        return coded.code

    def events(self, since: int, count: int) -> list[gateway_pb2.GatewayEvent]:
        """`count` events from an index on."""
        with self.stub() as stub:
            stream = stub.Follow(gateway_pb2.GatewayFollowRequest(from_index=since), timeout=30)
            found = list(itertools.islice(stream, count))
            stream.cancel()
            return found

    def refusal(self, request: gateway_pb2.IssueRequest, member: str = "CH-ALLIANCE") -> wire.WireError:
        with pytest.raises(grpc.RpcError) as caught:
            self.issue(request, member)
        coded = wire.from_rpc(caught.value)
        assert coded is not None
        assert coded.details["advice"]
        return coded


def number(digits: int) -> str:
    return f"CHTB{digits:08d}"


def told(answer: gateway_pb2.IssueAnswer) -> tuple[int, str, int]:
    return answer.reply.carnet_id, answer.reply.pin, answer.reply.index
