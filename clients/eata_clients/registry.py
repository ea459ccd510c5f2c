"""The registry as a client knows it: every record checked up to the genesis, so no node can slip in a key."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.vocabulary import OrganisationKind, ReadinessStage, Topic
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.proof import bodies
from eata_ledger.proof.chartering import CharterSignature, Decision, follow
from eata_ledger.proof.entry import Header
from eata_ledger.proof.genesis import Charter, Genesis
from eata_ledger.proof.keys import Algorithm, key_id, verify
from eata_ledger.proof.registered import NONE, next_head
from eata_ledger.rules.reference import sets_code
from eata_ledger.seal.stanza import acceptable
from eata_proto.v1 import ledger_pb2

from eata_clients.errors import Untrusted

P = TypeVar("P", bodies.RegisterOffice, bodies.RegisterRegion)
V = TypeVar(
    "V", bodies.RegisterOffice, bodies.RegisterRegion, bodies.Acceptance, bodies.VoucherSets, bodies.Provisional
)
_BY_ADMINISTRATION = (
    bodies.RegisterOffice, bodies.RegisterDeskCA, bodies.RegisterTerritoryKey, bodies.RegisterRegion,
    bodies.DescribeOffice, bodies.Provisional,
)  # fmt: skip


@dataclass(frozen=True)
class Decided:
    """A decision of the root: its ledger index, its header, who signed it."""

    index: int
    header: Header
    signatures: tuple[CharterSignature, ...]


@dataclass
class Registry:
    """Parties by code; `log_time` is the node's, ms UTC. Records with versions are those in force on its day."""

    genesis: Genesis
    log_time: int
    charter: Charter = field(init=False)
    organisations: dict[str, bodies.RegisterOrganisation] = field(default_factory=dict)
    administrations: dict[str, bodies.RegisterAdministration] = field(default_factory=dict)
    territories: dict[str, bodies.RegisterTerritory] = field(default_factory=dict)
    territory_keys: list[bodies.RegisterTerritoryKey] = field(default_factory=list)
    announced: dict[str, bodies.Readiness] = field(default_factory=dict)
    published: dict[tuple[Topic, str], bodies.Publish] = field(default_factory=dict)
    desk_authorities: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    revoked: set[bytes] = field(default_factory=set)
    described: dict[str, bodies.DescribeOffice] = field(default_factory=dict)
    _offices: dict[str, list[bodies.RegisterOffice]] = field(default_factory=dict)
    _regions: dict[str, list[bodies.RegisterRegion]] = field(default_factory=dict)
    _accepted: dict[str, list[bodies.Acceptance]] = field(default_factory=dict)
    _sets: dict[str, list[bodies.VoucherSets]] = field(default_factory=dict)
    _provisional: dict[str, list[bodies.Provisional]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.charter = self.genesis.charter
        self.decisions: list[Decided] = []
        self._keys: dict[str, dict[bytes, bytes]] = {}
        self._taken: list[ledger_pb2.RegistryEntry] = []
        self._chained: list[ledger_pb2.RegistryEntry] = []
        self._heads = [NONE]
        self.attested = 0

    # -- what was fetched: chained first, judged and kept once the chain is the one that others vouch for

    @property
    def count(self) -> int:
        """How many registrations have been taken."""
        return len(self._taken)

    @property
    def pending(self) -> int:
        """With those that are chained only."""
        return len(self._heads) - 1

    @property
    def raw(self) -> bytes:
        """What a booth keeps, for `read_registry`."""
        reply = ledger_pb2.RegistryReply(genesis=self.genesis.to_bytes(), log_time=self.log_time)
        reply.entries.extend(self._taken)
        return reply.SerializeToString()

    def told_time(self, log_time: int) -> None:
        """Log time as the nodes tell it, ms UTC; never back."""
        self.log_time = max(self.log_time, log_time)

    def head_at(self, count: int) -> bytes:
        """The chain's head over the first `count` registrations."""
        return self._heads[count]

    def chain(self, entries: Iterable[ledger_pb2.RegistryEntry]) -> None:
        """Further registrations, in order: hashed, not judged. Raises `Untrusted`."""
        for one in entries:
            try:
                entry_hash = sha256(Header.from_bytes(one.entry.header).signed)
            except Malformed as error:
                raise Untrusted(f"a registration is malformed: {error}") from None
            self._heads.append(next_head(self._heads[-1], one.index, entry_hash))
            self._chained.append(one)

    def settle(self) -> None:
        """Judges what was chained. Raises `Untrusted`."""
        chained, self._chained = self._chained, []
        for one in chained:
            try:
                self.take(one.index, one.entry)
            except Untrusted:
                self.forget_unsettled()
                raise
            self._taken.append(one)

    def forget_unsettled(self) -> None:
        """What was chained is not what others vouch for."""
        self._chained = []
        del self._heads[self.count + 1 :]

    def take_all(self, entries: Iterable[ledger_pb2.RegistryEntry]) -> None:
        """Chains and judges at once. Raises `Untrusted`."""
        self.chain(entries)
        self.settle()

    @property
    def today(self) -> int:
        return self.log_time // DAY

    @property
    def offices(self) -> dict[str, bodies.RegisterOffice]:
        return _in_force(self._offices, self.today)

    @property
    def regions(self) -> dict[str, bodies.RegisterRegion]:
        return _in_force(self._regions, self.today)

    @property
    def accepted(self) -> dict[str, bodies.Acceptance]:
        """What each territory accepts (domain §3.4)."""
        return _in_force(self._accepted, self.today)

    @property
    def voucher_sets(self) -> dict[str, bodies.VoucherSets]:
        """Voucher sets by “TYPE:home” (domain §3.1)."""
        return _in_force(self._sets, self.today)

    def goods_pass(self, administration: str) -> bool:
        """Whether it lets goods pass on a commit that is not final yet; without its word they wait."""
        found = _in_force(self._provisional, self.today).get(administration)
        return found is not None and found.effective <= self.today and found.goods_pass

    def live(self, at: int) -> dict[str, tuple[bytes, bytes]]:
        """Territory → (key id, public key) of its newest generation valid at `at` (ms UTC)."""
        found: dict[str, tuple[bytes, bytes]] = {}
        for key in self.territory_keys:
            identity = key_id(key.key, Algorithm.XWING)
            if key.valid_from <= at <= key.valid_to and identity not in self.revoked:
                found[key.territory] = (identity, key.key)
        return found

    def issuer(self, code: str) -> tuple[bytes, bytes] | None:
        """(key id, public key) of an issuer's sealing key."""
        found = self.organisations.get(code)
        if found is None or found.kind is not OrganisationKind.ISSUER:
            return None
        return key_id(found.seal_key, Algorithm.XWING), found.seal_key

    def keys_of(self, organisation: str) -> dict[bytes, bytes]:
        """Every signing key that an organisation has or had, by its id: what it signed in its day stays signed.

        With an empty code those of all of them, for lists that tell of many issuers' carnets.
        """
        if organisation:
            return self._keys.get(organisation, {})
        return {kid: key for keys in self._keys.values() for kid, key in keys.items()}

    def take(self, index: int, message: ledger_pb2.Entry) -> None:
        """One registration, if the key that may make it signed it. Raises `Untrusted`."""
        try:
            header = Header.from_bytes(message.header)
        except Malformed as error:
            raise Untrusted(f"a registration is malformed: {error}") from None
        if isinstance(header.body, Decision):
            self._recharter(index, header, message)
            return
        parent = self._parent(header)
        if key_id(parent) in self.revoked:
            raise Untrusted("a registration is signed by a revoked key")
        signatures = {s.key_id: s.value for s in message.signatures}
        if header.ledger != self.genesis.ledger or not verify(
            parent, signatures.get(key_id(parent), b""), header.signed
        ):
            raise Untrusted("a registration is not signed by its parent")
        self._require_rules(header.body)
        self._keep(header.body)

    def _recharter(self, index: int, header: Header, message: ledger_pb2.Entry) -> None:
        signatures = tuple(CharterSignature(s.key_id, s.value) for s in message.signatures)
        try:
            self.charter = follow(self.charter, header, {s.key_id: s.value for s in signatures})
        except Malformed as error:
            raise Untrusted(f"the node set is not the root's: {error}") from None
        self.decisions.append(Decided(index, header, signatures))

    def _parent(self, header: Header) -> bytes:
        body = header.body
        if isinstance(body, bodies.RevokeKey):
            own = (a.sign_key for a in self.administrations.values() if key_id(a.sign_key) == header.author)
            return next(own, self.charter.operations)
        if isinstance(body, _BY_ADMINISTRATION):
            administration = self.administrations.get(body.administration)
            if administration is None:
                raise Untrusted("a registration names an unknown administration")
            return administration.sign_key
        return self.charter.operations

    def _require_rules(self, body: bodies.Body) -> None:
        """The registry's own rules again: a node could show a signed registration that the log refused."""
        match body:
            case bodies.RegisterOrganisation():
                known = self.organisations.get(body.code)
                new = known is None or known.kind is body.kind
            case bodies.RegisterTerritory():
                new = body.code not in self.territories and set(body.administrations) <= set(self.administrations)
            case bodies.RegisterOffice():
                new = self._member(body.territory, body.administration) and _follows(self._offices, body.code, body)
            case bodies.RegisterRegion():
                new = self._member(body.territory, body.administration) and _follows(self._regions, body.code, body)
            case bodies.DescribeOffice():
                office, region = self._offices.get(body.office), self._regions.get(body.region)
                new = office is not None and region is not None and office[0].territory == region[0].territory
            case bodies.Readiness():
                new = body.territory in self.territories
            case bodies.Acceptance():
                new = body.territory in self.territories and _later(self._accepted.get(body.territory), body)
            case bodies.VoucherSets():
                new = _later(self._sets.get(sets_code(body.type, body.home)), body)
            case bodies.Provisional():
                new = _later(self._provisional.get(body.administration), body)
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
                self._keys.setdefault(body.code, {})[key_id(body.sign_key)] = body.sign_key
            case bodies.RegisterAdministration():
                self.administrations[body.code] = body
            case bodies.RegisterTerritory():
                self.territories[body.code] = body
            case bodies.RegisterOffice():
                self._offices.setdefault(body.code, []).append(body)
            case bodies.RegisterRegion():
                self._regions.setdefault(body.code, []).append(body)
            case bodies.DescribeOffice():
                self.described[body.office] = body
            case bodies.Acceptance():
                self._accepted.setdefault(body.territory, []).append(body)
            case bodies.VoucherSets():
                self._sets.setdefault(sets_code(body.type, body.home), []).append(body)
            case bodies.Provisional():
                self._provisional.setdefault(body.administration, []).append(body)
            case bodies.Publish():
                self.published[body.topic, body.key] = body
            case bodies.Readiness():
                self._announce(body)
            case bodies.RevokeKey():
                self.revoked.add(body.key)
            case bodies.RegisterTerritoryKey():
                self.territory_keys.append(body)
            case bodies.RegisterDeskCA():
                self.desk_authorities[key_id(body.key)] = body.administration, body.key
            case _:
                pass

    def _announce(self, body: bodies.Readiness) -> None:
        since = body.digital_from if body.stage is ReadinessStage.CONFIRMED else None
        self.announced[body.territory] = body
        self.territories[body.territory] = replace(self.territories[body.territory], digital_from=since)


def _in_force(versions: Mapping[str, Sequence[V]], day: int) -> dict[str, V]:
    """The newest version whose day has come; the first one before any has."""
    return {
        code: next((version for version in reversed(known) if version.effective <= day), known[0])
        for code, known in versions.items()
    }


def _later(known: Sequence[V] | None, body: V) -> bool:
    return not known or body.effective > known[-1].effective


def _follows(known: Mapping[str, Sequence[P]], code: str, body: P) -> bool:
    """A first version, or a later one of the same administration and territory."""
    versions = known.get(code)
    same = not versions or (versions[0].administration, versions[0].territory) == (body.administration, body.territory)
    return same and _later(versions, body)
