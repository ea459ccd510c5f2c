"""Entries of a `World` beyond issue, travel and commit: what officers decide, holders tell, issuers change."""

import os
from typing import Any

from eata_clients.authoring import deciding, holding, issuing, keeping, rooting, telling
from eata_clients.authoring.clearing import Desk
from eata_clients.authoring.content import NoticeDetails, Stamp
from eata_clients.authoring.entries import make
from eata_clients.authoring.holding import Holding, Wish
from eata_ledger.carnet.vocabulary import AskKind, NoticeKind, SetKind
from eata_ledger.log.bodies import Body, Renew
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.seal.stanza import keys
from eata_ledger.state import HoldFact, Incident, Notice, NoticeOfVoucher, Office, Transaction, of_territory

from tests.world import OFFICES, Ticket, World

DETAILS = NoticeDetails(0, True, "AWB 1", "road", "VD 1", "Agent AG", "CHE-1", "Berlin", "DE", "two crates", "")


def stamp(world: World, office: str) -> Stamp:
    found = world.fact(Office, office)
    assert isinstance(found, Office), "registered"
    return Stamp(world.now, found.offsets[0])


def own(world: World, office: str) -> tuple[bytes, bytes]:
    return world.live()[OFFICES[office][1]]


def reject(world: World, ticket: Ticket, office: str = "CHZRH", desk: Desk | None = None) -> Entry:
    here = desk or world.desk(office)
    return deciding.reject(
        world.ledger, here, world.present(ticket), "seal broken", own(world, office), stamp(world, office)
    )


def hold(world: World, carnet_id: int, office: str = "CHZRH", desk: Desk | None = None) -> Entry:
    here = desk or world.desk(office)
    return deciding.hold(
        world.ledger, here, carnet_id, "papers to be checked", own(world, office), stamp(world, office)
    )


def release(world: World, carnet_id: int, office: str = "CHZRH", desk: Desk | None = None) -> Entry:
    here = desk or world.desk(office)
    return deciding.release(world.ledger, here, carnet_id, "checked", own(world, office), stamp(world, office))


def rows(world: World, carnet_id: int) -> list[Transaction]:
    found = [world.fact(Transaction, carnet_id, n) for n in range(world.state(carnet_id).rows)]
    return [row for row in found if isinstance(row, Transaction)]


def cancel(
    world: World, ticket: Ticket, office: str = "CHZRH", index: int | None = None, desk: Desk | None = None,
    code: SigningKey | None = None,
) -> Entry:  # fmt: skip
    """Cancels the ticket's newest transaction."""
    carnet_id = ticket.holding.carnet_id
    if index is None:
        index = [row.index for row in rows(world, carnet_id) if row.slot == ticket.slot][-1]
    return deciding.cancel(
        world.ledger, desk or world.desk(office), carnet_id, index, ticket.slot,
        CodeKeys(code or ticket.cancel, bytes(32)), "wrong items", own(world, office), stamp(world, office),
    )  # fmt: skip


def renew(world: World, ticket: Ticket, slot: int | None = None, wish: Wish | None = None) -> tuple[Entry, Ticket]:
    held, wanted = ticket.holding, wish or ticket.wish
    at = world.state(held.carnet_id).next_slot if slot is None else slot
    code, cancel_key = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32)), SigningKey(os.urandom(32))
    parts = holding.declare(held, at, wanted, code, cancel_key.public)
    body = Renew(held.carnet_id, (ticket.slot,))
    entry = make(world.ledger, body, world.stamp, (held.device,), tuple(parts))
    return entry, Ticket(held, wanted, at, code, cancel_key)


def notify(world: World, ticket: Ticket, office: str = "DEBER", kind: NoticeKind = NoticeKind.PREDECLARATION) -> Entry:
    return telling.notify(ticket.holding, ticket.slot, office, kind, DETAILS, own(world, office), world.stamp)


def notice_of(world: World, ticket: Ticket) -> Notice:
    place = world.fact(NoticeOfVoucher, ticket.holding.carnet_id, ticket.slot)
    assert isinstance(place, NoticeOfVoucher)
    found = world.fact(Notice, of_territory(place.territory), ticket.holding.carnet_id, place.notice_id)
    assert isinstance(found, Notice)
    return found


def answer(
    world: World, ticket: Ticket, acknowledged: bool = True, office: str = "DEBER", desk: Desk | None = None
) -> Entry:
    notice = notice_of(world, ticket)
    key = telling.notice_key(ticket.holding, notice.notice_id, notice.slot)
    return deciding.answer(
        world.ledger, desk or world.desk(office), notice.carnet_id, notice.slot, notice.notice_id, acknowledged,
        "come to gate 3", key, stamp(world, office),
    )  # fmt: skip


def withdraw(world: World, ticket: Ticket, office: str = "DEBER") -> Entry:
    return telling.withdraw(ticket.holding, notice_of(world, ticket).notice_id, office, world.stamp)


def disagree(world: World, ticket: Ticket, index: int) -> Entry:
    return telling.disagree(ticket.holding, index, ticket.slot, "I showed 20 items", world.stamp)


def ask(world: World, held: Holding, kind: AskKind = AskKind.DISCHARGE, **sets: int) -> Entry:
    return telling.ask(held, kind, {SetKind[name]: n for name, n in sets.items()}, world.stamp)


def by_issuer(world: World, body: Body, **changes: Any) -> Outcome:
    return world.outcome(make(world.ledger, body, world.stamp, (world.issuer.sign,), **changes))


def by_operations(world: World, body: Body) -> Outcome:
    return world.outcome(make(world.ledger, body, world.stamp, (world.operations,)))


def by_root(world: World, body: Body) -> Outcome:
    """Signed by the development root's one key."""
    return world.outcome(rooting.propose(world.ledger, world.root, body, world.now))


def by_party(world: World, code: str, body: Body) -> Outcome:
    return world.outcome(make(world.ledger, body, world.stamp, (world.parties[code].sign,)))


def amend(world: World, carnet_id: int, pin: CodeKeys, version: int = 2, items: int = 20, **changes: object) -> Entry:
    order = world.order(items, **changes)
    return issuing.amend(world.ledger, world.issuer, carnet_id, version, order, pin.wrap, world.stamp)


def held_in(world: World, territory: str, carnet_id: int) -> bool:
    found = world.fact(HoldFact, of_territory(territory), carnet_id)
    return isinstance(found, HoldFact) and found.released is None


def incidents(world: World, carnet_id: int) -> list[Incident]:
    """A carnet's incidents, the oldest first."""
    mine = carnet_id.to_bytes(8, "big")
    found = [
        value for (family, key), value in world.facts.items() if family == int(Incident.FAMILY) and key[:8] == mine
    ]
    return sorted(map(Incident.from_bytes, found), key=lambda one: one.index)


def repair(world: World, ticket: Ticket, index: int) -> Entry:
    """The holder's device wraps the keys of an entry again, for the territory of its voucher."""
    held = ticket.holding
    secret = keys(content=held.content_key, leaf=leaf_key(held.journal(ticket.slot)))
    to = world.live()[ticket.wish.territory]
    return keeping.repair(world.ledger, held.carnet_id, index, ticket.slot, secret, to, held.device, None, world.stamp)


def rubbish(world: World, ticket: Ticket, index: int, office: str = "CHZRH") -> Entry:
    """A desk's stanza for an entry, which opens to nothing of use."""
    held, desk = ticket.holding, world.desk(office)
    return keeping.repair(
        world.ledger, held.carnet_id, index, ticket.slot, keys(), own(world, office), desk.key, desk.certificate,
        stamp(world, office),
    )  # fmt: skip
