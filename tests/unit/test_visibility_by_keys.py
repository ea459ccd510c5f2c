"""U9: every sealed field of the domain's example, tried with every key set; each opens what the schedule says, no more.

The example of §2.10: CH → EU → US → CH. Whoever tries may use all keys it holds on all bytes there are, nodes' filters aside.
"""

import itertools
import os
from dataclasses import dataclass, field

import pytest
from eata_clients.authoring.content import remarks
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.log.bodies import Commit
from eata_ledger.log.entry import Entry, PartInfo
from eata_ledger.log.keys import Algorithm, key_id
from eata_ledger.outcomes import Outcome
from eata_ledger.seal.aead import CannotOpen, Context, unseal
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.schedule import earlier, final_key, journal_key, leaf_key
from eata_ledger.seal.stanza import Keys, SealingKey

from tests.world import OFFICES, Ticket, World

ROUTE = (
    (Kind.VALIDATION, "CH", "CHZRH"), (Kind.EXPORTATION, "CH", "CHZRH"), (Kind.IMPORTATION, "EU", "DEBER"),
    (Kind.REEXPORTATION, "EU", "FRLYS"), (Kind.IMPORTATION, "US", "USJFK"), (Kind.REEXPORTATION, "US", "USJFK"),
    (Kind.REIMPORTATION, "CH", "CHZRH"),
)  # fmt: skip
SLOTS = range(1, 8)


@dataclass
class Ring:
    """Everything one party holds: keys that open seals, keys that open stanzas, what they have led to."""

    ledger: bytes
    carnet_id: int
    sealing: list[SealingKey] = field(default_factory=list)
    symmetric: set[bytes] = field(default_factory=set)

    def learn(self, found: Keys, slot: int) -> None:
        """A packet's or stanza's keys, and all that they derive."""
        if found.content is not None:
            self.symmetric |= {found.content, final_key(found.content)}
        if found.journal is not None:
            self.symmetric |= {leaf_key(earlier(found.journal, slot, s)) for s in range(1, slot + 1)}
        if found.holder_root is not None:
            journal = journal_key(found.holder_root, self.ledger, self.carnet_id, 1024)
            self.symmetric |= {leaf_key(earlier(journal, 1024, s)) for s in SLOTS}
        self.symmetric |= {key for key in (found.leaf, found.extra) if key is not None}

    def opens(self, info: PartInfo, sealed: bytes, author: bytes) -> bool:
        """With any key held, in the part's own place."""
        place = Context(self.ledger, self.carnet_id, info.label, info.slot)
        if info.label is Label.STANZA:
            return self._stanza(info, place, sealed, author)
        for key in self.symmetric:
            try:
                plain = unseal(key, place, sealed)
            except CannotOpen:
                continue
            if info.label in (Label.PACKET, Label.PIN_STANZA, Label.HOLDER_STANZA, Label.LINK):
                self.learn(Keys.from_bytes(plain), info.slot)
            return True
        return False

    def _stanza(self, info: PartInfo, place: Context, sealed: bytes, author: bytes) -> bool:
        for key in self.sealing:
            try:
                found = key.open(place, key_id(key.public, Algorithm.XWING), author, sealed)
            except CannotOpen:
                continue
            self.learn(found, info.slot)
            return True
        return False


@dataclass
class Example:
    world: World
    tickets: list[Ticket]
    entries: list[Entry]
    pin: CodeKeys

    def ring(self, *sealing: SealingKey, symmetric: tuple[bytes, ...] = ()) -> Ring:
        carnet_id = self.tickets[0].holding.carnet_id
        return Ring(self.world.ledger, carnet_id, list(sealing), set(symmetric))

    def opened_by(self, ring: Ring) -> set[str]:
        """Names of the fields that open, as “counterfoil 3”; tried again until nothing new opens."""
        found: set[str] = set()
        while True:
            before = len(found)
            for entry in self.entries:
                for info, part in zip(entry.header.parts, entry.parts, strict=True):
                    if ring.opens(info, part, entry.header.author):
                        found.add(f"{info.label.name.lower()} {info.slot}")
            if len(found) == before:
                return {name for name in found if name.split()[0] in READABLE}


READABLE = {"carnet", "declaration", "counterfoil", "remarks", "final"}


@pytest.fixture
def example(world: World, pin_keys: CodeKeys) -> Example:
    held = world.hold(world.issue(), pin_keys)
    tickets = world.travel(held, *((kind, territory, "1-20") for kind, territory, _ in ROUTE))
    for ticket, (_, _, office) in zip(tickets, ROUTE, strict=True):
        assert OFFICES[office]
        said = remarks(remarks="a remark", reason="a reason")
        from eata_ledger.carnet.vocabulary import Warning

        decided = world.commit(ticket, office, remarks=said, acknowledged=tuple(sorted(Warning)))
        assert decided is Outcome.ACCEPTED
    entries = [entry for entry, _ in world.history if entry.header.parts and _of_carnet(entry)]
    assert sum(isinstance(entry.header.body, Commit) for entry in entries) == 7
    return Example(world, tickets, entries, pin_keys)


def _of_carnet(entry: Entry) -> bool:
    return hasattr(entry.header.body, "carnet_id")


def fields(**slots: str) -> set[str]:
    """carnet always; the others by slots such as “1-3,7”."""
    found = {"carnet 1"}
    for name, text in slots.items():
        for piece in text.split(","):
            low, _, high = piece.partition("-")
            found |= {f"{name} {slot}" for slot in range(int(low), int(high or low) + 1)}
    return found


ALL_SLOTS = {"declaration": "1-7", "counterfoil": "1-7", "final": "7"}


@pytest.mark.rule("U9")
@pytest.mark.rule("C-17")
@pytest.mark.parametrize(
    ("territory", "expected"),
    [
        ("CH", fields(**ALL_SLOTS, remarks="1-7")),
        ("EU", fields(declaration="1-4", counterfoil="1-4", remarks="3-4", final="7")),
        ("US", fields(declaration="1-6", counterfoil="1-6", remarks="5-6", final="7")),
        ("XP", set[str]()),
    ],
)
def test_a_territorys_key_opens_what_its_opener_may_see(example: Example, territory: str, expected: set[str]) -> None:
    """The US pair stays closed to the EU; XP, which never met the carnet, opens nothing at all."""
    assert example.opened_by(example.ring(example.world.territory_keys[territory])) == expected


@pytest.mark.rule("N-07")
def test_the_issuer_opens_the_carnet_and_the_validation(example: Example) -> None:
    ring = example.ring(example.world.issuer.seal)
    assert example.opened_by(ring) == fields(declaration="1", counterfoil="1", final="7")


def test_the_holder_opens_all_but_what_officers_say_among_themselves(example: Example) -> None:
    """By the holder code, or by the root that a device has."""
    code = example.world.holders[example.tickets[0].holding.carnet_id]
    ring = example.ring(symmetric=(code.wrap, example.pin.wrap))
    assert example.opened_by(ring) == fields(**ALL_SLOTS)


@pytest.mark.rule("APP-06")
def test_the_pin_opens_the_carnet_alone(example: Example) -> None:
    assert example.opened_by(example.ring(symmetric=(example.pin.wrap,))) == fields(final="7")


@pytest.mark.parametrize("slot", SLOTS)
def test_a_code_opens_its_own_voucher_and_for_an_arrival_what_came_before(example: Example, slot: int) -> None:
    ticket = example.tickets[slot - 1]
    arrival = ROUTE[slot - 1][0] is Kind.IMPORTATION
    span = f"1-{slot}" if arrival else f"{slot}"
    ring = example.ring(symmetric=(ticket.keys.wrap,))
    assert example.opened_by(ring) == fields(declaration=span, counterfoil=span, final="7")


def test_all_keys_that_are_nobodys_open_nothing(example: Example) -> None:
    """Node keys, desk keys, device keys, signing halves of codes, the root: none of them is a key to anything."""
    world = example.world
    seeds = [world.root.seed, world.operations.seed, world.issuer.sign.seed, example.tickets[0].holding.device.seed]
    seeds += [seed for node in world.seeds for seed in (node.group.seed, node.statement.seed)]
    seeds += [ticket.keys.sign.seed for ticket in example.tickets] + [ticket.cancel.seed for ticket in example.tickets]
    seeds += [example.pin.sign.seed, *(world.authorities[code].seed for code in world.authorities)]
    ring = example.ring(*(SealingKey(seed) for seed in seeds), symmetric=(*seeds, bytes(32), os.urandom(32)))
    assert example.opened_by(ring) == set()


def test_two_territories_together_see_no_more_than_both(example: Example) -> None:
    """Keys pooled by colluding openers open the union, nothing that neither had."""
    keys = example.world.territory_keys
    for one, other in itertools.combinations(("EU", "US", "XP"), 2):
        apart = example.opened_by(example.ring(keys[one])) | example.opened_by(example.ring(keys[other]))
        assert example.opened_by(example.ring(keys[one], keys[other])) == apart
