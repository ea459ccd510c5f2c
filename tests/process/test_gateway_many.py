"""Many orders in one call: each issued once, each told or refused by itself."""

import json
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from eata_proto import errors as wire
from eata_proto.v1 import gateway_pb2
from google.protobuf import json_format

from tests.office import Office, number, order, told


@pytest.mark.rule("NICS-02")
@pytest.mark.rule("NICS-03")
def test_many_are_issued_in_one_call_each_by_its_own_request_id(office: Office, tmp_path: Path) -> None:
    """What one is refused for leaves the others alone; the same again, also after a crash, issues nothing twice."""
    orders = [order(request_id=f"many-{n}", number=number(20 + n)) for n in range(5)]
    orders[2].representatives.extend(f"Person {n}" for n in range(51))  # more than a carnet's content can hold
    orders[3].number = number(20)
    many = gateway_pb2.IssueManyRequest(orders=orders)
    first = office.call("IssueMany", many).answers
    refused = [wire.from_bytes(answer.refused)[1] for answer in first]
    assert [coded and coded.code for coded in refused] == [None, None, "ORDER_MALFORMED", "NUMBER_TAKEN", None]
    assert len({answer.reply.pin for answer in first if not answer.refused}) == 3
    office.stop()
    office.start()
    del orders[2].representatives[:]
    orders[3].number = number(23)
    mended = gateway_pb2.IssueManyRequest(orders=orders)
    again = office.call("IssueMany", mended).answers
    assert not any(answer.refused for answer in again)
    assert [told(again[n]) for n in (0, 1, 4)] == [told(first[n]) for n in (0, 1, 4)]
    assert len({answer.reply.carnet_id for answer in again}) == 5
    orders[1].holder = "Another AG"
    third = office.call("IssueMany", gateway_pb2.IssueManyRequest(orders=orders[:2])).answers
    coded = wire.from_bytes(third[1].refused)[1]
    assert (coded and coded.code, told(third[0])) == ("REQUEST_ID_REUSED", told(first[0]))
    for bad in ([], [orders[0], orders[0]], [orders[0]] * 65):
        assert office.code("IssueMany", gateway_pb2.IssueManyRequest(orders=bad)) == "ORDER_MALFORMED"


@pytest.mark.rule("NICS-03")
def test_what_was_issued_is_told_though_a_later_message_is_refused(office: Office, tmp_path: Path) -> None:
    """A file of more than one message: the first one's PINs are not lost with the second; mended, nothing is issued twice."""
    file = tmp_path / "orders.json"
    orders = [json_format.MessageToDict(order(request_id=f"long-{n}", number=number(100 + n))) for n in range(66)]
    orders[65]["requestId"] = "long-64"

    def sent() -> list[dict[str, Any]]:
        file.write_text(json.dumps(orders))
        return office.issue_many(file)

    first = sent()
    assert len({row["pin"] for row in first[:64]}) == 64
    assert [row["error"]["code"] for row in first[64:]] == ["ORDER_MALFORMED"] * 2
    orders[65]["requestId"] = "long-65"
    second = sent()
    assert [(row["pin"], row["index"]) for row in second[:64]] == [(row["pin"], row["index"]) for row in first[:64]]
    assert all("pin" in row for row in second)


@pytest.mark.rule("NICS-03")
def test_a_caller_who_went_away_finds_what_he_began(office: Office) -> None:
    """His deadline is shorter than sixteen PINs take: asked again, each has been issued once."""
    many = gateway_pb2.IssueManyRequest(
        orders=[order(request_id=f"gone-{n}", number=number(200 + n)) for n in range(16)]
    )
    (office.cluster.home / "offices" / "CH-ALLIANCE" / "pool.cbor").unlink(
        missing_ok=True
    )  # so a pool of 50 begins here
    with office.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.IssueMany(many, timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    answers = office.call("IssueMany", many).answers
    ids = [answer.reply.carnet_id for answer in answers]
    assert len(set(ids)) == 16
    assert [told(answer) for answer in office.call("IssueMany", many).answers] == [told(answer) for answer in answers]
    [following] = office.call(
        "IssueMany", gateway_pb2.IssueManyRequest(orders=[order(request_id="next", number=number(216))])
    ).answers
    assert following.reply.carnet_id == max(ids) + 1, "no ID was taken for carnets that were begun and forgotten"
