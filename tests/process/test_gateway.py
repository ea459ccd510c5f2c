"""The NICS gateway as a real process: orders with their reader rules, idempotence, its own organisation only."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from eata_ledger.proof.batch import BatchSignature
from eata_node.cluster import Cluster
from eata_node.store import Store
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

    def call(self, method: str, request: Any) -> Any:
        """One call as the gateway's own organisation."""
        with self.stub() as stub:
            return getattr(stub, method)(request, timeout=30)

    @contextmanager
    def stub(self) -> Iterator[Any]:
        identity = Identity.read(self.cluster.home / "offices" / "CH-ALLIANCE")
        credentials = grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)
        with grpc.secure_channel(self.address, credentials, options=CHANNEL_OPTIONS) as channel:
            yield gateway_pb2_grpc.NicsStub(channel)

    def issue_many(self, file: Path) -> list[dict[str, Any]]:
        """From a terminal: what became of each order in a file; the exit code says whether any was refused."""
        arguments = ["issuer", "issue-many", str(file), "--gateway", self.address, "--json", "--home",
                     str(self.cluster.home / "offices" / "CH-ALLIANCE")]  # fmt: skip
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


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with seeded_processes(tmp_path_factory.mktemp("gateway") / "home") as cluster:
        office = Office(cluster)
        yield office
        office.stop()


@pytest.mark.rule("NICS-01")
@pytest.mark.rule("NICS-02")
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


@pytest.mark.rule("NICS-06")
@pytest.mark.rule("N-11")
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


def number(digits: int) -> str:
    return f"CHTB{digits:08d}"


@pytest.mark.rule("NICS-03")
@pytest.mark.rule("NICS-04")
@pytest.mark.rule("CORE-09")
def test_a_dry_run_finds_every_problem_at_once_and_writes_nothing(office: Office) -> None:
    """The error catalogue with the box letter; the format of today's readiness list."""
    bad = order(holder=" ", number="chta1", currency="x", box_p=["EU", "QQ"], itinerary=["US"])
    reply = office.call("Validate", bad)
    assert {p.code for p in reply.problems} == {"BOX_A", "BOX_G", "CURRENCY", "BOX_P"}
    good = office.call("Validate", order(number=number(1)))
    assert (list(good.problems), good.format.use_case, good.format.deliver_id_pin, good.total_minor) == (
        [],
        3,
        True,
        100,
    )
    paper = office.call("Validate", order(number=number(1), home="US", box_p=["RS"], itinerary=["RS"]))
    assert (paper.format.use_case, paper.format.paper, paper.format.deliver_id_pin) == (1, True, False)
    assert office.issue(order(request_id="dry", number=number(1))).index


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
    ended = office.call("Discharge", change("l6"))
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
@pytest.mark.parametrize(("only", "least"), [("visibility", 5), pytest.param("", 50, marks=pytest.mark.slow)])
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


def told(answer: gateway_pb2.IssueAnswer) -> tuple[int, str, int]:
    return answer.reply.carnet_id, answer.reply.pin, answer.reply.index


@pytest.mark.rule("NICS-02")
@pytest.mark.rule("NICS-03")
def test_many_are_issued_under_one_signature_each_by_its_own_request_id(office: Office, tmp_path: Path) -> None:
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
    office.__init__(office.cluster)  # type: ignore[misc]
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
def test_a_batch_stands_in_a_store_with_the_signature_its_entries_share(office: Office, tmp_path: Path) -> None:
    """From the terminal: one file of orders, one signature, each entry provable alone (rules 4)."""
    file = tmp_path / "orders.json"
    orders = [json_format.MessageToDict(order(request_id=f"file-{n}", number=number(30 + n))) for n in range(3)]
    file.write_text(json.dumps([*orders, {**orders[0], "request_id": "file-3"}]))
    *issued, refused = office.issue_many(file)
    assert refused["error"]["code"] == "NUMBER_TAKEN"
    assert [row["number"] for row in issued] == [number(30), number(31), number(32)]
    cluster, far = office.cluster, office.cluster.names[-1]
    cluster.wait(far, cluster.head().head)
    cluster.stop(far)
    store = Store.open(cluster.home / "nodes" / far)
    values = [stored.signatures[0].value for row in issued if (stored := store.entry(row["index"]))]
    store.close()
    cluster.start(far)
    cluster.wait(far)
    signed = [BatchSignature.from_bytes(value) for value in values]
    assert [(one.index, one.size) for one in signed] == [(0, 4), (1, 4), (2, 4)]
    assert len({one.signature for one in signed}) == 1
    audit = [str(EATA), "audit", "--node", cluster.names[0], "--network", str(cluster.home / "network.json"), "--json",
             "--home", str(cluster.home / "offices" / "ICC-AUDIT")]  # fmt: skip
    found = json.loads(subprocess.run(audit, capture_output=True, text=True, timeout=120, check=True).stdout)
    assert found["roots_equal"], found


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


@pytest.mark.rule("NICS-09")
@pytest.mark.rule("APP-27")
def test_an_issuer_without_a_system_works_from_its_terminal(office: Office, tmp_path: Path) -> None:
    """Draft, issue, read, discharge: `eata issuer` is the generic platform."""
    home = office.cluster.home / "offices" / "CH-ALLIANCE"
    file = tmp_path / "order.json"
    file.write_text(json_format.MessageToJson(order(request_id="cli", number=number(10))))

    def eata(*arguments: str) -> Any:
        done = subprocess.run(
            [str(EATA), *arguments, "--gateway", office.address, "--home", str(home), "--json"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert eata("issuer", "validate", str(file))["problems"] == []
    eata("issuer", "draft", str(file), "--id", "cli")
    issued = eata("issuer", "drafts", "--issue", "cli")
    assert (issued["number"], issued["format"]["use_case"]) == (number(10), 3)
    assert eata("issuer", "transactions", number(10))["transactions"] == []
    assert eata("issuer", "sets", number(10), "--add", "EXPORT=2", "--request-id", "c1")["index"]
    ended = eata("issuer", "cancel", number(10), "--request-id", "c2")
    assert ended["carnet_id"] == issued["carnet_id"]


@pytest.mark.rule("GTP-12")
@pytest.mark.rule("C-06")
@pytest.mark.rule("ACC-72")
@pytest.mark.rule("ACC-61")
def test_the_public_registry_is_read_by_anybody(office: Office) -> None:
    """Readiness, offices with their fields, regions, acceptance, voucher sets, news, directory: no certificate."""

    def registry(what: str) -> Any:
        network = str(office.cluster.home / "network.json")
        done = subprocess.run(
            [str(EATA), "registry", what, "--network", network, "--json"],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    readiness = registry("readiness")
    assert {t["territory"]: t["digital"] for t in readiness["territories"]}["EU"] is True
    assert readiness["where_digital"].startswith("Paper ATA carnets may be used only")
    zurich = next(o for o in registry("offices") if o["code"] == "CH-ZRH")
    assert (zurich["region"], zurich["latitude"], zurich["types"]) == (
        "CH-NORD",
        47.4582,
        ["ADMINISTRATIVE", "AIRPORT"],
    )
    assert [r["code"] for r in registry("regions")] == ["CH-NORD", "XS-ALL"]
    assert {a["territory"] for a in registry("acceptance")} == {"CH", "EU", "XS", "XB"}
    assert {(v["type"], v["home"]) for v in registry("sets")} == {("ATA", None), ("ATA", "US"), ("CPD_TW", None)}
    assert [n["key"] for n in registry("news")] == ["2026-06-live"]
    assert [d["key"] for d in registry("directory")] == ["CH-ALLIANCE"]


@pytest.mark.rule("ACC-20")
@pytest.mark.rule("ACC-22")
@pytest.mark.rule("ACC-23")
def test_an_officer_at_a_terminal_needs_three_enters(office: Office, tmp_path: Path) -> None:
    """A wedge scanner types the code; verdict, goods, commit; “on 6 of 6”. Nothing else is asked."""
    home = office.cluster.home
    desk, wallet, network = home / "offices" / "CH", tmp_path / "wallet", ("--network", str(home / "network.json"))
    issued = office.issue(order(request_id="desk", number=number(9)))

    def eata(*arguments: str, given: str = "") -> str:
        return subprocess.run(
            [str(EATA), *arguments, *(() if arguments[1:2] == ("qr",) else network)],
            capture_output=True,
            text=True,
            input=given,
            timeout=60,
            check=True,
        ).stdout

    identity = str(issued.carnet_id)
    eata("wallet", "download", "--home", str(wallet), given=f"{identity} {issued.pin}\n")
    eata("wallet", "sign", identity, "--home", str(wallet))
    eata(
        "wallet",
        "travel",
        identity,
        "--voucher",
        "VALIDATION:CH:1",
        "--voucher",
        "EXPORTATION:CH:1",
        "--home",
        str(wallet),
    )
    first, second = (eata("wallet", "qr", identity, slot, "--home", str(wallet)).strip() for slot in "12")
    eata(
        "customs", "sign-in", "--office", "CH-ZRH", "--authority", str(desk / "desk-authority.key"), "--home", str(desk)
    )
    said = eata(
        "desk",
        "--home",
        str(desk),
        given=f"{second}\n\n{first}\n\n\n\n{second}\nr\nno seal\n{first}\n\nnonsense\nq\n",
    )
    assert "STOP" in said
    assert "NOT_VALIDATED" in said
    assert "GO" in said
    assert "Muster AG" in said
    assert re.search(r"committed in \d+ ms, on 6 of 6", said)
    assert "Rejected" in said
    assert "CODE_CONSUMED" in said
    assert "Traceback" not in said


def test_a_leaked_desk_key_is_revoked_everywhere_and_desks_work_again(office: Office) -> None:
    """The drill as an operator runs it: six of six refuse, nothing committed is lost, a new authority goes on."""
    home = office.cluster.home
    done = subprocess.run(
        [str(EATA), "drill", "leaked-desk-key", "--network", str(home / "network.json"), "--offices",
         str(home / "offices"), "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (done.returncode, found["refused_by"], found["nodes"], found["lost"]) == (0, 6, 6, 0), done.stderr
