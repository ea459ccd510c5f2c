"""H9. The attacker has one member's key, or one that leaked, and wants it to count for ever, or nobody to have an heir."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from eata_clients.authoring import issuing, registering
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.registering import Field, Party
from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.vocabulary import OrganisationKind, Topic
from eata_ledger.facts import Facts
from eata_ledger.log import bodies
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import Algorithm, SigningKey, key_id
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.state import Administration, Organisation, Territory
from eata_node.replica import views
from eata_node.replica.store import Store

from tests import acts
from tests.world import KEYS_LIVE, START, TODAY, World


def generation(world: World, number: int, begins: int, ends: int, by: str = "DE") -> Entry:
    party = world.parties[by]
    recipients = [(world.parties[m].seal_id, world.parties[m].seal.public) for m in ("DE", "FR")]
    key = SealingKey(os.urandom(32))
    return registering.territory_key(world.ledger, party, "EU", number, key, recipients, (begins, ends), world.stamp)


def revoke(world: World, signer: SigningKey, key: bytes) -> Outcome:
    entry = registering.by_operations(world.ledger, signer, bodies.RevokeKey(key), world.stamp)
    return world.outcome(entry)


@pytest.mark.parametrize(
    ("number", "begins", "ends"),
    [
        (65_535, START, START + 90 * DAY), (3, START, START + 90 * DAY), (2, START, 2**63), (2, START, START + 121 * DAY),
        (2, START + 31 * DAY, START + 40 * DAY), (2, START - 119 * DAY, START + DAY), (2, START, START), (1, START, START + DAY),
        (2, START - 3 * DAY, START - DAY),
    ],
)  # fmt: skip
def test_no_generation_leaves_its_place_or_lives_for_ever(world: World, number: int, begins: int, ends: int) -> None:
    assert world.outcome(generation(world, number, begins, ends)) is Outcome.KEY_LIFE_WRONG
    assert world.outcome(generation(world, 2, START, START + 120 * DAY)) is Outcome.ACCEPTED


def test_any_member_ends_a_generation_and_nobody_else(world: World) -> None:
    """France revokes what Germany has registered; from then on nothing is sealed to it, and the next one follows."""
    lost = key_id(world.territory_keys["EU"].public, Algorithm.XWING)
    for stranger in (world.parties["CH"].sign, world.parties["US"].sign, world.issuer.sign):
        assert revoke(world, stranger, lost) is Outcome.ROLE_FORBIDDEN
    assert revoke(world, world.parties["FR"].sign, lost) is Outcome.ACCEPTED
    assert revoke(world, world.parties["DE"].sign, lost) is Outcome.KEY_REVOKED
    found = world.fact(Territory, "EU")
    assert isinstance(found, Territory)
    assert not any(key.open_at(world.now) for key in found.keys)
    assert world.outcome(generation(world, 2, *KEYS_LIVE)) is Outcome.ACCEPTED


def again(world: World, party: Party) -> Party:
    """The same code with keys that nobody else has."""
    return replace(Party.new(party.code), code=party.code)


def test_an_issuer_whose_key_leaked_gets_another_and_keeps_its_carnets(world: World) -> None:
    issued, old = world.issue(), world.issuer
    assert revoke(world, world.operations, old.sign.id) is Outcome.ACCEPTED
    block = bodies.Block(issued.carnet_id)
    assert world.outcome(issuing.change(world.ledger, old, block, world.stamp)) is Outcome.KEY_REVOKED
    fresh, field = again(world, old), Field(("CH", "EU", "US", "XP"), ("CH", "US"))
    assert world.outcome(
        registering.organisation(world.ledger, world.operations, fresh, OrganisationKind.ISSUER, field, TODAY, world.stamp)
    ) is Outcome.ACCEPTED  # fmt: skip
    assert world.outcome(issuing.change(world.ledger, fresh, block, world.stamp)) is Outcome.ACCEPTED
    known = world.fact(Organisation, old.code)
    assert isinstance(known, Organisation)
    assert known.seal_ids == {fresh.seal_id, old.seal_id}, "what was sealed to the old key is still handed out"


def test_an_old_key_that_was_only_replaced_signs_nothing_more(world: World) -> None:
    issued, old = world.issue(), world.issuer
    fresh, field = again(world, old), Field(("CH", "EU", "US", "XP"), ("CH", "US"))
    world.must(
        registering.organisation(
            world.ledger, world.operations, fresh, OrganisationKind.ISSUER, field, TODAY, world.stamp
        )
    )
    block = bodies.Block(issued.carnet_id)
    assert world.outcome(issuing.change(world.ledger, old, block, world.stamp)) is Outcome.ROLE_FORBIDDEN
    assert world.outcome(
        registering.organisation(world.ledger, world.operations, old, OrganisationKind.ISSUER, field, TODAY, world.stamp)
    ) is Outcome.ALREADY_REGISTERED, "nobody gets a replaced key back"  # fmt: skip


def test_an_administration_gets_another_key_and_keeps_its_offices(world: World) -> None:
    old = world.parties["DE"]
    fresh = again(world, old)
    world.must(registering.administration(world.ledger, world.operations, fresh, TODAY, world.stamp))
    new_office = ("DEHAM", "EU", "Hamburg", "Europe/Berlin", TODAY, world.stamp)
    assert world.outcome(registering.office(world.ledger, old, *new_office)) is Outcome.ROLE_FORBIDDEN
    assert world.outcome(registering.office(world.ledger, fresh, *new_office)) is Outcome.ACCEPTED
    known = world.fact(Administration, "DE")
    assert isinstance(known, Administration)
    assert (known.sign_key, known.keys) == (fresh.sign.public, 2)


def test_operations_have_an_heir_too(world: World) -> None:
    """The root names another key; the old one is nobody's from the next entry on."""
    heir = SigningKey(os.urandom(32))
    assert acts.by_root(world, bodies.RotateOperations(1, heir.public)) is Outcome.ACCEPTED
    news = bodies.Publish(Topic.NEWS, "k", "t", None, TODAY)
    with pytest.raises(Skipped, match="KEY_UNKNOWN"):
        world.submit(registering.by_operations(world.ledger, world.operations, news, world.stamp))
    later = Stamp(world.now)
    assert world.outcome(registering.by_operations(world.ledger, heir, news, later)) is Outcome.ACCEPTED


def test_sixteen_keys_are_enough_for_anybody(world: World) -> None:
    """The record of an administration stays small, whoever renews for ever."""
    for _ in range(15):
        world.must(
            registering.administration(
                world.ledger, world.operations, again(world, world.parties["FR"]), TODAY, world.stamp
            )
        )
    last = registering.administration(
        world.ledger, world.operations, again(world, world.parties["FR"]), TODAY, world.stamp
    )
    assert world.outcome(last) is Outcome.TOO_MANY


def test_no_member_makes_what_the_others_could_read_unreadable(world: World, tmp_path: Path) -> None:
    """Germany registers and revokes one generation after another: what was sealed to the first is still handed to who holds it."""
    for number in range(2, 70):
        made = generation(world, number, *KEYS_LIVE)
        world.must(made)
        body = made.header.body
        assert isinstance(body, bodies.RegisterTerritoryKey)
        identity = key_id(body.key, Algorithm.XWING)
        assert revoke(world, world.parties["DE"].sign, identity) is Outcome.ACCEPTED
    store = Store.open(tmp_path / "store")
    registered = [entry for entry, _ in world.history if isinstance(entry.header.body, bodies.RegisterTerritoryKey)]
    for index, entry in enumerate(registered):
        store.put_entry(index, 0, entry, b"leaf", b"", Facts(store))
    store.commit()
    found = {key for _, key in store.view(views.keys_of("EU"))}
    store.close()
    assert key_id(world.territory_keys["EU"].public, Algorithm.XWING) in found
    assert len(found) == 69


def test_a_key_that_was_only_seen_is_taken_by_nobody(world: World) -> None:
    """One node withholds Germany's new key; another administration registers its public half as its own before."""
    fresh = Party.new("DE")
    rekey = registering.administration(world.ledger, world.operations, fresh, TODAY, world.stamp)
    thief = world.parties["US"]
    body = bodies.RegisterDeskCA("US", fresh.sign.public, TODAY)
    with pytest.raises(Skipped, match="SIGNATURE_INVALID"):
        world.must(registering.by_party(world.ledger, thief, body, world.stamp))
    assert world.outcome(rekey) is Outcome.ACCEPTED


@pytest.mark.parametrize("code", ["FRCDG", "EU-CDG", "CDG"])
def test_office_codes_of_others_are_not_taken(world: World, code: str) -> None:
    def office(by: str, territory: str) -> Outcome:
        party = world.parties[by]
        entry = registering.office(world.ledger, party, code, territory, "Paris", "Europe/Paris", TODAY, world.stamp)
        return world.outcome(entry)

    assert office("US", "US") is Outcome.CODE_NOT_OF_ADMINISTRATION
    assert office("FR", "EU") is (Outcome.ACCEPTED if code != "CDG" else Outcome.CODE_NOT_OF_ADMINISTRATION)


def test_no_member_pushes_out_or_keeps_out_anothers_key(world: World) -> None:
    """France registers generations until it may register no more: Germany's live one stays, and its next one is taken."""

    def before() -> Territory:
        found = world.fact(Territory, "EU")
        assert isinstance(found, Territory)
        return found

    live, number, outcome = before().keys, before().generation, Outcome.ACCEPTED
    while outcome is Outcome.ACCEPTED:
        number += 1
        outcome = world.outcome(generation(world, number, world.now + DAY, world.now + 90 * DAY, "FR"))
    assert outcome is Outcome.TOO_MANY
    assert set(live) <= set(before().keys)
    assert world.outcome(generation(world, number, world.now, world.now + 90 * DAY, "DE")) is Outcome.ACCEPTED
