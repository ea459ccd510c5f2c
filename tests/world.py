"""A small world in memory: parties, keys and a one-replica ledger behind the real `apply`.

    world = World(); carnet = world.issue(); holder = world.hold(carnet)
    [exportation, …] = world.travel(holder, (Kind.EXPORTATION, "CH", "1-20"), …)
    world.commit(exportation, office="CHZRH")

Codes come from random keys instead of Argon2id where a test does not need to type them: nodes know only keys.
"""

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from eata_clients.authoring import clearing, devices, holding, issuing, registering
from eata_clients.authoring import content as described
from eata_clients.authoring.clearing import Decision, Desk, Presented
from eata_clients.authoring.content import CarnetContent, Stamp
from eata_clients.authoring.devices import DeviceKeys
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding, RootKey, Wish
from eata_clients.authoring.issuing import Order
from eata_clients.authoring.registering import Field, Party
from eata_ledger.apply import Applied, Known, apply
from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label, OrganisationKind, Purpose, Role, SetKind
from eata_ledger.encoding import decode
from eata_ledger.log import bodies, merkle
from eata_ledger.log.entry import Entry, Part
from eata_ledger.log.genesis import Genesis, NodeKey, NodeRecord
from eata_ledger.log.keys import Algorithm, SigningKey, key_id
from eata_ledger.named import named
from eata_ledger.outcomes import Outcome
from eata_ledger.rules import VERSION
from eata_ledger.rules.act import Moment
from eata_ledger.seal.aead import Context, unseal
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.stanza import Keys, SealingKey, keys
from eata_ledger.state import Carnet, CarnetState, Fact, GoodsOut, Holder, Office, Stay, Voucher

START = int(datetime(2026, 6, 2, 12, tzinfo=UTC).timestamp() * 1000)
TODAY = day_of("2026-06-02")
OFFICES = {"CHZRH": ("CH", "CH", "Zürich Flughafen", "Etc/GMT-2"), "DEBER": ("DE", "EU", "Berlin Brandenburg", "Etc/GMT-2"),
           "FRLYS": ("FR", "EU", "Lyon", "Etc/GMT-2"), "USJFK": ("US", "US", "JFK", "Etc/GMT+4")}  # fmt: skip
NODES = ("frankfurt", "virginia", "sao-paulo", "johannesburg", "mumbai", "tokyo")

KEYS_LIVE = (START - 86_400_000, START + 119 * 86_400_000)  # ms UTC


@dataclass(frozen=True)
class NodeSeeds:
    """A node's secret keys."""

    name: str
    group: SigningKey
    statement: SigningKey

    @property
    def record(self) -> NodeRecord:
        return NodeRecord(
            self.name,
            (
                NodeKey(Purpose.GROUP, Algorithm.ED25519, self.group.public),
                NodeKey(Purpose.STATEMENT, Algorithm.ED25519, self.statement.public),
            ),
        )


@dataclass(frozen=True)
class Ticket:
    """A voucher as a test holds it."""

    holding: Holding
    wish: Wish
    slot: int
    keys: CodeKeys
    cancel: SigningKey


@dataclass
class World:
    """Everything registered; `results` holds what became of each entry."""

    first_id: int = 883
    now: int = START
    rules: int = VERSION
    announced: int = VERSION
    facts: dict[tuple[int, bytes], bytes] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)
    history: list[tuple[Entry, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root, self.operations = SigningKey(os.urandom(32)), SigningKey(os.urandom(32))
        self.seeds = [NodeSeeds(n, SigningKey(os.urandom(32)), SigningKey(os.urandom(32))) for n in NODES]
        self.genesis = Genesis(
            1, "test", self.now, (self.root.public,), 1, self.operations.public,
            tuple(seed.record for seed in self.seeds), self.rules, self.first_id, 1,
        )  # fmt: skip
        self.ledger = self.genesis.ledger
        self.parties = {code: Party.new(code) for code in ("CH", "DE", "FR", "US")}
        self.authorities = {code: SigningKey(os.urandom(32)) for code in self.parties}
        self.territory_keys = {code: SealingKey(os.urandom(32)) for code in ("CH", "EU", "US", "XP")}
        self.issuer = Party.new("CH-ZHK")
        self.serial, self.holders = 0, dict[int, CodeKeys]()
        for entry in self.registry():
            self.must(entry)
        [_, self.pool, _] = self.public(self.must(issuing.reserve(self.ledger, self.issuer, 1000, self.stamp)))

    def registry(self) -> list[Entry]:
        ledger, ops, stamp = self.ledger, self.operations, self.stamp
        entries = [registering.administration(ledger, ops, p, TODAY, stamp) for p in self.parties.values()]
        territories = (
            ("CH", ("CH",), TODAY),
            ("EU", ("DE", "FR"), TODAY),
            ("US", ("US",), None),
            ("XP", ("US",), TODAY + 9),
        )
        for code, members, digital in territories:
            entries.append(registering.territory(ledger, ops, code, members, digital, code == "EU", TODAY, stamp))
            party = self.parties[members[0]]
            recipients = [(self.parties[m].seal_id, self.parties[m].seal.public) for m in members]
            entries.append(
                registering.territory_key(
                    ledger, party, code, 1, self.territory_keys[code], recipients, KEYS_LIVE, stamp
                )
            )
        field = Field(("CH", "EU", "US", "XP"), ("CH", "US"))
        entries.append(registering.organisation(ledger, ops, self.issuer, OrganisationKind.ISSUER, field, TODAY, stamp))
        for office, (admin, territory, name, zone) in OFFICES.items():
            entries.append(registering.office(ledger, self.parties[admin], office, territory, name, zone, TODAY, stamp))
        for code, party in self.parties.items():
            entries.append(registering.desk_authority(ledger, party, self.authorities[code], TODAY, stamp))
        return entries

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.now)

    def get(self, family: int, key: bytes) -> bytes | None:
        return self.facts.get((family, key))

    def moment(self) -> Moment:
        return Moment(self.genesis, len(self.leaves), self.now, announced=self.announced)

    def submit(self, entry: Entry) -> Applied | Known:
        result = apply(self, entry, self.moment())
        if isinstance(result, Applied):
            self.history.append((entry, self.now))
            self.facts.update(result.effects)
            self.leaves.append(result.leaf)
            if result.fault is not None:
                raise result.fault
            if result.outcome is Outcome.ACCEPTED:
                assert "1" not in named(decode(result.facts)), "each fact of each type has a name"
        return result

    def outcome(self, entry: Entry) -> Outcome:
        result = self.submit(entry)
        assert isinstance(result, Applied)
        return result.outcome

    def must(self, entry: Entry) -> Applied:
        result = self.submit(entry)
        assert isinstance(result, Applied)
        assert result.outcome is Outcome.ACCEPTED, (result.outcome.name, result.detail)
        return result

    @staticmethod
    def public(applied: Applied) -> list:  # type: ignore[type-arg]
        value = decode(applied.facts)
        assert isinstance(value, list)
        return value

    def root_hash(self) -> bytes:
        return merkle.root(self._tree(), len(self.leaves))

    def inclusion(self, index: int) -> list[bytes]:
        """The way from a leaf to the root of today."""
        return merkle.inclusion(self._tree(), index, len(self.leaves))

    def _tree(self) -> merkle.GetNode:
        nodes: dict[tuple[int, int], bytes] = {}

        def get(level: int, number: int) -> bytes:
            return nodes[level, number]

        for n, leaf in enumerate(self.leaves):
            nodes.update(((level, number), digest) for level, number, digest in merkle.append(get, n, leaf))
        return get

    def fact(self, kind: type[Fact], *key: int | bytes | str) -> object:
        from eata_ledger.facts import Facts

        return Facts(self).get(kind, *key)

    def state(self, carnet_id: int) -> CarnetState:
        found = self.fact(CarnetState, carnet_id)
        assert isinstance(found, CarnetState)
        return found

    def goods(self, carnet_id: int) -> GoodsOut:
        """Where the carnet's goods are."""
        mine = carnet_id.to_bytes(8, "big")
        stays = [
            Stay.from_bytes(value)
            for (family, key), value in self.facts.items()
            if family == int(Stay.FAMILY) and key[:8] == mine
        ]
        return GoodsOut.of(self.state(carnet_id), stays)

    # -- issuer and holder

    def order(self, items: int = 20, **changes: object) -> Order:
        self.serial += 1
        goods = tuple(described.Goods(n, f"crate {n}", 1, "CH", 235_140, "1 kg") for n in range(1, items + 1))
        content = CarnetContent("Muster AG", ("A. Person",), "Exhibitions", "CHF", 2, ("EU",), goods)
        sets = dict.fromkeys(SetKind, 9)
        order = Order(f"CHTA{self.serial:08d}", "CH", ("EU", "US"), TODAY + 30, sets, content)
        return replace(order, **changes)  # type: ignore[arg-type]

    def issue(self, items: int = 20, **changes: object) -> issuing.Issued:
        issued = issuing.issue(
            self.ledger, self.issuer, self.order(items, **changes), self.pool + self.serial, self.pool, self.stamp
        )
        self.must(issued.entry)
        return issued

    def hold(self, issued: issuing.Issued, pin: CodeKeys, signed: bool = True) -> Holding:
        device, holder = DeviceKeys.new(), CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
        context = Context(self.ledger, issued.carnet_id, Label.PIN_STANZA, 1)
        opened = Keys.from_bytes(unseal(pin.wrap, context, issued.entry.parts[2]))
        assert opened.content is not None
        number = held.next_root if isinstance(held := self.fact(Holder, issued.carnet_id), Holder) else 1
        root = RootKey(number, self.state(issued.carnet_id).next_slot, os.urandom(32))
        made = Holding(self.ledger, issued.carnet_id, 1, device.sign, opened.content, (root,))
        self.holders[issued.carnet_id] = holder
        if signed:
            self.must(devices.sign(made, pin, device.seal.public, holder, self.stamp))
        return made

    def prepare(self, held: Holding, *wishes: tuple[Kind, str, str]) -> tuple[Entry, list[Ticket]]:
        """A travel with random code keys, not yet submitted."""
        first = self.state(held.carnet_id).next_slot
        parts: list[Part] = []
        tickets = []
        for slot, (kind, territory, items) in enumerate(wishes, first):
            wish = Wish(kind, territory, Items.parse(items))
            code = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
            cancel = SigningKey(os.urandom(32))
            parts += holding.declare(held, slot, wish, code, cancel.public)
            tickets.append(Ticket(held, wish, slot, code, cancel))
        body = bodies.Travel(held.carnet_id, os.urandom(16))
        return make(self.ledger, body, self.stamp, (held.device,), tuple(parts)), tickets

    def travel(self, held: Holding, *wishes: tuple[Kind, str, str]) -> list[Ticket]:
        entry, tickets = self.prepare(held, *wishes)
        self.must(entry)
        return tickets

    # -- officer

    def desk(self, office: str = "CHZRH", role: Role = Role.OFFICER) -> Desk:
        return clearing.sign_in(self.ledger, self.authorities[OFFICES[office][0]], office, role, self.now)

    def present(self, ticket: Ticket) -> Presented:
        voucher = self.fact(Voucher, ticket.holding.carnet_id, ticket.slot)
        carnet = self.fact(Carnet, ticket.holding.carnet_id)
        assert isinstance(voucher, Voucher)
        assert isinstance(carnet, Carnet)
        packet = keys(content=ticket.holding.content_key, journal=ticket.holding.journal(ticket.slot))
        return Presented(
            carnet.carnet_id, ticket.slot, voucher.kind, voucher.territory, carnet.home, voucher.declaration,
            voucher.items, voucher.not_returned, ticket.keys, packet,
        )  # fmt: skip

    def live(self) -> dict[str, tuple[bytes, bytes]]:
        """Each territory's key, while it lives."""
        if not KEYS_LIVE[0] <= self.now <= KEYS_LIVE[1]:
            return {}
        return {code: (key_id(key.public, Algorithm.XWING), key.public) for code, key in self.territory_keys.items()}

    def commit_entry(
        self, ticket: Ticket, office: str = "CHZRH", desk: Desk | None = None, controller: Desk | None = None,
        stamp: Stamp | None = None, **changes: object,
    ) -> Entry:  # fmt: skip
        presented = self.present(ticket)
        decision = Decision(presented.items, presented.not_returned)
        decision = replace(decision, **changes)  # type: ignore[arg-type]
        found = self.fact(Office, office)
        offset = found.offsets[0] if isinstance(found, Office) else 0
        return clearing.commit(
            self.ledger, desk or self.desk(office), presented, decision, self.live(),
            (self.issuer.seal_id, self.issuer.seal.public), stamp or Stamp(self.now, offset), controller,
        )  # fmt: skip

    def commit(self, ticket: Ticket, office: str = "CHZRH", **changes: Any) -> Outcome:
        return self.outcome(self.commit_entry(ticket, office, **changes))
