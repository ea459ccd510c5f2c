"""PINs anew, stanzas again, documents, one voucher lent, erasure: what keeps a carnet usable over the years."""

import os
from dataclasses import replace
from typing import Any

import pytest
from eata_clients.authoring import devices, holding, issuing, keeping, registering
from eata_clients.authoring.devices import DeviceKeys
from eata_clients.authoring.entries import make
from eata_clients.authoring.keeping import GrantContent
from eata_clients.authoring.registering import Field, Party
from eata_ledger.carnet.dates import DAY, HOUR, months_after
from eata_ledger.carnet.vocabulary import Kind, Label, OrganisationKind
from eata_ledger.encoding import sha256
from eata_ledger.log.bodies import AddStanza, Attach, CancelCarnet, RotatePin, StorageReceipt
from eata_ledger.log.entry import Entry, Part
from eata_ledger.log.keys import Algorithm, SigningKey, key_id
from eata_ledger.outcomes import Outcome
from eata_ledger.proof import stored
from eata_ledger.rules.keeping import MOST_REPAIRS, SEALED_LARGEST, SEALED_TOTAL
from eata_ledger.seal.aead import Context, unseal
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import Keys, SealingKey, keys
from eata_ledger.state import Carnet, Grant, Repaired

from tests import acts
from tests.world import START, TODAY, Ticket, World

OUT = ((Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"))
WHO = GrantContent("Agent AG", "CHE-123.456.789", "power of attorney of 1 June")


@pytest.fixture
def tickets(world: World, pin_keys: CodeKeys) -> list[Ticket]:
    return world.travel(world.hold(world.issue(), pin_keys), *OUT)


def new_pin() -> CodeKeys:
    return CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))


def rotate(world: World, ticket: Ticket, pin: CodeKeys, issuer: Party | None = None) -> Entry:
    held = ticket.holding
    return keeping.rotate_pin(
        world.ledger, issuer or world.issuer, held.carnet_id, 1, held.content_key, pin, world.stamp
    )


def other_issuer(world: World) -> Party:
    other = Party.new("DE-IHK")
    world.must(
        registering.organisation(
            world.ledger, world.operations, other, OrganisationKind.ISSUER, Field(("EU",), ("DE",)), TODAY, world.stamp
        )
    )
    return other


# -- PIN


def test_a_rotated_pin_signs_and_the_old_one_does_not(world: World, pin_keys: CodeKeys) -> None:
    """Before the first signature; devices that are enrolled need no PIN."""
    issued, pin, own = world.issue(), new_pin(), DeviceKeys.new()
    held = world.hold(issued, pin_keys, signed=False)
    entry = keeping.rotate_pin(world.ledger, world.issuer, held.carnet_id, 1, held.content_key, pin, world.stamp)
    assert world.outcome(entry) is Outcome.ACCEPTED
    old = devices.sign(held, pin_keys, own.seal.public, new_pin(), world.stamp)
    assert world.outcome(old) is Outcome.CODE_VOIDED
    opened = Keys.from_bytes(unseal(pin.wrap, held.place(Label.PIN_STANZA, 1), entry.parts[0]))
    assert opened == keys(content=held.content_key)
    held = replace(held, device=own.sign)
    world.must(devices.sign(held, pin, own.seal.public, new_pin(), world.stamp))
    world.must(
        keeping.rotate_pin(world.ledger, world.issuer, held.carnet_id, 1, held.content_key, new_pin(), world.stamp)
    )
    world.travel(held, OUT[0])


def test_only_the_issuer_rotates_a_pin_and_only_to_a_new_safe_key(
    world: World, tickets: list[Ticket], pin_keys: CodeKeys
) -> None:
    held = tickets[0].holding
    assert world.outcome(rotate(world, tickets[0], new_pin(), other_issuer(world))) is Outcome.ROLE_FORBIDDEN
    same = CodeKeys(pin_keys.sign, os.urandom(32))
    issued = world.fact(Carnet, held.carnet_id)
    assert isinstance(issued, Carnet)
    assert issued.pin_key == pin_keys.sign.public
    assert world.outcome(rotate(world, tickets[0], same)) is Outcome.ALREADY_REGISTERED
    assert acts.by_issuer(world, RotatePin(held.carnet_id, bytes(32))) is Outcome.KEY_WEAK
    assert acts.by_issuer(world, RotatePin(held.carnet_id, os.urandom(31) + b"\0")) in (
        Outcome.KEY_WEAK, Outcome.STANZAS_WRONG,
    )  # fmt: skip


# -- stanzas again


def eu_key(world: World) -> tuple[bytes, bytes]:
    return world.live()["EU"]


def mend(
    world: World, ticket: Ticket, index: int, to: tuple[bytes, bytes], signer: SigningKey | None = None,
    certificate: bytes | None = None, slot: int | None = None,
) -> Entry:  # fmt: skip
    held = ticket.holding
    secret = keys(content=held.content_key, leaf=leaf_key(held.journal(ticket.slot)))
    return keeping.repair(
        world.ledger, held.carnet_id, index, ticket.slot if slot is None else slot, secret, to,
        signer or held.device, certificate, acts.stamp(world, "CHZRH") if certificate else world.stamp,
    )  # fmt: skip


def test_a_withheld_stanza_is_made_good_by_the_holder(world: World, tickets: list[Ticket]) -> None:
    """A desk that sealed rubbish to its own territory: the holder's device gives what it may give."""
    assert [world.commit(t) for t in tickets[:2]] == [Outcome.ACCEPTED] * 2
    assert world.commit(tickets[2], "DEBER") is Outcome.ACCEPTED
    index = acts.rows(world, tickets[0].holding.carnet_id)[-1].index
    entry, own = mend(world, tickets[2], index, eu_key(world)), len(world.leaves)
    assert world.outcome(entry) is Outcome.ACCEPTED
    assert world.fact(Repaired, tickets[2].holding.carnet_id, index, "holder") == Repaired((own,))
    context = Context(world.ledger, tickets[2].holding.carnet_id, Label.STANZA, tickets[2].slot)
    opened = world.territory_keys["EU"].open(context, eu_key(world)[0], entry.header.author, entry.parts[0])
    assert opened.leaf == leaf_key(tickets[2].holding.journal(tickets[2].slot))


def test_the_issuer_and_a_desk_of_home_make_it_good_too(world: World, tickets: list[Ticket]) -> None:
    assert world.commit(tickets[0]) is Outcome.ACCEPTED
    index = acts.rows(world, tickets[0].holding.carnet_id)[0].index
    home, desk = world.live()["CH"], world.desk()
    assert world.outcome(mend(world, tickets[0], index, home, world.issuer.sign)) is Outcome.ACCEPTED
    assert world.outcome(mend(world, tickets[0], index, home, desk.key, desk.certificate)) is Outcome.ACCEPTED
    issuer = (world.issuer.seal_id, world.issuer.seal.public)
    assert world.outcome(mend(world, tickets[0], index, issuer)) is Outcome.ACCEPTED  # a validation is the issuer's too


def test_nobody_becomes_a_reader_by_it(world: World, tickets: list[Ticket], pin_keys: CodeKeys) -> None:
    assert world.commit(tickets[0]) is Outcome.ACCEPTED
    assert world.commit(tickets[1]) is Outcome.ACCEPTED
    validation, export = (row.index for row in acts.rows(world, tickets[0].holding.carnet_id))
    stranger = SealingKey(os.urandom(32))
    to_stranger = (key_id(stranger.public, Algorithm.XWING), stranger.public)
    assert world.outcome(mend(world, tickets[1], export, to_stranger)) is Outcome.STANZAS_WRONG
    assert world.outcome(mend(world, tickets[1], export, eu_key(world))) is Outcome.STANZAS_WRONG
    issuer = (world.issuer.seal_id, world.issuer.seal.public)
    assert world.outcome(mend(world, tickets[1], export, issuer)) is Outcome.STANZAS_WRONG
    assert world.outcome(mend(world, tickets[1], export, world.live()["CH"], slot=1)) is Outcome.STANZAS_WRONG
    assert world.outcome(mend(world, tickets[1], 3, world.live()["CH"])) is Outcome.TRANSACTION_UNKNOWN
    foreign = world.desk("DEBER")
    entry = keeping.repair(
        world.ledger, tickets[0].holding.carnet_id, validation, 1, keys(), world.live()["CH"], foreign.key,
        foreign.certificate, acts.stamp(world, "DEBER"),
    )  # fmt: skip
    assert world.outcome(entry) is Outcome.ROLE_FORBIDDEN
    other = other_issuer(world)
    assert world.outcome(mend(world, tickets[0], validation, world.live()["CH"], other.sign)) is Outcome.ROLE_FORBIDDEN


def test_a_reason_is_mended_for_its_own_territory_and_repairs_end_somewhere(
    world: World, tickets: list[Ticket]
) -> None:
    carnet_id = tickets[0].holding.carnet_id
    index = len(world.leaves)
    world.must(acts.hold(world, carnet_id))
    desk = world.desk()
    assert world.outcome(mend(world, tickets[0], index, eu_key(world), slot=0)) is Outcome.STANZAS_WRONG
    for _ in range(MOST_REPAIRS):
        entry = mend(world, tickets[0], index, world.live()["CH"], desk.key, desk.certificate, slot=0)
        assert world.outcome(entry) is Outcome.ACCEPTED
    entry = mend(world, tickets[0], index, world.live()["CH"], desk.key, desk.certificate, slot=0)
    assert world.outcome(entry) is Outcome.BUDGET_SPENT


def test_the_issuers_own_stanza_is_mended_from_a_device(world: World, tickets: list[Ticket]) -> None:
    carnet = world.fact(Carnet, tickets[0].holding.carnet_id)
    assert isinstance(carnet, Carnet)
    issuer = (world.issuer.seal_id, world.issuer.seal.public)
    assert world.outcome(mend(world, tickets[0], carnet.entry, issuer, slot=1)) is Outcome.ACCEPTED
    empty = make(world.ledger, AddStanza(carnet.carnet_id, carnet.entry, None), world.stamp, (world.issuer.sign,))
    assert world.outcome(empty) is Outcome.STANZAS_WRONG


# -- documents


def receipts(world: World, digest: bytes, length: int, nodes: int = 3, time: int = 0) -> tuple[StorageReceipt, ...]:
    message = stored.to_sign(world.ledger, digest, length, time or world.now)
    signed = ((s.statement.id[:8], s.statement.sign(message)) for s in world.seeds[:nodes])
    return tuple(StorageReceipt(kid, signature, time or world.now) for kid, signature in signed)


def attach(world: World, ticket: Ticket, signer: SigningKey | None = None, **changes: Any) -> Entry:
    held = ticket.holding
    body = Attach(held.carnet_id, 1, sha256(b"blob"), 4_000, receipts(world, sha256(b"blob"), 4_000))
    body = replace(body, **changes)
    if "length" in changes and "receipts" not in changes:
        body = replace(body, receipts=receipts(world, body.blob, body.length))
    part = Part(Label.ATTACHMENT, 1, b"sealed")
    return make(world.ledger, body, world.stamp, (signer or held.device,), (part,))


@pytest.mark.rule("N-01")
@pytest.mark.rule("APP-22")
def test_a_document_is_attached_once_three_nodes_hold_it(world: World, tickets: list[Ticket]) -> None:
    assert world.outcome(attach(world, tickets[0])) is Outcome.ACCEPTED
    digest = sha256(b"blob")
    few = receipts(world, digest, 4_000, nodes=2)
    assert world.outcome(attach(world, tickets[0], receipts=few)) is Outcome.RECEIPTS_MISSING
    twice = (*few, few[0])
    assert world.outcome(attach(world, tickets[0], receipts=twice)) is Outcome.RECEIPTS_MISSING
    forged = (*few, StorageReceipt(world.seeds[2].statement.id[:8], bytes(64), world.now))
    assert world.outcome(attach(world, tickets[0], receipts=forged)) is Outcome.RECEIPTS_MISSING
    old = receipts(world, digest, 4_000, time=START - DAY - 1)  # nodes may have dropped it since
    assert world.outcome(attach(world, tickets[0], receipts=old)) is Outcome.RECEIPTS_MISSING
    of_another = receipts(world, sha256(b"other"), 4_000)
    assert world.outcome(attach(world, tickets[0], receipts=of_another)) is Outcome.RECEIPTS_MISSING


def test_documents_have_a_size_and_a_carnet_a_total(world: World, tickets: list[Ticket]) -> None:
    assert world.outcome(attach(world, tickets[0], length=SEALED_LARGEST + 1)) is Outcome.ATTACHMENT_TOO_LARGE
    for _ in range(SEALED_TOTAL // SEALED_LARGEST):
        assert world.outcome(attach(world, tickets[0], length=SEALED_LARGEST)) is Outcome.ACCEPTED
    assert world.outcome(attach(world, tickets[0], length=SEALED_LARGEST)) is Outcome.ATTACHMENT_TOO_LARGE


def test_who_attaches_and_when(world: World, tickets: list[Ticket], pin_keys: CodeKeys) -> None:
    """The issuer until Customs has touched the carnet, the holder while it is open, nobody else."""
    assert world.outcome(attach(world, tickets[0], world.issuer.sign)) is Outcome.ACCEPTED
    assert world.outcome(attach(world, tickets[0], other_issuer(world).sign)) is Outcome.ROLE_FORBIDDEN
    assert world.outcome(attach(world, tickets[0], content=2)) is Outcome.STALE_VERSION
    assert world.commit(tickets[0]) is Outcome.ACCEPTED
    assert world.outcome(attach(world, tickets[0], world.issuer.sign)) is Outcome.CARNET_IN_USE
    assert world.outcome(attach(world, tickets[0])) is Outcome.ACCEPTED


# -- one voucher lent


def lend(world: World, ticket: Ticket, start: int, end: int, held: holding.Holding | None = None) -> Entry:
    return keeping.delegate(held or ticket.holding, ticket.slot, WHO, (start, end), None, world.stamp)


@pytest.mark.rule("U11")
def test_a_lent_voucher_is_good_within_its_window_only(world: World, tickets: list[Ticket]) -> None:
    assert world.outcome(lend(world, tickets[0], START + HOUR, START + 2 * HOUR)) is Outcome.ACCEPTED
    assert world.commit(tickets[0]) is Outcome.DELEGATION_OVER
    assert world.outcome(lend(world, tickets[0], START - HOUR, START + HOUR)) is Outcome.ACCEPTED  # lent anew
    assert isinstance(world.fact(Grant, tickets[0].holding.carnet_id, 1), Grant)
    assert world.commit(tickets[0]) is Outcome.ACCEPTED
    assert world.commit(tickets[1]) is Outcome.ACCEPTED  # the others are not lent


@pytest.mark.rule("U11")
def test_renewing_takes_a_lent_voucher_back(world: World, tickets: list[Ticket]) -> None:
    world.must(lend(world, tickets[0], START - HOUR, START + HOUR))
    entry, fresh = acts.renew(world, tickets[0])
    world.must(entry)
    assert world.commit(tickets[0]) is Outcome.CODE_INVALID
    assert world.commit(fresh) is Outcome.ACCEPTED


def test_only_the_holder_lends_and_only_an_open_voucher(
    world: World, tickets: list[Ticket], pin_keys: CodeKeys
) -> None:
    assert world.outcome(lend(world, tickets[0], START, START)) is Outcome.EVENT_TIME_WRONG
    assert world.commit(tickets[0]) is Outcome.ACCEPTED
    assert world.outcome(lend(world, tickets[0], START, START + HOUR)) is Outcome.TRAVEL_UNKNOWN
    stranger = replace(tickets[1], holding=world.hold(world.issue(), pin_keys, signed=False))
    with pytest.raises(Exception, match="KEY_UNKNOWN"):
        world.submit(lend(world, stranger, START, START + HOUR))


# -- erasure


def test_a_carnet_is_erased_once_nobody_can_be_liable(world: World, tickets: list[Ticket]) -> None:
    held = tickets[0].holding
    entry = keeping.shred(world.ledger, world.issuer, held.carnet_id, world.stamp)
    assert world.outcome(entry) is Outcome.NOT_ERASABLE
    carnet = world.fact(Carnet, held.carnet_id)
    assert isinstance(carnet, Carnet)
    last = months_after(carnet.valid_until, 33)
    world.now = last * DAY + HOUR
    assert world.outcome(keeping.shred(world.ledger, world.issuer, held.carnet_id, world.stamp)) is Outcome.NOT_ERASABLE
    world.now += DAY
    other = other_issuer(world)
    assert world.outcome(keeping.shred(world.ledger, other, held.carnet_id, world.stamp)) is Outcome.ROLE_FORBIDDEN
    assert world.outcome(keeping.shred(world.ledger, world.issuer, held.carnet_id, world.stamp)) is Outcome.ACCEPTED
    again = keeping.shred(world.ledger, world.issuer, held.carnet_id, world.stamp)
    assert world.outcome(again) is Outcome.CARNET_ERASED
    assert world.outcome(lend(world, tickets[0], START, START + HOUR)) is Outcome.CARNET_ERASED


def test_a_cancelled_carnet_is_erased_at_once(world: World) -> None:
    carnet_id = issue(world)
    assert acts.by_issuer(world, CancelCarnet(carnet_id)) is Outcome.ACCEPTED
    assert world.outcome(keeping.shred(world.ledger, world.issuer, carnet_id, world.stamp)) is Outcome.ACCEPTED


def issue(world: World) -> int:
    found: issuing.Issued = world.issue()
    return found.carnet_id
