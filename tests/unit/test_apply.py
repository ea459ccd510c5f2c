"""`apply` itself: same request same outcome, skips, faults, determinism (P2, P4, P7)."""

import os
from dataclasses import replace

import pytest
from eata_clients.authoring import devices, holding, issuing
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.devices import DeviceKeys
from eata_clients.authoring.entries import make
from eata_clients.trust.auditor import Replay
from eata_ledger import rules
from eata_ledger.apply import Applied, Known, apply
from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.vocabulary import Kind, Label, SetKind
from eata_ledger.encoding import Malformed
from eata_ledger.log import bodies
from eata_ledger.log.entry import Entry, Header, Part, Signed
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.rules.act import Moment
from eata_ledger.seal.codes import CodeKeys
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import KEYS_LIVE, TODAY, Ticket, World


def test_the_same_bytes_get_the_first_outcome(world: World) -> None:
    """P7: no second leaf, whatever has happened since."""
    entry = issuing.reserve(world.ledger, world.issuer, 3, world.stamp)
    world.must(entry)
    world.now += 10**10
    again = world.submit(entry)
    assert isinstance(again, Known)
    assert not again.reused
    assert again.logged.index == len(world.leaves) - 1


def test_a_request_id_used_for_other_bytes_is_refused(world: World) -> None:
    request_id = os.urandom(16)
    body = bodies.ReserveIds
    world.must(make(world.ledger, body(1), world.stamp, (world.issuer.sign,), request_id=request_id))
    again = world.submit(make(world.ledger, body(2), world.stamp, (world.issuer.sign,), request_id=request_id))
    assert isinstance(again, Known)
    assert again.reused


def test_another_authors_same_request_id_is_its_own(world: World) -> None:
    """Ids are by author: nobody can burn another's."""
    request_id = os.urandom(16)
    world.must(make(world.ledger, bodies.ReserveIds(1), world.stamp, (world.issuer.sign,), request_id=request_id))
    other = world.parties["CH"].sign
    result = world.submit(make(world.ledger, bodies.ReserveIds(1), world.stamp, (other,), request_id=request_id))
    assert isinstance(result, Applied)
    assert result.outcome is Outcome.ROLE_FORBIDDEN


@pytest.mark.parametrize("flip", ["header", "signature", "author"])
def test_a_forged_entry_never_was(world: World, flip: str) -> None:
    """P4: no leaf, no fact."""
    entry = issuing.reserve(world.ledger, world.issuer, 1, world.stamp)
    [good] = entry.signatures
    if flip == "header":
        entry = Entry(replace(entry.header, not_after=entry.header.not_after + 1), entry.signatures, ())
    elif flip == "signature":
        entry = Entry(entry.header, (Signed(good.key_id, good.value[:-1] + bytes([good.value[-1] ^ 1])),), ())
    else:
        stranger = SigningKey(os.urandom(32))
        entry = make(world.ledger, bodies.ReserveIds(1), world.stamp, (stranger,))
    before = (dict(world.facts), list(world.leaves))
    with pytest.raises(Skipped):
        world.submit(entry)
    assert (world.facts, world.leaves) == before


def test_a_fault_in_a_rule_is_an_outcome_not_a_crash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """RULE_FAULT discards the facts and alarms; the replica goes on."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(rules._RULES, bodies.ReserveIds, broken)
    result = apply(world, issuing.reserve(world.ledger, world.issuer, 1, world.stamp), world.moment())
    assert isinstance(result, Applied)
    assert (result.outcome, len(result.effects)) == (Outcome.RULE_FAULT, 1)
    assert isinstance(result.fault, ZeroDivisionError)


def test_ids_come_from_a_pool_and_are_used_once(world: World, pin_keys: CodeKeys) -> None:
    world.issue()
    stranger = issuing.issue(world.ledger, world.issuer, world.order(), world.pool + 5_000, world.pool, world.stamp)
    assert world.outcome(stranger.entry) is Outcome.ID_NOT_RESERVED
    taken = issuing.issue(world.ledger, world.issuer, world.order(), world.pool + 1, world.pool, world.stamp)
    assert world.outcome(taken.entry) is Outcome.ID_NOT_RESERVED


@pytest.mark.rule("OBJ-05")
@pytest.mark.rule("C-26")
def test_a_number_belongs_to_one_carnet(world: World, pin_keys: CodeKeys) -> None:
    number = world.order().number
    world.issue(number=number)
    order = world.order(number=number)
    again = issuing.issue(world.ledger, world.issuer, order, world.pool + world.serial, world.pool, world.stamp)
    assert world.outcome(again.entry) is Outcome.NUMBER_TAKEN


@pytest.mark.parametrize(("days", "outcome"), [(-1, False), (0, True), (364, True), (365, False)])
def test_validity_is_at_most_a_year_less_a_day(world: World, pin_keys: CodeKeys, days: int, outcome: bool) -> None:
    """Domain §1.10: 21/04/2023 → 20/04/2024."""
    order = world.order(valid_until=TODAY + days)
    issued = issuing.issue(world.ledger, world.issuer, order, world.pool + world.serial, world.pool, world.stamp)
    assert (world.outcome(issued.entry) is Outcome.ACCEPTED) is outcome


def test_an_issue_dated_far_from_log_time_is_refused(world: World, pin_keys: CodeKeys) -> None:
    """Validity counts from a day that the log agrees with."""
    for shift in (-2 * DAY, 5 * 365 * DAY):
        stamp = Stamp(world.now + shift)
        issued = issuing.issue(world.ledger, world.issuer, world.order(), world.pool + 7, world.pool, stamp)
        try:
            outcome = world.outcome(issued.entry)
        except Skipped as never:
            outcome = never.outcome
        assert outcome in (Outcome.EVENT_AHEAD, Outcome.ENTRY_EXPIRED)


@pytest.mark.parametrize("number", ["884", "chta1", "CHTA 1", "СНTA0001", "C1TA0001", "X" * 25])
def test_a_carnet_number_is_plain_ascii(world: World, pin_keys: CodeKeys, number: str) -> None:
    """No look-alikes, nothing that reads as an ID or breaks a QR text (OBJ-05)."""
    issued = issuing.issue(
        world.ledger, world.issuer, world.order(number=number), world.pool + 7, world.pool, world.stamp
    )
    with pytest.raises(Malformed):
        Header.from_bytes(issued.entry.header.encoded)


def test_entries_without_parts_take_none(world: World) -> None:
    """A node stores no bytes that no rule asks for."""
    part = Part(Label.CARNET, 1, b"plaintext" * 1000)
    entry = make(world.ledger, bodies.ReserveIds(1), world.stamp, (world.issuer.sign,), (part,))
    assert world.outcome(entry) is Outcome.STANZAS_WRONG


def test_a_territory_key_that_nobody_can_seal_to_is_refused(world: World) -> None:
    """One member could else stop every commit of its union."""
    party, stamp = world.parties["DE"], world.stamp
    sealed = [Part(Label.STANZA, 2, bytes(1200), world.parties[m].seal_id) for m in ("DE", "FR")]
    for raw in (bytes(1216), b"\xff" * 1216):
        body = bodies.RegisterTerritoryKey("EU", "DE", 2, raw, *KEYS_LIVE)
        entry = make(world.ledger, body, stamp, (party.sign,), tuple(sealed))
        assert world.outcome(entry) is Outcome.KEY_WEAK


@pytest.mark.rule("APP-06")
def test_a_first_device_needs_the_pin_key_and_a_further_one_the_holder_code(world: World, pin_keys: CodeKeys) -> None:
    issued = world.issue()
    wrong = replace(pin_keys, sign=SigningKey(os.urandom(32)))
    held, own = world.hold(issued, pin_keys, signed=False), DeviceKeys.new()
    assert world.outcome(devices.sign(held, wrong, own.seal.public, pin_keys, world.stamp)) is Outcome.CODE_VOIDED
    world.must(devices.sign(held, pin_keys, own.seal.public, wrong, world.stamp))
    for by in (pin_keys.sign, SigningKey(os.urandom(32))):
        entry = devices.enrol(world.ledger, issued.carnet_id, DeviceKeys.new(), by, world.stamp)
        assert world.outcome(entry) is Outcome.CODE_VOIDED
    further = devices.enrol(world.ledger, issued.carnet_id, DeviceKeys.new(), wrong.sign, world.stamp)
    assert world.outcome(further) is Outcome.ACCEPTED


@pytest.mark.rule("N-03")
def test_the_first_signature_wins(world: World, pin_keys: CodeKeys) -> None:
    issued = world.issue()
    world.hold(issued, pin_keys)
    second, own = world.hold(issued, pin_keys, signed=False), DeviceKeys.new()
    late = devices.sign(second, pin_keys, own.seal.public, pin_keys, world.stamp)
    assert world.outcome(late) is Outcome.ALREADY_SIGNED


@pytest.mark.rule("APP-13")
def test_two_devices_preparing_at_once_do_not_share_a_slot(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(), pin_keys)
    first, _ = world.prepare(held, (Kind.VALIDATION, "CH", "1"))
    second, _ = world.prepare(held, (Kind.VALIDATION, "CH", "1"))
    world.must(first)
    assert world.outcome(second) is Outcome.SLOT_TAKEN


@pytest.mark.rule("APP-14")
@pytest.mark.rule("C-24")
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["prepare", "delete", "commit"]), st.integers(0, 10)), max_size=12))
def test_sets_are_conserved(steps: list[tuple[str, int]]) -> None:
    """issued = free + reserved + used, never negative, under any prepare, delete and commit."""
    world = World()
    keys = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eata_clients.authoring.issuing.code_keys", lambda *_: keys)
        held = world.hold(world.issue(sets=dict.fromkeys(SetKind, 2)), keys)
    [validation] = world.travel(held, (Kind.VALIDATION, "CH", "1-20"))
    world.commit(validation)
    open_travels: list[tuple[bytes, Ticket]] = []
    for step, choice in steps:
        if step == "prepare":
            entry, tickets = world.prepare(held, (Kind.EXPORTATION, "CH", str(choice + 1)))
            if world.outcome(entry) is Outcome.ACCEPTED:
                body = entry.header.body
                assert isinstance(body, bodies.Travel)
                open_travels.append((body.travel_id, tickets[0]))
        elif open_travels:
            travel_id, ticket = open_travels.pop(choice % len(open_travels))
            if step == "delete":
                world.must(holding.delete(held, travel_id, world.stamp))
            else:
                world.commit(ticket)
        for counters in world.state(held.carnet_id).sets.values():
            assert min(counters.free, counters.reserved, counters.used) >= 0
            assert counters.issued == counters.free + counters.reserved + counters.used


@pytest.mark.rule("APP-12")
def test_a_transacted_travel_stays(world: World, pin_keys: CodeKeys) -> None:
    held = world.hold(world.issue(), pin_keys)
    entry, [ticket] = world.prepare(held, (Kind.VALIDATION, "CH", "1-20"))
    world.must(entry)
    body = entry.header.body
    assert isinstance(body, bodies.Travel)
    world.commit(ticket)
    assert world.outcome(holding.delete(held, body.travel_id, world.stamp)) is Outcome.TRAVEL_TRANSACTED


def test_two_replicas_agree_on_every_leaf(world: World, pin_keys: CodeKeys) -> None:
    """P2: the same entries in the same order give the same facts and the same root."""
    held = world.hold(world.issue(), pin_keys)
    for ticket in world.travel(held, (Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-9")):
        world.commit(ticket)
    other = Replay(world.genesis)
    for n, (entry, now) in enumerate(world.history):
        result = apply(other, entry, Moment(world.genesis, n, now))
        assert isinstance(result, Applied)
        assert result.leaf == world.leaves[n]
        other.facts.update(result.effects)
    assert other.facts == world.facts
    assert n == len(world.leaves) - 1


@given(st.binary(max_size=400))
def test_no_bytes_crash_the_header_reader(data: bytes) -> None:
    with pytest.raises(Malformed):
        Header.from_bytes(data)
