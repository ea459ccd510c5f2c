"""Who may call what: the one table every node enforces, and the one place where a signed request is judged.

Entries (`Submit`) are judged by the rules themselves: who signs which is the table in docs/formats.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eata_ledger.carnet.vocabulary import OrganisationKind, Purpose, Role, VoucherState
from eata_ledger.facts import Facts
from eata_ledger.log.certificate import Certified
from eata_ledger.log.keys import acceptable
from eata_ledger.outcomes import Outcome
from eata_ledger.state import Carnet, Device, KeyFact, Organisation, Voucher, VoucherKey
from eata_proto.v1 import ledger_pb2

from eata_node.replica.replica import Replica
from eata_node.rpc.errors import ApiError, Trouble, refusal, trouble
from eata_node.rpc.limits import Limit, Limits
from eata_node.services.carnets import Carnets
from eata_node.writing.sessions import Officer, Readers, Signers


class Who(StrEnum):
    """Parties as a request's own signatures show them; a TLS certificate makes nobody one of them but a node."""

    ANYONE = "anyone"
    NODE = "node"
    DEVICE = "enrolled device"
    PIN = "PIN key"
    ISSUER = "issuer"
    AUDITOR = "auditor"
    OFFICER = "officer"


CUSTOMS = frozenset({Role.OFFICER, Role.CONTROLLER, Role.REGIONAL_MANAGER, Role.ADMIN})
LOGS = frozenset({Role.CONTROLLER, Role.ADMIN})
STATISTICS = frozenset({Role.CONTROLLER, Role.REGIONAL_MANAGER, Role.ADMIN})


class If(StrEnum):
    """The condition beside the party."""

    ALWAYS = "always"
    ENTRY_SIGNED = "the entry's own signatures"
    KNOWS_HASH = "knows the entry's hash"
    OF_CARNET = "of this carnet"
    ISSUED_IT = "issued this carnet"
    MET_IT = "the territory is home or has met the carnet"
    SHOWN_VOUCHER = "the voucher's code was shown, of the own territory"
    OWN_TERRITORY = "of the own territory"


@dataclass(frozen=True)
class Right:
    """One line of the table: a party, its condition, for officers the roles."""

    who: Who
    condition: If = If.ALWAYS
    roles: frozenset[Role] = CUSTOMS


def _lists(method: str, roles: frozenset[Role] = CUSTOMS) -> tuple[str, tuple[Right, ...]]:
    return f"/eata.v1.Lists/{method}", (Right(Who.OFFICER, If.OWN_TERRITORY, roles),)


_ANYONE = (Right(Who.ANYONE),)
_READS_DOCUMENTS = (
    Right(Who.DEVICE, If.OF_CARNET), Right(Who.ISSUER, If.ISSUED_IT), Right(Who.OFFICER, If.SHOWN_VOUCHER),
    Right(Who.OFFICER, If.MET_IT),
)  # fmt: skip
RIGHTS: dict[str, tuple[Right, ...]] = {
    "/eata.v1.Ledger/Submit": (Right(Who.ANYONE, If.ENTRY_SIGNED),),
    "/eata.v1.Ledger/SubmitMany": (Right(Who.ANYONE, If.ENTRY_SIGNED),),
    "/eata.v1.Ledger/Receipt": (Right(Who.ANYONE, If.KNOWS_HASH),),
    "/eata.v1.Ledger/Report": _ANYONE,
    "/eata.v1.Ledger/Status": _ANYONE,
    "/eata.v1.Ledger/Checkpoint": _ANYONE,
    "/eata.v1.Ledger/Inclusion": _ANYONE,
    "/eata.v1.Ledger/Consistency": _ANYONE,
    "/eata.v1.Ledger/Number": _ANYONE,
    "/eata.v1.Ledger/Registry": _ANYONE,
    "/eata.v1.Ledger/RegistryHead": _ANYONE,
    "/eata.v1.Ledger/Eras": _ANYONE,
    "/eata.v1.Wallet/Carnet": (Right(Who.DEVICE, If.OF_CARNET), Right(Who.PIN, If.OF_CARNET)),
    "/eata.v1.Customs/Voucher": (Right(Who.OFFICER, If.SHOWN_VOUCHER),),
    "/eata.v1.Customs/Carnet": (Right(Who.OFFICER, If.MET_IT),),
    "/eata.v1.Issuer/Carnet": (Right(Who.ISSUER, If.ISSUED_IT),),
    "/eata.v1.Audit/Entries": (Right(Who.AUDITOR),),
    "/eata.v1.Blobs/Put": (Right(Who.DEVICE, If.OF_CARNET), Right(Who.ISSUER)),
    "/eata.v1.Blobs/List": _READS_DOCUMENTS,
    "/eata.v1.Blobs/Get": _READS_DOCUMENTS,
    "/eata.v1.Follow/Carnet": (Right(Who.DEVICE, If.OF_CARNET),),
    "/eata.v1.Follow/Issued": (Right(Who.ISSUER),),
    "/eata.v1.Follow/Territory": (Right(Who.OFFICER, If.OWN_TERRITORY),),
    **dict((
        _lists("Transactions"), _lists("Holds"), _lists("Arrivals"), _lists("Transits"), _lists("Carnets", LOGS),
        _lists("Statistics", STATISTICS),
    )),
    "/eata.v1.Peer/SignStatements": (Right(Who.NODE),),
    "/eata.v1.Peer/Presented": (Right(Who.NODE),),
    "/eata.v1.Peer/Backup": (Right(Who.NODE),),
    "/eata.v1.Peer/Blob": (Right(Who.NODE),),
    "/eata.v1.Peer/Entries": (Right(Who.NODE),),
    "/eata.v1.Peer/Landmarks": (Right(Who.NODE),),
}  # fmt: skip


@dataclass(frozen=True)
class Granted:
    """Which line of the table let the request pass, and who that is."""

    who: Who
    signers: Signers
    officer: Officer | None = None
    organisation: Organisation | None = None
    device: Device | None = None

    @property
    def own(self) -> Device:
        assert self.device is not None, "the table grants this to devices only"
        return self.device

    @property
    def desk(self) -> Officer:
        assert self.officer is not None, "the table grants this to officers only"
        return self.officer

    @property
    def party(self) -> Organisation:
        assert self.organisation is not None, "the table grants this to organisations only"
        return self.organisation


class Rights:
    """Judges signed requests by the table: fresh, of this session, by one of its parties, not asked too often."""

    def __init__(self, replica: Replica, readers: Readers, limits: Limits) -> None:
        self._replica, self._readers, self.limits = replica, readers, limits
        self._carnets = Carnets(replica)
        self._as: dict[Who, Callable[[Right, ledger_pb2.SignedRequest, Signers, Any], Granted]] = {
            Who.DEVICE: self._device, Who.PIN: self._pin, Who.ISSUER: self._issuer, Who.AUDITOR: self._auditor,
            Who.OFFICER: self._officer,
        }  # fmt: skip

    async def require(self, request: ledger_pb2.SignedRequest, method: str, query: Any) -> Granted:
        """The first line that holds. Raises `ApiError`: what the party that the request claims to be lacks.

        What was ordered a moment ago may not be here yet: nobody is refused before this node is abreast of the log.
        """
        signers = self._readers.open(request, method)
        await self._readers.session(request.session)
        granted = self._granted(request, method, query, signers)
        if isinstance(granted, ApiError) and await self._readers.abreast():
            granted = self._granted(request, method, query, signers)
        if isinstance(granted, ApiError):
            if granted.code == Outcome.CODE_INVALID.name:  # said of a genuine desk only
                self.limits.spend(Limit.GUESSES, Certified.from_bytes(request.certificate).certificate.key)
            raise granted
        self._readers.spend(request)
        for key in signers.verified:
            self.limits.charge(Limit.IDENTITY, key)
        return granted

    def _granted(
        self, request: ledger_pb2.SignedRequest, method: str, query: Any, signers: Signers
    ) -> Granted | ApiError:  # fmt: skip
        lacking: ApiError | None = None
        for right in RIGHTS[method]:
            if (right.who is Who.OFFICER) != bool(request.certificate) and len(RIGHTS[method]) > 1:
                continue
            try:
                return self._as[right.who](right, request, signers, query)
            except ApiError as error:
                lacking = error
        return lacking or trouble(Trouble.NOT_VISIBLE)

    # -- parties

    def _device(self, right: Right, request: ledger_pb2.SignedRequest, signers: Signers, query: Any) -> Granted:
        device = by_device(self._replica, signers, query.carnet_id)
        if device is None:
            raise trouble(Trouble.NOT_VISIBLE)
        return Granted(Who.DEVICE, signers, device=device)

    def _pin(self, right: Right, request: ledger_pb2.SignedRequest, signers: Signers, query: Any) -> Granted:
        carnet = Facts(self._replica.store).get(Carnet, query.carnet_id)
        if carnet is None or not signers.signed_by(carnet.pin_key):
            raise trouble(Trouble.NOT_VISIBLE)  # counted at the door, by address: nobody is locked out by others
        return Granted(Who.PIN, signers)

    def _issuer(self, right: Right, request: ledger_pb2.SignedRequest, signers: Signers, query: Any) -> Granted:
        issuer = self._organisation(signers, OrganisationKind.ISSUER)
        if right.condition is If.ISSUED_IT:
            carnet = Facts(self._replica.store).get(Carnet, query.carnet_id)
            if carnet is None or carnet.issuer != issuer.code:
                raise trouble(Trouble.NOT_VISIBLE)
        return Granted(Who.ISSUER, signers, organisation=issuer)

    def _auditor(self, right: Right, request: ledger_pb2.SignedRequest, signers: Signers, query: Any) -> Granted:
        return Granted(Who.AUDITOR, signers, organisation=self._organisation(signers, OrganisationKind.AUDITOR))

    def _organisation(self, signers: Signers, kind: OrganisationKind) -> Organisation:
        """The registered organisation of that kind whose signing key signed the request."""
        facts = Facts(self._replica.store)
        for kid in signers.signatures:
            key = facts.get(KeyFact, kid)
            if key is not None and key.revoked is None and key.purpose is Purpose.SIGN and signers.signed_by(key.raw):
                found = facts.get(Organisation, key.owner)
                if found is not None and found.kind is kind and found.sign_key == key.raw:
                    return found
        raise refusal(Outcome.KEY_UNKNOWN)

    def _officer(self, right: Right, request: ledger_pb2.SignedRequest, signers: Signers, query: Any) -> Granted:
        officer = self._readers.officer(request, signers)
        if officer.certificate.role not in right.roles:
            raise refusal(Outcome.ROLE_FORBIDDEN)
        if right.condition is If.SHOWN_VOUCHER:
            self._shown(officer, signers, query)
        elif right.condition is If.MET_IT and not self._carnets.met(query.carnet_id, officer.territory):
            raise trouble(Trouble.NOT_VISIBLE)
        return Granted(Who.OFFICER, signers, officer)

    def _shown(self, officer: Officer, signers: Signers, query: Any) -> None:
        """The code of a live voucher of the officer's territory; a desk that guesses is soon told to wait."""
        if not query.voucher_key:
            raise trouble(Trouble.NOT_VISIBLE)
        self.limits.require_left(Limit.GUESSES, officer.certificate.key)
        facts = Facts(self._replica.store)
        signed = acceptable(query.voucher_key) and signers.signed_by(query.voucher_key)
        place = facts.get(VoucherKey, query.carnet_id, query.voucher_key) if signed else None
        voucher = None if place is None else facts.get(Voucher, query.carnet_id, place.slot)
        if voucher is None or voucher.state is VoucherState.DELETED:
            raise refusal(Outcome.CODE_INVALID)
        if voucher.territory != officer.territory:
            raise refusal(Outcome.WRONG_TERRITORY_FOR_TYPE)


def by_device(replica: Replica, signers: Signers, carnet_id: int) -> Device | None:
    """The enrolled device that signed it, unless it has been taken back."""
    facts = Facts(replica.store)
    for kid in signers.signatures:
        device = facts.get(Device, carnet_id, kid)
        if device is not None and device.revoked is None and signers.signed_by(device.key):
            return device
    return None
