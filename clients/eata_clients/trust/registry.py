"""The registry as a client knows it: every record checked up to the genesis, so no node can slip in a key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from eata_ledger.encoding import Malformed, Value, decode_own, encode, sha256
from eata_ledger.log import bodies
from eata_ledger.log.chartering import CharterSignature, Decision, follow
from eata_ledger.log.entry import MAX_HEADER, Header, UnknownType, signed_bytes
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.keys import key_id, verify
from eata_ledger.proof.registered import NONE, next_head
from eata_ledger.rules.reference import sets_code
from eata_ledger.seal.stanza import acceptable
from eata_ledger.wire import MAX_SIGNATURES
from eata_proto.v1 import ledger_pb2

from eata_clients.net.errors import Outdated, Untrusted
from eata_clients.trust.records import Records, V
from eata_clients.trust.shelves import Shelf

P = TypeVar("P", bodies.RegisterOffice, bodies.RegisterRegion)
_BY_ADMINISTRATION = (
    bodies.RegisterOffice, bodies.RegisterDeskCA, bodies.RegisterTerritoryKey, bodies.RegisterRegion,
    bodies.DescribeOffice, bodies.Provisional,
)  # fmt: skip


_FORM = 1  # of the file; another one is fetched anew


@dataclass(frozen=True)
class Decided:
    """A decision of the root: its ledger index, its header, who signed it."""

    index: int
    header: Header
    signatures: tuple[CharterSignature, ...]


@dataclass(frozen=True)
class _Chained:
    index: int
    header: bytes
    signatures: dict[bytes, bytes]
    head: bytes


class Registry(Records):
    """The records of one ledger, and the node set as the root has decided it."""

    def __init__(self, genesis: Genesis) -> None:
        super().__init__()
        self.genesis, self.charter = genesis, genesis.charter
        self.decisions: list[Decided] = []
        self.attested = 0  # nodes that vouched for it when it was last fetched
        self.count, self.head, self.era = 0, NONE, 0
        self._chained: list[_Chained] = []
        self._pending = NONE

    # -- what was fetched: chained first, judged and kept once the chain is the one that others vouch for

    @property
    def pending(self) -> int:
        """How many registrations are here, with those that are chained only."""
        return self.count + len(self._chained)

    @property
    def pending_head(self) -> bytes:
        """The chain's head over them."""
        return self._pending

    def told_time(self, log_time: int, sure: bool) -> None:
        """Log time as the nodes tell it, ms UTC; back only by the word of so many that one is honest."""
        self.log_time = log_time if sure else max(self.log_time, log_time)

    def chain(self, entries: Iterable[ledger_pb2.RegistryEntry]) -> None:
        """Further registrations, in order: hashed, not looked at. Raises `Untrusted` for one that cannot be any."""
        for one in entries:
            header, signatures = one.entry.header, {s.key_id: s.value for s in one.entry.signatures}
            sizes = {(len(kid), len(value)) for kid, value in signatures.items()}
            if len(header) > MAX_HEADER or len(signatures) > MAX_SIGNATURES or not sizes <= {(16, 64)}:
                raise Untrusted("a registration is larger than any entry")
            self._pending = next_head(self._pending, one.index, sha256(signed_bytes(header)))
            self._chained.append(_Chained(one.index, header, signatures, self._pending))

    def settle(self) -> None:
        """Judges what was chained. Raises `Untrusted`: this registry is no good then."""
        chained, self._chained = self._chained[::-1], []
        while chained:  # each is let go of once it is judged: half of the memory
            one = chained.pop()
            self._take(one)
            self.count, self.head = self.count + 1, one.head

    def copy(self) -> "Registry":
        """To be brought up to date, while this one stays as it is."""
        return Registry.from_bytes(self.to_bytes())

    # -- a file of one's own

    def to_bytes(self) -> bytes:
        """Everything that was judged, for `from_bytes`."""
        decisions: list[Value] = [
            [one.index, one.header.encoded, [[s.key_id, s.value] for s in one.signatures]] for one in self.decisions
        ]
        return encode([
            _FORM, self.genesis.to_bytes(), self.attested, self.era, self.count, self.head, decisions, self._to_value()
        ])  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> "Registry":
        """From a file that `to_bytes` gave, not judged again. Raises `Malformed` for another one."""
        kept: Any = decode_own(data)
        try:
            form, genesis, attested, era, count, head, decisions, records = kept
            if form != _FORM:
                raise ValueError(form)
            found = cls(Genesis.from_bytes(genesis))
            found.attested, found.era, found.count, found.head, found._pending = attested, era, count, head, head
            for index, header, signatures in decisions:
                found._decide(index, Header.from_bytes(header), dict(signatures))
            found._fill(records)
        except (TypeError, ValueError, Untrusted) as error:
            raise Malformed("not a registry that was kept") from error
        return found

    def _take(self, one: _Chained) -> None:
        """One registration, if the key that may make it signed it. Raises `Untrusted`."""
        try:
            header = Header.from_bytes(one.header)
        except UnknownType as error:
            raise Outdated(str(error)) from None
        except Malformed as error:
            raise Untrusted(f"a registration is malformed: {error}") from None
        if isinstance(header.body, Decision):
            self._decide(one.index, header, one.signatures)
            return
        parent = self._parent(header)
        identity = key_id(parent)
        if identity in self.revoked:
            raise Untrusted("a registration is signed by a revoked key")
        signature = one.signatures.get(identity, b"")
        if header.ledger != self.genesis.ledger or not verify(parent, signature, header.signed):
            raise Untrusted("a registration is not signed by its parent")
        self._require_rules(header.body)
        self._keep(header.body)

    def _decide(self, index: int, header: Header, signatures: Mapping[bytes, bytes]) -> None:
        body, keepers = header.body, dict(self.charter.root_ids)
        if isinstance(body, bodies.RotateRoot):
            keepers |= {key_id(key): key for key in body.keys}  # the new ones sign too
        good = {
            kid: value
            for kid, value in signatures.items() if kid in keepers and verify(keepers[kid], value, header.signed)
        }  # fmt: skip
        try:
            self.charter = follow(self.charter, header, good)
        except Malformed as error:
            raise Untrusted(f"the node set is not the root's: {error}") from None
        signed = tuple(CharterSignature(kid, value) for kid, value in good.items())
        self.decisions.append(Decided(index, header, signed))

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
                new = body.code not in self._territories and set(body.administrations) <= set(self.administrations)
            case bodies.RegisterOffice():
                new = self._member(body.territory, body.administration) and _follows(self._offices, body.code, body)
            case bodies.RegisterRegion():
                new = self._member(body.territory, body.administration) and _follows(self._regions, body.code, body)
            case bodies.DescribeOffice():
                office, region = self._offices.first(body.office), self._regions.first(body.region)
                new = office is not None and region is not None and office.territory == region.territory
            case bodies.Readiness():
                new = body.territory in self._territories
            case bodies.Acceptance():
                new = body.territory in self._territories and _later(self._accepted, body.territory, body)
            case bodies.VoucherSets():
                new = _later(self._sets, sets_code(body.type, body.home), body)
            case bodies.Provisional():
                new = _later(self._provisional, body.administration, body)
            case bodies.RegisterTerritoryKey():
                member, before = (
                    self._member(body.territory, body.administration),
                    self._territory_keys.newest(body.territory),
                )
                new = member and acceptable(body.key) and body.generation > (before.generation if before else 0)
            case _:
                new = True
        if not new:
            raise Untrusted("a registration breaks the registry's rules")

    def _member(self, territory: str, administration: str) -> bool:
        found = self.territories.get(territory)
        return found is not None and administration in found.administrations


def _later(shelf: Shelf[V], name: str, body: V) -> bool:
    newest = shelf.newest(name)
    return newest is None or body.effective > newest.effective


def _follows(shelf: Shelf[P], code: str, body: P) -> bool:
    """A first version, or a later one of the same administration and territory."""
    first = shelf.first(code)
    same = first is None or (first.administration, first.territory) == (body.administration, body.territory)
    return same and _later(shelf, code, body)
