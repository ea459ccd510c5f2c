"""The four reading services. Each method: freshness, session, right, then exactly what that right shows."""

from collections.abc import AsyncIterator

from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.vocabulary import Kind, Label, OrganisationKind, Purpose, VoucherState
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.keys import acceptable
from eata_ledger.state import Device, KeyFact, Organisation, RevokedDevice, Voucher, VoucherKey
from eata_ledger.wire import entry_to_proto
from eata_proto.v1 import ledger_pb2, reading_pb2, reading_pb2_grpc

from eata_node.guarding import Context, Trouble, refusal, trouble
from eata_node.replica import Replica
from eata_node.services.carnets import Carnets, arriving, narrowed
from eata_node.services.presentations import Presentations, Shown
from eata_node.services.reader import Readers, Signers


def _organisation(replica: Replica, signers: Signers, kind: OrganisationKind) -> Organisation:
    """The registered organisation of that kind whose signing key signed the request."""
    facts = Facts(replica.store)
    for kid in signers.signatures:
        key = facts.get(KeyFact, kid)
        if key is not None and key.revoked is None and key.purpose is Purpose.SIGN and signers.signed_by(key.raw):
            found = facts.get(Organisation, key.owner)
            if found is not None and found.kind is kind and found.sign_key == key.raw:
                return found
    raise refusal(Outcome.KEY_UNKNOWN)


def issuer_of(replica: Replica, signers: Signers) -> Organisation:
    """The registered issuer that signed the request."""
    return _organisation(replica, signers, OrganisationKind.ISSUER)


def require_device(replica: Replica, signers: Signers, carnet_id: int) -> None:
    """An enrolled device of the carnet signed the request; else the carnet is not its business."""
    if not by_device(replica, signers, carnet_id):
        raise trouble(Trouble.NOT_VISIBLE)


def by_device(replica: Replica, signers: Signers, carnet_id: int) -> bool:
    """An enrolled device that has not been revoked signed it."""
    facts = Facts(replica.store)
    live = (kid for kid in signers.signatures if facts.get(RevokedDevice, carnet_id, kid) is None)
    devices = (facts.get(Device, carnet_id, kid) for kid in live)
    return any(device is not None and signers.signed_by(device.key) for device in devices)


class Wallet(reading_pb2_grpc.WalletServicer):
    """An enrolled device sees its carnet; the PIN key sees the carnet part and the PIN stanza."""

    def __init__(self, replica: Replica, readers: Readers, carnets: Carnets) -> None:
        self._replica, self._readers, self._carnets = replica, readers, carnets

    async def Carnet(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.CarnetQuery.FromString(request.body)
        signers = self._readers.open(request, "/eata.v1.Wallet/Carnet")
        await self._readers.session(request.session)
        view = self._carnets.view(query.carnet_id)
        enrolled = by_device(self._replica, signers, query.carnet_id)
        if not enrolled and not signers.signed_by(view.carnet.pin_key):
            raise trouble(Trouble.NOT_VISIBLE)
        self._readers.spend(request)
        reply = self._carnets.reply(view, _as_of(query))
        stanza_entry = view.carnet.entry if view.state.signed is None else view.state.signed
        reply.parts.extend(self._carnets.parts(view.carnet.entry, {Label.CARNET}))
        reply.parts.extend(self._carnets.parts(stanza_entry, {Label.PIN_STANZA}))
        if enrolled:
            reply.devices.extend(self._carnets.devices(query.carnet_id))
            reply.rows.extend(self._carnets.row(row, {Label.COUNTERFOIL}) for row in view.rows)
            vouchers = self._carnets.vouchers(query.carnet_id)
            reply.vouchers.extend(self._carnets.voucher(query.carnet_id, v, {Label.DECLARATION}) for v in vouchers)
            reply.incidents.extend(self._carnets.incidents(query.carnet_id, None, reply.rows))
            reply.notices.extend(self._carnets.notices(vouchers, query.carnet_id))
        else:  # the PIN opens the carnet, not what happened to it
            reply.state = narrowed(view.state, "").to_bytes()
            reply.ClearField("reconciliation")
            reply.ClearField("links")
        return reply


class Customs(reading_pb2_grpc.CustomsServicer):
    """An officer with a voucher's code, or a territory that has met the carnet."""

    def __init__(self, replica: Replica, readers: Readers, carnets: Carnets, presentations: Presentations) -> None:
        self._replica, self._readers, self._carnets = replica, readers, carnets
        self._presentations = presentations

    async def Voucher(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.VoucherQuery.FromString(request.body)
        signers = self._readers.open(request, "/eata.v1.Customs/Voucher")
        await self._readers.session(request.session)
        officer = self._readers.officer(request, signers)
        if not acceptable(query.voucher_key) or not signers.signed_by(query.voucher_key):
            raise refusal(Outcome.CODE_INVALID)
        self._readers.spend(request)
        facts = Facts(self._replica.store)
        place = facts.get(VoucherKey, query.voucher_key)
        voucher = None if place is None else facts.get(Voucher, place.carnet_id, place.slot)
        if place is None or voucher is None or voucher.state is VoucherState.DELETED:
            raise refusal(Outcome.CODE_INVALID)
        if voucher.territory != officer.territory:
            raise refusal(Outcome.WRONG_TERRITORY_FOR_TYPE)
        view = self._carnets.view(place.carnet_id)
        at_arrival = arriving(voucher)
        reply = self._carnets.redacted(view, officer.territory, at_arrival)
        reply.parts.extend(self._carnets.parts(view.carnet.entry, {Label.CARNET}))
        reply.vouchers.append(self._carnets.voucher(place.carnet_id, voucher, {Label.DECLARATION, Label.PACKET}))
        reply.rows.extend(self._carnets.rows_for(view, officer.territory, at_arrival))
        reply.incidents.extend(self._carnets.incidents(place.carnet_id, officer.territory, reply.rows))
        shown = Shown(officer.certificate.office, officer.certificate.serial, request.time)
        for other in self._presentations.show(query.voucher_key, shown):
            reply.presentations.append(reading_pb2.Presentation(office=other.office, time=other.time))
        return reply

    async def Carnet(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.CarnetQuery.FromString(request.body)
        signers = self._readers.open(request, "/eata.v1.Customs/Carnet")
        await self._readers.session(request.session)
        officer = self._readers.officer(request, signers)
        self._readers.spend(request)
        view = self._carnets.view(query.carnet_id)
        own = officer.territory
        if own != view.carnet.home and all(row.territory != own for row in view.rows):
            raise trouble(Trouble.NOT_VISIBLE)
        reply = self._carnets.redacted(view, own, arriving=False)
        reply.parts.extend(self._carnets.parts(view.carnet.entry, {Label.CARNET}))
        reply.rows.extend(self._carnets.rows_for(view, own, arriving=False))
        reply.incidents.extend(self._carnets.incidents(query.carnet_id, own, reply.rows))
        return reply


class Issuer(reading_pb2_grpc.IssuerServicer):
    """An issuer's own carnets: validations in full, the rest in summary (N-07)."""

    def __init__(self, replica: Replica, readers: Readers, carnets: Carnets) -> None:
        self._replica, self._readers, self._carnets = replica, readers, carnets

    async def Carnet(self, request: ledger_pb2.SignedRequest, context: Context) -> reading_pb2.CarnetReply:  # noqa: N802
        query = reading_pb2.CarnetQuery.FromString(request.body)
        signers = self._readers.open(request, "/eata.v1.Issuer/Carnet")
        await self._readers.session(request.session)
        issuer = issuer_of(self._replica, signers)
        view = self._carnets.view(query.carnet_id)
        if view.carnet.issuer != issuer.code:
            raise trouble(Trouble.NOT_VISIBLE)
        self._readers.spend(request)
        reply = self._carnets.reply(view, _as_of(query))
        own = {issuer.seal_id}
        reply.parts.extend(self._carnets.parts(view.carnet.entry, {Label.CARNET, Label.STANZA}, to=own))
        for row in view.rows:
            full = row.kind is Kind.VALIDATION
            labels = {Label.COUNTERFOIL, Label.STANZA} if full else set[Label]()
            reply.rows.append(self._carnets.row(row, labels, own))
        reply.incidents.extend(self._carnets.asks(query.carnet_id))
        return reply


class Audit(reading_pb2_grpc.AuditServicer):
    """Entry bytes, for registered auditors who replay them from genesis (P5)."""

    def __init__(self, replica: Replica, readers: Readers) -> None:
        self._replica, self._readers = replica, readers

    async def Entries(  # noqa: N802
        self, request: ledger_pb2.SignedRequest, context: Context
    ) -> AsyncIterator[reading_pb2.LoggedEntry]:
        query = reading_pb2.EntriesQuery.FromString(request.body)
        signers = self._readers.open(request, "/eata.v1.Audit/Entries")
        await self._readers.session(request.session)
        _organisation(self._replica, signers, OrganisationKind.AUDITOR)
        self._readers.spend(request)
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
