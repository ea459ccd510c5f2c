"""The NICS gateway as a real process: orders with their reader rules, idempotence, its own organisation only."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from eata_node.cluster import Cluster
from eata_node.tls import CHANNEL_OPTIONS, Identity
from eata_proto import errors as wire
from eata_proto.v1 import gateway_pb2, gateway_pb2_grpc
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.mesh import seeded_processes

EATA = Path(sys.executable).with_name("eata")


def order(**changes: Any) -> gateway_pb2.IssueRequest:
    """A good order, but for `changes`."""
    source = {
        "request_id": "order-1", "number": "CHTA00000133", "home": "CH", "currency": "CHF", "holder": "Muster AG",
        "valid_until": (datetime.now(UTC).date() + timedelta(days=30)).isoformat(), "intended_use": "Fairs",
        "box_p": ["EU"], "itinerary": ["EU"], "sets": {"EXPORT": 1, "IMPORT": 1}, "test": True,
        "goods": [{"item": 1, "description": "Stand", "pieces": 1, "origin": "CH", "value_minor": "100"}],
    }  # fmt: skip
    return json_format.ParseDict({**source, **changes}, gateway_pb2.IssueRequest())


class Office:
    """The gateway's process, and calls to it as one organisation or another."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        home = cluster.home / "offices" / "CH-ALLIANCE"
        arguments = ["nics", "serve", "--home", str(home), "--network", str(cluster.home / "network.json")]
        self.process = subprocess.Popen([str(EATA), *arguments], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def issue(self, request: gateway_pb2.IssueRequest, member: str = "CH-ALLIANCE") -> gateway_pb2.IssueReply:
        identity = Identity.read(self.cluster.home / "offices" / member)
        credentials = grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)
        with grpc.secure_channel(self.address, credentials, options=CHANNEL_OPTIONS) as channel:
            return gateway_pb2_grpc.NicsStub(channel).Issue(request, timeout=30)

    def refusal(self, request: gateway_pb2.IssueRequest, member: str = "CH-ALLIANCE") -> wire.WireError:
        with pytest.raises(grpc.RpcError) as caught:
            self.issue(request, member)
        coded = wire.from_rpc(caught.value)  # type: ignore[arg-type]
        assert coded is not None
        assert coded.details["advice"]
        return coded


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with seeded_processes(tmp_path_factory.mktemp("gateway") / "home") as cluster:
        office = Office(cluster)
        yield office
        office.stop()


@pytest.mark.rule("NICS-03")
def test_the_same_request_gives_the_same_carnet_also_after_a_crash(office: Office) -> None:
    first = office.issue(order())
    assert office.issue(order()) == first
    office.stop()
    office.__init__(office.cluster)  # type: ignore[misc]
    again = office.issue(order())
    assert (again.carnet_id, again.pin, again.index) == (first.carnet_id, first.pin, first.index)
    assert office.refusal(order(holder="Another AG")).code == "REQUEST_ID_REUSED"
    assert office.refusal(order(request_id="order-2")).code == "NUMBER_TAKEN"


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "chta1"}, {"number": "CHTA²001"}, {"holder": " "}, {"itinerary": []}, {"itinerary": ["US"]},
        {"goods": []}, {"currency": "CH"}, {"sets": {"EXPORTS": 1}}, {"valid_until": "01/01/2027"}, {"request_id": ""},
        {"holder": "x" * 4001}, {"goods": [{"item": 2, "description": "a", "origin": "CH"}]},
        {"goods": [{"item": 1, "description": "a", "origin": "CH", "value_minor": "-1"}]},
    ],
    ids=str,
)  # fmt: skip
def test_an_order_that_breaks_a_box_is_refused_with_the_box(office: Office, changes: dict[str, Any]) -> None:
    """Reader rules: nodes could not check these, and nothing unreadable is sealed."""
    assert office.refusal(order(**{"request_id": "bad", **changes})).code == "ORDER_MALFORMED"


def test_another_organisations_system_is_turned_away(office: Office) -> None:
    assert office.refusal(order(), "ES-CAMARA").code == "ROLE_FORBIDDEN"


def test_proxies_answer_health_and_reflection(office: Office) -> None:
    """Any gRPC tool finds out what a proxy offers."""
    identity = Identity.read(office.cluster.home / "offices" / "CH")
    credentials = grpc.ssl_channel_credentials(identity.authority)
    with grpc.secure_channel(office.cluster.file.nodes[0].public, credentials, options=CHANNEL_OPTIONS) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        [listed] = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]), timeout=5)
        names = {service.name for service in listed.list_services_response.service}
        assert {"eata.v1.Ledger", "eata.v1.Wallet"} <= names
