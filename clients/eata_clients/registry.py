"""The registry as a client knows it: every record checked up to the genesis, so no node can slip in a key."""

from dataclasses import dataclass, field

from eata_ledger.carnet.vocabulary import OrganisationKind
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.proof import bodies
from eata_ledger.proof.entry import Header
from eata_ledger.proof.genesis import Genesis
from eata_ledger.proof.keys import Algorithm, key_id, verify
from eata_ledger.seal.stanza import acceptable
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.errors import Untrusted
from eata_clients.transport import Transport


@dataclass
class Registry:
    """Parties by code; `log_time` is the node's, ms UTC."""

    genesis: Genesis
    log_time: int
    organisations: dict[str, bodies.RegisterOrganisation] = field(default_factory=dict)
    administrations: dict[str, bodies.RegisterAdministration] = field(default_factory=dict)
    territories: dict[str, bodies.RegisterTerritory] = field(default_factory=dict)
    offices: dict[str, bodies.RegisterOffice] = field(default_factory=dict)
    territory_keys: list[bodies.RegisterTerritoryKey] = field(default_factory=list)

    def live(self, at: int) -> dict[str, tuple[bytes, bytes]]:
        """Territory → (key id, public key) of its newest generation valid at `at` (ms UTC)."""
        found: dict[str, tuple[bytes, bytes]] = {}
        for key in self.territory_keys:
            if key.valid_from <= at <= key.valid_to:
                found[key.territory] = (key_id(key.key, Algorithm.XWING), key.key)
        return found

    def issuer(self, code: str) -> tuple[bytes, bytes] | None:
        """(key id, public key) of an issuer's sealing key."""
        found = self.organisations.get(code)
        if found is None or found.kind is not OrganisationKind.ISSUER:
            return None
        return key_id(found.seal_key, Algorithm.XWING), found.seal_key

    def take(self, message: ledger_pb2.Entry) -> None:
        """One registration, if the key that may make it signed it. Raises `Untrusted`."""
        try:
            header = Header.from_bytes(message.header)
        except Malformed as error:
            raise Untrusted(f"a registration is malformed: {error}") from None
        parent = self._parent(header.body)
        signatures = {s.key_id: s.value for s in message.signatures}
        if header.ledger != self.genesis.ledger or not verify(
            parent, signatures.get(key_id(parent), b""), header.signed
        ):
            raise Untrusted("a registration is not signed by its parent")
        self._require_rules(header.body)
        self._keep(header.body)

    def _parent(self, body: bodies.Body) -> bytes:
        if isinstance(body, bodies.RegisterOffice | bodies.RegisterDeskCA | bodies.RegisterTerritoryKey):
            administration = self.administrations.get(body.administration)
            if administration is None:
                raise Untrusted("a registration names an unknown administration")
            return administration.sign_key
        return self.genesis.operations

    def _require_rules(self, body: bodies.Body) -> None:
        """The registry's own rules again: a node could show a signed registration that the log refused."""
        match body:
            case bodies.RegisterOrganisation():
                new = body.code not in self.organisations
            case bodies.RegisterAdministration():
                new = body.code not in self.administrations
            case bodies.RegisterTerritory():
                new = body.code not in self.territories and set(body.administrations) <= set(self.administrations)
            case bodies.RegisterOffice():
                new = body.code not in self.offices and self._member(body.territory, body.administration)
            case bodies.RegisterTerritoryKey():
                earlier = [k.generation for k in self.territory_keys if k.territory == body.territory]
                member = self._member(body.territory, body.administration)
                new = member and acceptable(body.key) and body.generation > max(earlier, default=0)
            case _:
                new = True
        if not new:
            raise Untrusted("a registration breaks the registry's rules")

    def _member(self, territory: str, administration: str) -> bool:
        found = self.territories.get(territory)
        return found is not None and administration in found.administrations

    def _keep(self, body: bodies.Body) -> None:
        match body:
            case bodies.RegisterOrganisation():
                self.organisations[body.code] = body
            case bodies.RegisterAdministration():
                self.administrations[body.code] = body
            case bodies.RegisterTerritory():
                self.territories[body.code] = body
            case bodies.RegisterOffice():
                self.offices[body.code] = body
            case bodies.RegisterTerritoryKey():
                self.territory_keys.append(body)
            case _:
                pass


async def fetch(transport: Transport) -> Registry:
    """The registry from any node, verified against the pinned ledger."""
    reply = await transport.call(
        lambda channel: ledger_pb2_grpc.LedgerStub(channel).Registry,
        ledger_pb2.RegistryRequest(session=transport.session),
    )
    if sha256(reply.genesis) != transport.network.ledger:
        raise Untrusted("the genesis is not the pinned one")
    registry = Registry(Genesis.from_bytes(reply.genesis), reply.log_time)
    for logged in reply.entries:
        registry.take(logged.entry)
    return registry
