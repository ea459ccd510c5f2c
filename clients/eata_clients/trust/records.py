"""What the registry says, record by record; nothing is judged here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.territories import digital_by
from eata_ledger.carnet.vocabulary import OrganisationKind, ReadinessStage, Topic
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.log.keys import Algorithm, key_id
from eata_ledger.rules.reference import sets_code

from eata_clients.trust.shelves import B, Shelf, ShelfView

V = TypeVar(
    "V", bodies.RegisterOffice, bodies.RegisterRegion, bodies.Acceptance, bodies.VoucherSets, bodies.Provisional
)


class Records:
    """Parties by code; `log_time` is the nodes', ms UTC. Records with versions are those in force on its day."""

    def __init__(self) -> None:
        self.log_time = 0
        self.revoked: set[bytes] = set()
        self._shelves: dict[type[bodies.Body], Shelf[Any]] = {}  # in the order of a client's file
        self._organisations = self._shelf(bodies.RegisterOrganisation, lambda body: body.code)
        self._administrations = self._shelf(bodies.RegisterAdministration, lambda body: body.code)
        self._territories = self._shelf(bodies.RegisterTerritory, lambda body: body.code)
        self._territory_keys = self._shelf(bodies.RegisterTerritoryKey, lambda body: body.territory)
        self._announced = self._shelf(bodies.Readiness, lambda body: body.territory)
        self._published = self._shelf(bodies.Publish, lambda body: f"{body.topic.name}:{body.key}")
        self._authorities = self._shelf(bodies.RegisterDeskCA, lambda body: key_id(body.key).hex())
        self._described = self._shelf(bodies.DescribeOffice, lambda body: body.office)
        self._offices = self._shelf(bodies.RegisterOffice, lambda body: body.code)
        self._regions = self._shelf(bodies.RegisterRegion, lambda body: body.code)
        self._accepted = self._shelf(bodies.Acceptance, lambda body: body.territory)
        self._sets = self._shelf(bodies.VoucherSets, lambda body: sets_code(body.type, body.home))
        self._provisional = self._shelf(bodies.Provisional, lambda body: body.administration)

    def _shelf(self, kind: type[B], name: Callable[[B], str]) -> Shelf[B]:
        made = self._shelves[kind] = Shelf(kind, name)
        return made

    @property
    def organisations(self) -> Mapping[str, bodies.RegisterOrganisation]:
        return ShelfView(self._organisations, self._organisations.newest)

    @property
    def administrations(self) -> Mapping[str, bodies.RegisterAdministration]:
        return ShelfView(self._administrations, self._administrations.newest)

    @property
    def territories(self) -> Mapping[str, bodies.RegisterTerritory]:
        """Each with the day since or from which it is digital, as last announced."""
        return ShelfView(self._territories, self._territory)

    def digital(self, territory: str, day: int) -> bool:
        """It is digital on that day; one that is not registered is not (GTP-01)."""
        found = self.territories.get(territory)
        return found is not None and digital_by(found.digital_from, day)

    def _territory(self, code: str) -> bodies.RegisterTerritory | None:
        found, said = self._territories.newest(code), self._announced.newest(code)
        if found is None or said is None:
            return found
        return replace(found, digital_from=said.digital_from if said.stage is ReadinessStage.CONFIRMED else None)

    @property
    def announced(self) -> Mapping[str, bodies.Readiness]:
        return ShelfView(self._announced, self._announced.newest)

    @property
    def described(self) -> Mapping[str, bodies.DescribeOffice]:
        return ShelfView(self._described, self._described.newest)

    def published(self, topic: Topic) -> dict[str, bodies.Publish]:
        """What ICC publishes, by key; withdrawn entries have no text."""
        newest = (self._published.newest(name) for name in self._published)
        return {found.key: found for found in newest if found is not None and found.topic is topic}

    def desk_authority(self, identity: bytes) -> tuple[str, bytes]:
        """(administration, public key) of who may certify desks; empty for an unknown one."""
        found = self._authorities.newest(identity.hex())
        return ("", b"") if found is None else (found.administration, found.key)

    def generations(self, territory: str) -> Iterator[bodies.RegisterTerritoryKey]:
        """A territory's keys, the oldest first."""
        return self._territory_keys.versions(territory)

    @property
    def territory_keys(self) -> Iterator[bodies.RegisterTerritoryKey]:
        return (key for territory in self._territory_keys for key in self.generations(territory))

    @property
    def today(self) -> int:
        return self.log_time // DAY

    @property
    def offices(self) -> Mapping[str, bodies.RegisterOffice]:
        return ShelfView(self._offices, partial(in_force, self._offices, self.today))

    @property
    def regions(self) -> Mapping[str, bodies.RegisterRegion]:
        return ShelfView(self._regions, partial(in_force, self._regions, self.today))

    @property
    def accepted(self) -> Mapping[str, bodies.Acceptance]:
        """What each territory accepts (domain §3.4)."""
        return ShelfView(self._accepted, partial(in_force, self._accepted, self.today))

    @property
    def voucher_sets(self) -> Mapping[str, bodies.VoucherSets]:
        """Voucher sets by “TYPE:home” (domain §3.1)."""
        return ShelfView(self._sets, partial(in_force, self._sets, self.today))

    def goods_pass(self, administration: str) -> bool:
        """Whether it lets goods pass on a commit that is not final yet; without its word they wait."""
        found = in_force(self._provisional, self.today, administration)
        return found is not None and found.effective <= self.today and found.goods_pass

    def live(self, at: int) -> dict[str, tuple[bytes, bytes]]:
        """Territory → (key id, public key) of its newest generation valid at `at` (ms UTC)."""
        found: dict[str, tuple[bytes, bytes]] = {}
        for territory in self._territory_keys:
            for key in self._territory_keys.back(territory):
                identity = key_id(key.key, Algorithm.XWING)
                if key.valid_from <= at <= key.valid_to and identity not in self.revoked:
                    found[territory] = (identity, key.key)
                    break
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
        codes = [organisation] if organisation else self._organisations
        keys = (version.sign_key for code in codes for version in self._organisations.versions(code))
        return {key_id(key): key for key in keys}

    def _keep(self, body: bodies.Body) -> None:
        if isinstance(body, bodies.RevokeKey):
            self.revoked.add(body.key)
        elif type(body) in self._shelves:
            self._shelves[type(body)].add(body)

    def _to_value(self) -> Value:
        """For a file of one's own."""
        return [self.log_time, [*sorted(self.revoked)], [shelf.to_value() for shelf in self._shelves.values()]]

    def _fill(self, value: Any) -> None:
        self.log_time, revoked, shelves = value
        self.revoked = set(revoked)
        for shelf, kept in zip(self._shelves.values(), shelves, strict=True):
            shelf.fill(kept)


def in_force(shelf: Shelf[V], day: int, name: str) -> V | None:
    """The newest version whose day has come; the first one before any has."""
    return next((version for version in shelf.back(name) if version.effective <= day), shelf.first(name))
