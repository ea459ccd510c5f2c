"""The NICS gateway as a real process: orders with their reader rules, idempotence, its own organisation only."""

import json
import subprocess
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from eata_node.rpc.tls import CHANNEL_OPTIONS, Identity
from eata_proto.v1 import gateway_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.office import EATA, Office, number, order


@pytest.mark.rule("NICS-01")
@pytest.mark.rule("NICS-02")
@pytest.mark.rule("NICS-03")
def test_the_same_request_gives_the_same_carnet_also_after_a_crash(office: Office) -> None:
    first = office.issue(order())
    again = office.issue(order())
    assert (again.carnet_id, again.pin, again.index) == (first.carnet_id, first.pin, first.index)
    office.stop()
    office.start()
    again = office.issue(order())
    assert (again.carnet_id, again.pin, again.index) == (first.carnet_id, first.pin, first.index)
    assert office.refusal(order(holder="Another AG")).code == "REQUEST_ID_REUSED"
    assert office.refusal(order(request_id="order-2")).code == "NUMBER_TAKEN"


@pytest.mark.rule("NICS-06")
@pytest.mark.rule("N-11")
@pytest.mark.parametrize(
    "changes",
    [
        {"number": "chta1"}, {"number": "CHTA²001"}, {"holder": " "}, {"itinerary": []}, {"itinerary": ["US"]},
        {"goods": []}, {"currency": "CH"}, {"sets": {"EXPORTS": 1}}, {"valid_until": "01/01/2027"}, {"request_id": ""},
        {"holder": "x" * 4001}, {"goods": [{"item": 2, "description": "a", "origin": "CH"}]},
        {"goods": [{"item": 1, "description": "a", "origin": "CH", "value": "-1"}]},
    ],
    ids=str,
)  # fmt: skip
def test_an_order_that_breaks_a_box_is_refused_with_the_box(office: Office, changes: dict[str, Any]) -> None:
    """Reader rules: nodes could not check these, and nothing unreadable is sealed."""
    assert office.refusal(order(**{"request_id": "bad", **changes})).code == "ORDER_MALFORMED"


@pytest.mark.rule("PRX-05")
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


@pytest.mark.rule("NICS-03")
@pytest.mark.rule("NICS-04")
@pytest.mark.rule("CORE-09")
def test_a_dry_run_finds_every_problem_at_once_and_writes_nothing(office: Office) -> None:
    """The error catalogue with the box letter; the format of today's readiness list."""
    bad = order(holder=" ", number="chta1", currency="x", box_p=["EU", "QQ"], itinerary=["US"])
    reply = office.call("Validate", bad)
    assert {p.code for p in reply.problems} == {"BOX_A", "BOX_G", "CURRENCY", "BOX_P"}
    long = [{"item": n, "description": "x" * 70, "pieces": 1, "origin": "CH", "value": "1"} for n in range(1, 10_001)]
    missing = order(number=number(1), goods=long, twin_of=number(99), replaces="", type="CPD_TW", sets={"TRANSIT": 1})
    said = office.call("Validate", missing)  # C27: what the ledger would say of it
    assert {p.code for p in said.problems} == {"GENERAL_LIST", "LINK"}, said.problems
    assert office.refusal(order(request_id="long", number=number(1), goods=long)).code == "ORDER_MALFORMED"
    good = office.call("Validate", order(number=number(1)))
    assert (list(good.problems), good.format.use_case, good.format.deliver_id_pin, good.total) == (
        [],
        3,
        True,
        "100.00",
    )
    paper = office.call("Validate", order(number=number(1), home="US", box_p=["RS"], itinerary=["RS"]))
    assert (paper.format.use_case, paper.format.paper, paper.format.deliver_id_pin) == (1, True, False)
    assert office.issue(order(request_id="dry", number=number(1))).index
    taken = office.call("Validate", order(request_id="another", number=number(1)))
    assert [p.code for p in taken.problems] == ["BOX_G"]
    assert not office.call("Validate", order(request_id="dry", number=number(1))).problems


@pytest.mark.rule("N-01")
def test_a_draft_is_saved_in_stages_and_issued_once(office: Office) -> None:
    """Drafts are the gateway's own; nodes never see them."""
    for holder in ("First AG", "Second AG"):
        office.call("SaveDraft", gateway_pb2.Draft(draft_id="d1", order=order(number=number(2), holder=holder)))
    [kept] = office.call("Drafts", gateway_pb2.DraftsRequest()).drafts
    assert kept.order.holder == "Second AG"
    assert office.call("IssueDraft", gateway_pb2.DraftId(draft_id="d1")).number == number(2)
    assert list(office.call("Drafts", gateway_pb2.DraftsRequest()).drafts) == []
    again = office.call("IssueDraft", gateway_pb2.DraftId(draft_id="d1"))
    assert (again.number, bool(again.pin)) == (number(2), True)
    assert office.code("SaveDraft", gateway_pb2.Draft(draft_id="d1")) == "REQUEST_ID_REUSED"
    assert office.code("IssueDraft", gateway_pb2.DraftId(draft_id="none")) == "NOT_FOUND"


@pytest.mark.rule("CORE-05")
@pytest.mark.rule("NICS-05")
@pytest.mark.rule("N-02")
def test_a_carnets_life_through_the_gateway(office: Office) -> None:
    """Amend, sets, block, unblock, discharge; each request id does its act once."""
    first = office.issue(order(request_id="life", number=number(3)))

    def change(request_id: str) -> gateway_pb2.ChangeRequest:
        return gateway_pb2.ChangeRequest(request_id=request_id, number=number(3))

    amended = gateway_pb2.AmendRequest(request_id="l1", order=order(number=number(3), holder="Renamed AG", sets={}))
    assert office.call("Amend", amended).index == office.call("Amend", amended).index
    more = gateway_pb2.SetsRequest(request_id="l2", number=number(3), sets={"TRANSIT": 2})
    assert office.call("AddSets", more).index == office.call("AddSets", more).index
    more.sets["TRANSIT"] = 3
    assert office.code("AddSets", more) == "REQUEST_ID_REUSED"
    office.call("Block", change("l3"))
    assert office.code("Block", change("l4")) == "NOT_BLOCKED"
    office.call("Unblock", change("l5"))
    ended = office.call("Discharge", gateway_pb2.DischargeRequest(request_id="l6", number=change("l6").number))
    assert (ended.carnet_id, dict(ended.unused)["TRANSIT"], ended.blocked) == (first.carnet_id, 2, True)
    assert office.code("Cancel", change("l7")) == "CARNET_TERMINATED"
    assert office.code("Block", gateway_pb2.ChangeRequest(request_id="", number=number(3))) == "ORDER_MALFORMED"


@pytest.mark.rule("CORE-06")
@pytest.mark.rule("NICS-08")
def test_twins_and_replacements_are_ordered_by_number(office: Office) -> None:
    office.issue(order(request_id="paper", number=number(4), sets={}))
    assert office.issue(order(request_id="twin", number=number(5), twin_of=number(4))).carnet_id
    unused = order(request_id="again", number=number(6), replaces=number(4))
    assert office.refusal(unused).code == "NOT_REPLACEABLE"
    both = order(request_id="both", number=number(7), replaces=number(4), clone=True)
    assert office.refusal(both).code == "ORDER_MALFORMED"


@pytest.mark.rule("NICS-03")
def test_events_resume_where_the_caller_stopped(office: Office) -> None:
    """Discharge without polling: a cursor, each event once, in order."""
    carnet_id = office.issue(order(request_id="events", number=number(8))).carnet_id
    office.call("Block", gateway_pb2.ChangeRequest(request_id="e1", number=number(8)))
    last = office.call("Unblock", gateway_pb2.ChangeRequest(request_id="e2", number=number(8)))
    whole = [e for e in _until(office, last.index) if e.carnet_id == carnet_id]
    assert [e.type for e in whole] == ["ISSUE", "BLOCK", "UNBLOCK"]
    assert [e.number for e in whole] == [number(8)] * 3
    assert office.events(whole[1].index, 2) == whole[1:]


def _until(office: Office, index: int) -> list[gateway_pb2.GatewayEvent]:
    """Every event up to a ledger index."""
    with office.stub() as stub:
        stream = stub.Follow(gateway_pb2.GatewayFollowRequest(), timeout=30)
        found = []
        for event in stream:
            found.append(event)
            if event.index == index:
                break
        stream.cancel()
        return found


@pytest.mark.rule("NICS-10")
@pytest.mark.rule("U10")
@pytest.mark.rule("OBJ-04")
@pytest.mark.parametrize(("only", "least"), [("sets", 5), pytest.param("", 50, marks=pytest.mark.slow)])
def test_the_public_vectors_are_played_on_the_live_cluster(office: Office, only: str, least: int) -> None:
    """Journeys, visibility, sets, transits: issued, crossed, cancelled and listed for real."""
    home = office.cluster.home
    done = subprocess.run(
        [str(EATA), "vectors", "run", str(Path(__file__).parents[1] / "vectors"), "--network",
         str(home / "network.json"), "--offices", str(home / "offices"), "--json",
         *(["--only", only] if only else [])],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (done.returncode, found["differs"]) == (0, []), done.stderr
    assert found["good"] == found["played"] >= least
