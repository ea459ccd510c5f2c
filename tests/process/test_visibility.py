"""Every reader × every field: what a raw stub gets of a carnet with each party's own certificate and keys.

The carnet went CH → EU → XS → CH, with a rejection, a hold and a cancellation on the way (domain §2.10).
"""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from eata_clients.authoring.clearing import Decision, Desk
from eata_clients.authoring.holding import Wish
from eata_clients.issuer.client import read_party
from eata_clients.net.errors import EataError
from eata_clients.net.transport import Transport
from eata_clients.opened.lists import Lists, openers
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label, Role
from eata_ledger.log.keys import SigningKey
from eata_ledger.seal.codes import CodeKind, code_keys
from eata_ledger.state import Carnet, CarnetState, Incident, Stay, Transaction, Voucher
from eata_proto.v1 import lists_pb2, lists_pb2_grpc, reading_pb2, reading_pb2_grpc

from tests.mesh import ADMINISTRATION, Mesh, People
from tests.shown import labels, parts

ALL = Items.parse("1-20")
JOURNEY = (
    (Kind.VALIDATION, "CH", "CH-ZRH"), (Kind.EXPORTATION, "CH", "CH-ZRH"), (Kind.IMPORTATION, "EU", "DE-BER"),
    (Kind.REEXPORTATION, "EU", "FR-LYS"), (Kind.IMPORTATION, "XS", "XS-KLOW"), (Kind.REEXPORTATION, "XS", "XS-KLOW"),
    (Kind.REIMPORTATION, "CH", "CH-ZRH"),
)  # fmt: skip


class House:
    """The carnet after its journey, and raw calls as anybody."""

    def __init__(self, people: People, stack: AsyncExitStack) -> None:
        self.people, self.stack = people, stack
        self.indexes: list[int] = []

    async def transport(self, member: str | None) -> Transport:
        return await self.stack.enter_async_context(self.people.transport(member))

    async def play(self) -> None:
        self.public = await self.transport(None)
        self.wallet = self.people.wallet(self.public)
        self.issued = await self.people.issue(self.people.order())
        self.carnet_id = await self.people.download(self.wallet, self.issued)
        slots = (
            await self.wallet.travel(self.carnet_id, tuple(Wish(kind, place, ALL) for kind, place, _ in JOURNEY))
        ).slots
        self.slots = [slot for slot, _, _ in slots]
        for slot, (_, _, office) in zip(self.slots, JOURNEY, strict=True):
            customs = self.people.customs(await self.transport(ADMINISTRATION[office]), office)
            if office == "DE-BER":
                await customs.reject(await customs.scan(self.wallet.code(self.carnet_id, slot)), "first no")
                await customs.hold(self.carnet_id, "wait")
                await customs.release(self.carnet_id)
            scanned = await customs.scan(self.wallet.code(self.carnet_id, slot))
            self.indexes.append((await customs.commit(scanned, Decision(ALL))).index)
        customs = self.people.customs(await self.transport("XS"), "XS-KLOW")
        code = self.wallet.code(self.carnet_id, self.slots[5], CodeKind.CANCELLATION)
        await customs.cancel(code, self.indexes[5], "wrong")

    async def ask(
        self, method: str, body: Any, keys: list[SigningKey], member: str | None, certificate: bytes = b""
    ) -> reading_pb2.CarnetReply:
        transport = await self.transport(member)
        service, _, name = method.partition("/")
        request = transport.signed(f"/eata.v1.{method}", body.SerializeToString(), keys, certificate)
        stub = getattr(reading_pb2_grpc, f"{service}Stub")
        found: reading_pb2.CarnetReply = await transport.call(lambda c: getattr(stub(c), name), request)
        return found

    async def as_officer(self, office: str, role: Role = Role.OFFICER) -> reading_pb2.CarnetReply:
        desk = self.people.desk(office, role)
        query = reading_pb2.CarnetQuery(carnet_id=self.carnet_id)
        return await self.ask("Customs/Carnet", query, [desk.key], ADMINISTRATION[office], desk.certificate)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    mesh = Mesh(Path(tmp_path_factory.mktemp("visibility")) / "home")
    people = await mesh.start()
    async with AsyncExitStack() as stack:
        house = House(people, stack)
        await house.play()
        yield house
    await mesh.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


def seen(reply: reading_pb2.CarnetReply, house: House) -> list[int]:
    """Rows as 1-based numbers of the journey."""
    return [house.indexes.index(row.index) + 1 for row in map(Transaction.from_bytes, reply.rows)]


def incidents(reply: reading_pb2.CarnetReply) -> list[tuple[str, bool]]:
    return [(i.type.name, bool(parts(reply, i.index))) for i in map(Incident.from_bytes, reply.incidents)]


def of_rows(reply: reading_pb2.CarnetReply) -> list[set[str]]:
    """What each row shows."""
    return [labels(reply, row.index) for row in map(Transaction.from_bytes, reply.rows)]


def of_carnet(reply: reading_pb2.CarnetReply) -> set[str]:
    """What is shown of the carnet itself, and of its newest PIN stanza."""
    carnet = Carnet.from_bytes(reply.record)
    return {
        part.info.label.name
        for part in parts(reply)
        if part.entry == carnet.entry or part.info.label is Label.PIN_STANZA
    }


# What each reader's reply holds: rows, which of them with remarks and stanzas, the final counterfoil, balances of
# others, set counters, reconciliation, incidents (name, with reason), vouchers, carnet part, PIN stanza.
@pytest.mark.rule("ACC-57")
@pytest.mark.rule("N-04")
@pytest.mark.rule("N-05")
@pytest.mark.rule("U9")
@pytest.mark.parametrize(
    ("office", "rows", "own", "told"),
    [
        ("CH-ZRH", [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7], []),
        ("DE-BER", [1, 2, 3, 4, 7], [3, 4], [("REJECT", True), ("HOLD", True), ("RELEASE", True)]),
        ("XS-KLOW", [1, 2, 3, 4, 5, 6, 7], [5, 6], [("CANCEL", True)]),
    ],
)
async def test_a_territory_gets_its_view_and_no_more(
    house: House, office: str, rows: list[int], own: list[int], told: list[tuple[str, bool]]
) -> None:
    reply = await house.as_officer(office)
    home = office == "CH-ZRH"
    assert seen(reply, house) == rows
    for number, row in zip(rows, map(Transaction.from_bytes, reply.rows), strict=True):
        expected = {"COUNTERFOIL"} | ({"REMARKS", "STANZA"} if number in own else set())
        assert labels(reply, row.index) - {"FINAL"} == expected, number
        stanzas = [part for part in parts(reply, row.index) if part.info.label is Label.STANZA]
        assert len(stanzas) == (1 if number in own else 0)
    assert incidents(reply) == told
    state = CarnetState.from_bytes(reply.state)
    assert (bool(state.sets), bool(state.rows), reply.HasField("reconciliation")) == (home, home, home)
    stays = {stay.territory for stay in map(Stay.from_bytes, reply.stays)}
    assert stays == ({"EU", "XS"} if home else {JOURNEY[own[0] - 1][1]})
    assert of_carnet(reply) == {"CARNET"}
    assert (len(reply.vouchers), len(reply.notices)) == (0, 0)


@pytest.mark.rule("ACC-50")
@pytest.mark.rule("ACC-57")
@pytest.mark.parametrize(
    ("office", "rows"),
    [("CH-ZRH", [7, 6, 5, 4, 3, 2, 1]), ("DE-BER", [7, 4, 3, 2, 1]), ("XS-KLOW", [7, 6, 5, 4, 3, 2, 1])],
)
@pytest.mark.parametrize("size", [1, 10])
async def test_a_controllers_log_shows_what_the_territory_may_see(
    house: House, office: str, rows: list[int], size: int
) -> None:
    """Earlier rows of other territories and the final return too, the newest first, in pages."""
    found, following, desk = list[int](), 0, house.people.desk(office, Role.CONTROLLER)
    lists = Lists(await house.transport(ADMINISTRATION[office]), desk, openers())
    while True:
        page, following = await lists.transactions(lists_pb2.ListQuery(page_size=size, before=following))
        found += [house.indexes.index(logged.row.index) + 1 for logged in page]
        if not following:
            break
    assert found == rows


@pytest.mark.parametrize("office", ["XB-SZOHOD", "RS-BEG", "US-JFK"])
async def test_a_territory_that_never_met_the_carnet_gets_nothing(house: House, office: str) -> None:
    with pytest.raises(EataError) as caught:
        await house.as_officer(office)
    assert caught.value.code == "NOT_VISIBLE"
    desk = house.people.desk(office, Role.CONTROLLER)
    transport = await house.transport(ADMINISTRATION[office])
    for method in ("Transactions", "Holds", "Arrivals", "Transits", "Carnets"):
        body = lists_pb2.ListQuery(carnet_id=house.carnet_id).SerializeToString()
        request = transport.signed(f"/eata.v1.Lists/{method}", body, [desk.key], desk.certificate)
        stub = lists_pb2_grpc.ListsStub(transport.channel("tokyo"))
        reply = await getattr(stub, method)(request)
        listed = [field.name for field, value in reply.ListFields() if field.name not in ("session", "as_of")]
        assert listed == [], method


async def test_the_code_opens_its_own_territorys_desk_alone(house: House) -> None:
    """The same voucher key, another territory's certificate: refused; no certificate: refused."""
    keys = code_keys(
        house.wallet.code(house.carnet_id, house.slots[2]).code, house.people.network.ledger, house.carnet_id
    )
    query = reading_pb2.VoucherQuery(carnet_id=house.carnet_id, voucher_key=keys.sign.public, office="XS-KLOW")
    desk = house.people.desk("XS-KLOW")
    cases: list[tuple[Desk | None, list[SigningKey], str]] = [
        (desk, [desk.key, keys.sign], "WRONG_TERRITORY_FOR_TYPE"), (desk, [desk.key], "CODE_INVALID"),
        (None, [keys.sign], "KEY_UNKNOWN"), (desk, [keys.sign], "SIGNATURE_INVALID"),
    ]  # fmt: skip
    for here, signers, code in cases:
        with pytest.raises(EataError) as caught:
            await house.ask("Customs/Voucher", query, signers, "XS", b"" if here is None else here.certificate)
        assert caught.value.code == code


@pytest.mark.rule("N-07")
async def test_the_issuer_gets_validations_in_full_and_the_rest_in_summary(house: House) -> None:
    party = read_party(house.people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    query = reading_pb2.CarnetQuery(carnet_id=house.carnet_id)
    reply = await house.ask("Issuer/Carnet", query, [party.sign], "CH-ALLIANCE")
    assert seen(reply, house) == [1, 2, 3, 4, 5, 6, 7]
    assert of_rows(reply) == [{"COUNTERFOIL", "STANZA"}] + [set()] * 6
    assert of_carnet(reply) == {"CARNET", "STANZA"}
    assert (incidents(reply), len(reply.vouchers), len(reply.notices)) == ([], 0, 0)
    other = read_party(house.people.home / "offices" / "ES-CAMARA" / "party.cbor")
    with pytest.raises(EataError) as caught:
        await house.ask("Issuer/Carnet", query, [other.sign], "ES-CAMARA")
    assert caught.value.code == "NOT_VISIBLE"


async def test_a_holder_gets_everything_but_the_territories_own_words(house: House) -> None:
    device = SigningKey(house.wallet.kept(house.carnet_id).device)
    query = reading_pb2.CarnetQuery(carnet_id=house.carnet_id)
    reply = await house.ask("Wallet/Carnet", query, [device], None)
    assert seen(reply, house) == [1, 2, 3, 4, 5, 6, 7]
    assert of_rows(reply) == [{"COUNTERFOIL"}] * 7
    assert incidents(reply) == [("REJECT", False), ("HOLD", False), ("RELEASE", False), ("CANCEL", False)]
    vouchers = [Voucher.from_bytes(voucher) for voucher in reply.vouchers]
    assert all(labels(reply, v.entry, v.slot) == {"DECLARED", "DECLARATION", "PACKET"} for v in vouchers)
    assert of_carnet(reply) == {"CARNET", "PIN_STANZA"}


async def test_the_pin_alone_opens_the_carnet_and_nothing_that_happened(house: House) -> None:
    pin = code_keys(house.issued.pin, house.people.network.ledger, house.carnet_id)
    query = reading_pb2.CarnetQuery(carnet_id=house.carnet_id)
    reply = await house.ask("Wallet/Carnet", query, [pin.sign], None)
    assert (len(reply.rows), len(reply.incidents), len(reply.vouchers), len(reply.notices)) == (0, 0, 0, 0)
    assert labels(reply) == {"CARNET", "PIN_STANZA"}
    for key in (SigningKey(bytes([5]) * 32), SigningKey(house.wallet.kept(house.carnet_id).roots[0].root)):
        with pytest.raises(EataError) as caught:
            await house.ask("Wallet/Carnet", query, [key], None)
        assert caught.value.code == "NOT_VISIBLE"


@pytest.mark.rule("ACC-57")
async def test_the_arrival_that_was_cancelled_last_opens_nothing_later(house: House) -> None:
    """XS's re-export was cancelled: the row still shows, marked."""
    reply = await house.as_officer("XS-KLOW")
    cancelled = [Transaction.from_bytes(row).cancelled is not None for row in reply.rows]
    assert cancelled == [False, False, False, False, False, True, False]
    assert "FINAL" in of_rows(reply)[-1]
