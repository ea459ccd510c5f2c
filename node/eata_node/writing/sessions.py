"""Who is asking: checks a signed request once, and says which keys signed it."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.vocabulary import Purpose, Role
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts
from eata_ledger.log.certificate import Certified, DeskCertificate
from eata_ledger.log.keys import key_id, verify
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.reading import WINDOW, to_sign
from eata_ledger.state import KeyFact, Office
from eata_proto.v1 import ledger_pb2

from eata_node.engine.interface import Engine, EngineDown
from eata_node.replica.replica import Replica
from eata_node.rpc.errors import Trouble, refusal, trouble

_KEPT_NONCES = 200_000
_SHORT, _PATIENCE = 0.2, 1.8


@dataclass(frozen=True)
class Signers:
    """A fresh request's message and signatures; nothing is verified before `signed_by` says so."""

    message: bytes
    signatures: dict[bytes, bytes]
    verified: set[bytes] = field(default_factory=set)

    def signed_by(self, public: bytes) -> bool:
        if public in self.verified:
            return True
        signature = self.signatures.get(key_id(public))
        good = signature is not None and verify(public, signature, self.message)
        if good:
            self.verified.add(public)
        return good

    def require(self, public: bytes) -> None:
        if not self.signed_by(public):
            raise refusal(Outcome.SIGNATURE_INVALID)


@dataclass(frozen=True)
class Officer:
    """A signed-in desk: its certificate, the territory of its office, and the administration that answers for it."""

    certificate: DeskCertificate
    territory: str
    administration: str


def require_serving(replica: Replica) -> None:
    """A halted node serves only status and evidence; so does one that is being built from nothing."""
    if replica.halted:
        raise trouble(Trouble.HALTED)
    if not replica.serving:
        raise trouble(Trouble.LAGGING)


class Readers:
    """Freshness, nonces and session tokens of one node."""

    def __init__(
        self, replica: Replica, clock: Callable[[], int], addresses: dict[str, str], engine: Engine
    ) -> None:  # fmt: skip
        self._replica, self._clock, self._addresses, self._engine = replica, clock, addresses, engine
        self._nonces: OrderedDict[bytes, int] = OrderedDict()

    def open(self, request: ledger_pb2.SignedRequest, method: str) -> Signers:
        """Raises `ApiError` for a stale or malformed request, and on a node that has halted or cannot tell the time."""
        require_serving(self._replica)
        if self._replica.clock_watch.wrong:
            raise trouble(Trouble.CLOCK_WRONG)
        now = self._clock()
        if abs(now - request.time) > WINDOW:
            raise trouble(Trouble.READ_STALE)
        if len(request.nonce) != 16 or not 1 <= len(request.signatures) <= 4:
            raise trouble(Trouble.REQUEST_MALFORMED)
        message = to_sign(self._replica.genesis.ledger, method, request.body, request.time, request.nonce)
        return Signers(message, {s.key_id: s.value for s in request.signatures})

    def spend(self, request: ledger_pb2.SignedRequest) -> None:
        """Marks the nonce as used, once the signatures are good: forged requests burn nothing."""
        now = self._clock()
        while self._nonces:
            nonce, time = next(iter(self._nonces.items()))
            if now - time <= 2 * WINDOW and len(self._nonces) < _KEPT_NONCES:
                break
            del self._nonces[nonce]
        if request.nonce in self._nonces:
            raise trouble(Trouble.NONCE_USED)
        self._nonces[request.nonce] = now

    async def session(self, session: ledger_pb2.Session) -> None:
        """Waits until this node has what the client has seen (P6)."""
        if not session.era:
            return
        if self._replica.opened and session.era != self._replica.state.era:
            raise trouble(Trouble.ERA_CHANGED)
        if await self._replica.reach(session.position, _SHORT):
            return
        if await self._beyond(session.position):
            raise trouble(Trouble.SESSION_AHEAD)
        if not await self._replica.reach(session.position, _PATIENCE):
            nodes, own = self._replica.nodes, self._replica.own
            best = max((node for node in nodes if node != own), key=lambda node: nodes[node].synced, default=own)
            name = self._replica.charter.by_id[best].name
            raise trouble(Trouble.LAGGING, node=name, address=self._addresses.get(name, ""))

    async def _beyond(self, position: int) -> bool:
        """True where the log itself has not come so far: somebody has told the client more than there is."""
        try:
            head = await self._engine.head()
        except EngineDown:
            return False
        return head.state == "LIVE" and head.era == self._replica.state.era and position > head.position

    async def abreast(self) -> bool:
        """Applies up to the engine's head; True if that brought something a refusal may have lacked."""
        before = self._replica.position
        try:
            head = await self._engine.head()
        except EngineDown:
            return False
        await self._replica.abreast(head, _PATIENCE)
        return self._replica.position > before

    def officer(self, request: ledger_pb2.SignedRequest, signers: Signers) -> Officer:
        """The desk behind a request: a live certificate by a registered desk CA, at an active office."""
        try:
            presented = Certified.from_bytes(request.certificate)
        except Malformed:
            raise refusal(Outcome.KEY_UNKNOWN, "no desk certificate") from None
        certificate, facts = presented.certificate, Facts(self._replica.store)
        authority = facts.get(KeyFact, certificate.authority)
        known = authority is not None and authority.purpose is Purpose.DESK_CA
        if authority is None or not known or certificate.ledger != self._replica.genesis.ledger:
            raise refusal(Outcome.KEY_UNKNOWN)
        if authority.revoked is not None:
            raise refusal(Outcome.KEY_REVOKED)
        if not presented.genuine(authority.raw):
            raise refusal(Outcome.SIGNATURE_INVALID)
        signers.require(certificate.key)
        if not certificate.lives_at(request.time):
            raise refusal(Outcome.CERT_EXPIRED)
        return self._at_office(facts, certificate, authority, request.time // DAY)

    @staticmethod
    def _at_office(facts: Facts, certificate: DeskCertificate, authority: KeyFact, day: int) -> Officer:
        office = facts.at(Office, certificate.office, day)
        if office is None or not office.active or office.administration != authority.owner:
            raise refusal(Outcome.OFFICE_INACTIVE)
        if certificate.role not in (Role.OFFICER, Role.CONTROLLER, Role.REGIONAL_MANAGER, Role.ADMIN):
            raise refusal(Outcome.ROLE_FORBIDDEN)
        return Officer(certificate, office.territory, office.administration)
