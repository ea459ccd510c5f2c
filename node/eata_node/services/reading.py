"""The four reading services. Each method: freshness, session, right, then exactly what that right shows."""

from collections.abc import AsyncIterator, Iterable

from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts
from eata_ledger.state import Voucher, VoucherKey
from eata_ledger.wire import entry_to_proto
from eata_proto.v1 import ledger_pb2, reading_pb2, reading_pb2_grpc

from eata_node.replica.replica import Replica
from eata_node.rpc.errors import Context, Trouble, trouble
from eata_node.services.attesting import Attesting
from eata_node.services.carnets import Carnets, View, arriving, narrow
from eata_node.services.excerpts import Item, Wanted
from eata_node.services.presentations import Presentations, Shown, ShownCode
from eata_node.services.rights import Rights, Who


class Wallet(reading_pb2_grpc.WalletServicer):
    """An enrolled device sees its carnet; the PIN key sees the carnet part and the PIN stanza."""

    def __init__(self, rights: Rights, carnets: Carnets, attesting: Attesting) -> None:
        self._rights, self._carnets, self._attesting = rights, carnets, attesting

    async def Carnet(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.CarnetQuery.FromString(request.body)
        granted = await self._rights.require(request, "/eata.v1.Wallet/Carnet", query)
        view = self._carnets.kept(query.carnet_id)
        reply = self._carnets.head(view, _as_of(query))
        reply.holder = self._carnets.holder(query.carnet_id).to_bytes()
        items: Iterable[Item]
        if granted.who is Who.DEVICE:
            items = self._carnets.for_holder(view, granted.own, reply)
        else:  # the PIN opens the carnet, not what happened to it
            narrow(reply, view, "")
            reply.ClearField("reconciliation")
            reply.ClearField("links")
            reply.ClearField("documents")
            items = [self._carnets.for_pin(view)]
        self._carnets.page(reply, items, query.cursor)
        return self._attesting.attested(reply, request, granted.signers)


class Customs(reading_pb2_grpc.CustomsServicer):
    """An officer with a voucher's code, or a territory that has met the carnet."""

    def __init__(
        self, replica: Replica, rights: Rights, carnets: Carnets, attesting: Attesting, presentations: Presentations
    ) -> None:
        self._replica, self._rights, self._carnets, self._attesting = replica, rights, carnets, attesting
        self._presentations = presentations

    async def Voucher(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.VoucherQuery.FromString(request.body)
        granted = await self._rights.require(request, "/eata.v1.Customs/Voucher", query)
        officer, carnet_id = granted.desk, query.carnet_id
        facts = Facts(self._replica.store)
        place = facts.get(VoucherKey, carnet_id, query.voucher_key)
        voucher = None if place is None else facts.get(Voucher, carnet_id, place.slot)
        assert voucher is not None, "the table asks for a voucher that is there"
        view, at_arrival = self._carnets.kept(carnet_id), arriving(voucher)
        reply = self._carnets.redacted(view, officer.territory, at_arrival)
        labels = frozenset({Label.DECLARED, Label.DECLARATION, Label.PACKET})
        items = (
            self._content(view), self._carnets.voucher(carnet_id, voucher, labels, reply),
            *self._carnets.for_territory(view, officer.territory, at_arrival, reply),
        )  # fmt: skip
        self._carnets.page(reply, items, query.cursor)
        if not request.digest_only and not query.cursor:
            shown = Shown(officer.certificate.office, officer.certificate.serial, request.time)
            for other in self._presentations.show(ShownCode(carnet_id, voucher.slot), shown):
                reply.presentations.append(reading_pb2.Presentation(office=other.office, time=other.time))
        return self._attesting.attested(reply, request, granted.signers)

    def _content(self, view: View) -> Item:
        return self._carnets.content(Wanted(view.carnet.entry, frozenset({Label.CARNET})))

    async def Carnet(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.CarnetQuery.FromString(request.body)
        granted = await self._rights.require(request, "/eata.v1.Customs/Carnet", query)
        own, view = granted.desk.territory, self._carnets.kept(query.carnet_id)
        reply = self._carnets.redacted(view, own, arriving=False)
        items = (self._content(view), *self._carnets.for_territory(view, own, False, reply))
        self._carnets.page(reply, items, query.cursor)
        return self._attesting.attested(reply, request, granted.signers)


class Issuer(reading_pb2_grpc.IssuerServicer):
    """An issuer's own carnets: validations in full, the rest in summary (N-07)."""

    def __init__(self, rights: Rights, carnets: Carnets, attesting: Attesting) -> None:
        self._rights, self._carnets, self._attesting = rights, carnets, attesting

    async def Carnet(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.CarnetQuery.FromString(request.body)
        granted = await self._rights.require(request, "/eata.v1.Issuer/Carnet", query)
        view = self._carnets.view(query.carnet_id)
        reply = self._carnets.head(view, _as_of(query))
        self._carnets.page(reply, self._carnets.for_issuer(view, granted.party.seal_ids, reply), query.cursor)
        return self._attesting.attested(reply, request, granted.signers)


class Audit(reading_pb2_grpc.AuditServicer):
    """Entry bytes, for registered auditors who replay them from genesis (P5)."""

    def __init__(self, replica: Replica, rights: Rights) -> None:
        self._replica, self._rights = replica, rights

    async def Entries(  # noqa: N802
        self, request: ledger_pb2.SignedRequest, context: Context
    ) -> AsyncIterator[reading_pb2.LoggedEntry]:
        query = reading_pb2.EntriesQuery.FromString(request.body)
        await self._rights.require(request, "/eata.v1.Audit/Entries", query)
        end = min(query.to_index or self._replica.state.size, self._replica.state.size)
        for index in range(query.from_index, end):
            stored, entry = self._replica.store.whole_entry(index)
            yield reading_pb2.LoggedEntry(index=index, leaf=stored.leaf, entry=entry_to_proto(entry))


def _as_of(query: reading_pb2.CarnetQuery) -> str:
    if query.as_of:
        try:
            day_of(query.as_of)
        except Malformed as error:
            raise trouble(Trouble.REQUEST_MALFORMED, str(error)) from None
    return query.as_of
