"""The four reading services. Each method: freshness, session, right, then exactly what that right shows."""

from collections.abc import AsyncIterator

from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts
from eata_ledger.state import Voucher, VoucherKey
from eata_ledger.wire import entry_to_proto
from eata_proto.v1 import ledger_pb2, reading_pb2, reading_pb2_grpc

from eata_node.guarding import Context, Trouble, trouble
from eata_node.replica import Replica
from eata_node.services.attesting import Attesting
from eata_node.services.carnets import Carnets, arriving, narrowed
from eata_node.services.presentations import Presentations, Shown
from eata_node.services.rights import Rights, Who


class Wallet(reading_pb2_grpc.WalletServicer):
    """An enrolled device sees its carnet; the PIN key sees the carnet part and the PIN stanza."""

    def __init__(self, replica: Replica, rights: Rights, carnets: Carnets, attesting: Attesting) -> None:
        self._replica, self._rights, self._carnets, self._attesting = replica, rights, carnets, attesting

    async def Carnet(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.CarnetQuery.FromString(request.body)
        granted = await self._rights.require(request, "/eata.v1.Wallet/Carnet", query)
        view = self._carnets.kept(query.carnet_id)
        reply = self._carnets.reply(view, _as_of(query))
        reply.parts.extend(self._carnets.parts(view.carnet.entry, {Label.CARNET}))
        reply.parts.extend(self._carnets.parts(self._carnets.pin_entry(view), {Label.PIN_STANZA}))
        if granted.who is Who.DEVICE:
            reply.refused.extend(self._carnets.refused(query.carnet_id))
            reply.devices.extend(self._carnets.devices(query.carnet_id))
            reply.rows.extend(self._carnets.row(query.carnet_id, row, {Label.COUNTERFOIL}) for row in view.rows)
            reply.parts.extend(self._carnets.documents(query.carnet_id))
            vouchers = self._carnets.vouchers(query.carnet_id)
            reply.vouchers.extend(
                self._carnets.voucher(query.carnet_id, v, {Label.DECLARATION, Label.PACKET}) for v in vouchers
            )
            reply.incidents.extend(self._carnets.incidents(query.carnet_id, None, reply.rows))
            reply.notices.extend(self._carnets.notices(vouchers, query.carnet_id))
        else:  # the PIN opens the carnet, not what happened to it
            reply.state = narrowed(view.state, "").to_bytes()
            reply.ClearField("reconciliation")
            reply.ClearField("links")
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
        officer = granted.desk
        facts = Facts(self._replica.store)
        place = facts.get(VoucherKey, query.voucher_key)
        voucher = None if place is None else facts.get(Voucher, place.carnet_id, place.slot)
        assert place is not None, "the table asks for a voucher that is there"
        assert voucher is not None, "a voucher's key names it"
        view = self._carnets.kept(place.carnet_id)
        at_arrival = arriving(voucher)
        reply = self._carnets.redacted(view, officer.territory, at_arrival)
        reply.parts.extend(self._carnets.parts(view.carnet.entry, {Label.CARNET}))
        reply.parts.extend(self._carnets.documents(place.carnet_id))
        reply.vouchers.append(self._carnets.voucher(place.carnet_id, voucher, {Label.DECLARATION, Label.PACKET}))
        reply.rows.extend(self._carnets.rows_for(view, officer.territory, at_arrival))
        reply.incidents.extend(self._carnets.incidents(place.carnet_id, officer.territory, reply.rows))
        if not request.digest_only:
            shown = Shown(officer.certificate.office, officer.certificate.serial, request.time)
            for other in self._presentations.show(query.voucher_key, shown):
                reply.presentations.append(reading_pb2.Presentation(office=other.office, time=other.time))
        return self._attesting.attested(reply, request, granted.signers)

    async def Carnet(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.CarnetQuery.FromString(request.body)
        granted = await self._rights.require(request, "/eata.v1.Customs/Carnet", query)
        own = granted.desk.territory
        view = self._carnets.kept(query.carnet_id)
        reply = self._carnets.redacted(view, own, arriving=False)
        reply.parts.extend(self._carnets.parts(view.carnet.entry, {Label.CARNET}))
        reply.parts.extend(self._carnets.documents(query.carnet_id))
        reply.rows.extend(self._carnets.rows_for(view, own, arriving=False))
        reply.incidents.extend(self._carnets.incidents(query.carnet_id, own, reply.rows))
        return self._attesting.attested(reply, request, granted.signers)


class Issuer(reading_pb2_grpc.IssuerServicer):
    """An issuer's own carnets: validations in full, the rest in summary (N-07)."""

    def __init__(self, replica: Replica, rights: Rights, carnets: Carnets, attesting: Attesting) -> None:
        self._replica, self._rights, self._carnets, self._attesting = replica, rights, carnets, attesting

    async def Carnet(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.CarnetQuery.FromString(request.body)
        granted = await self._rights.require(request, "/eata.v1.Issuer/Carnet", query)
        issuer = granted.party
        view = self._carnets.view(query.carnet_id)
        reply = self._carnets.reply(view, _as_of(query))
        own = set(issuer.seal_ids)
        reply.parts.extend(self._carnets.parts(view.carnet.entry, {Label.CARNET, Label.STANZA}, to=own))
        reply.parts.extend(self._carnets.mended(query.carnet_id, view.carnet.entry, own))
        reply.parts.extend(self._carnets.documents(query.carnet_id))
        for row in view.rows:
            full = row.kind is Kind.VALIDATION
            labels = {Label.COUNTERFOIL, Label.STANZA} if full else set[Label]()
            reply.rows.append(self._carnets.row(query.carnet_id, row, labels, own))
        reply.incidents.extend(self._carnets.asks(query.carnet_id))
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
