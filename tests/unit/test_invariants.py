"""Whatever people do and in whatever order: sets are conserved, balances are those of the live rows."""

import random

import pytest
from eata_clients.authoring import holding
from eata_clients.trust.auditor import Replay
from eata_ledger.apply import Applied, apply
from eata_ledger.carnet.goods.balances import EMPTY
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, SetKind, VoucherState, Warning
from eata_ledger.log.bodies import AddSets, Block, Unblock
from eata_ledger.outcomes import Outcome
from eata_ledger.rules.act import Moment
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.state import Voucher

from tests import acts
from tests.world import Ticket, World

WISHES = ((Kind.EXPORTATION, "CH"), (Kind.REIMPORTATION, "CH"), (Kind.IMPORTATION, "EU"), (Kind.REEXPORTATION, "EU"),
          (Kind.TRANSIT_OPEN, "EU"), (Kind.TRANSIT_CLOSE, "EU"))  # fmt: skip
OFFICES = {"CH": ("CHZRH",), "EU": ("DEBER", "FRLYS")}
STEPS = 120


class Anyone:
    """A seeded crowd of holders, officers and an issuer on one carnet."""

    def __init__(self, world: World, held: holding.Holding, rng: random.Random) -> None:
        self.world, self.held, self.rng = world, held, rng
        self.tickets: list[Ticket] = []
        self.done = dict.fromkeys(("accepted", "refused"), 0)

    def count(self, outcome: Outcome) -> None:
        self.done["accepted" if outcome is Outcome.ACCEPTED else "refused"] += 1

    def step(self) -> None:
        world, rng = self.world, self.rng
        office = rng.choice(["CHZRH", "DEBER", "FRLYS"])
        match rng.choice(
            ["prepare", "prepare", "commit", "commit", "commit", "cancel", "renew", "hold", "release", "sets", "block"]
        ):
            case "prepare":
                wishes = [(*rng.choice(WISHES), self.some()) for _ in range(rng.randint(1, 3))]
                entry, tickets = world.prepare(self.held, *wishes)
                outcome = world.outcome(entry)
                self.count(outcome)
                self.tickets += tickets if outcome is Outcome.ACCEPTED else []
            case "hold":
                self.count(world.outcome(acts.hold(world, self.held.carnet_id, office)))
            case "release":
                self.count(world.outcome(acts.release(world, self.held.carnet_id, office)))
            case "sets":
                more = {rng.choice(list(SetKind)): 1}
                self.count(acts.by_issuer(world, AddSets(self.held.carnet_id, more)))
            case "block":
                for body in (Block(self.held.carnet_id), Unblock(self.held.carnet_id)):
                    self.count(acts.by_issuer(world, body))
            case act if self.tickets:
                self.on_voucher(act, rng.choice(self.tickets))

    def on_voucher(self, act: str, ticket: Ticket) -> None:
        world, rng = self.world, self.rng
        office = rng.choice(OFFICES[ticket.wish.territory])
        if act == "commit":
            self.count(world.commit(ticket, office, acknowledged=tuple(Warning)))
        elif act == "renew":
            entry, fresh = acts.renew(world, ticket)
            outcome = world.outcome(entry)
            self.count(outcome)
            self.tickets += [fresh] if outcome is Outcome.ACCEPTED else []
        elif any(row.slot == ticket.slot for row in acts.rows(world, self.held.carnet_id)):
            self.count(world.outcome(acts.cancel(world, ticket, office)))

    def some(self) -> str:
        first = self.rng.randint(1, 20)
        return f"{first}-{self.rng.randint(first, 20)}"


def check(world: World, carnet_id: int) -> None:
    """Sets conserved and matched by vouchers; balances those of the live rows; each voucher committed at most once."""
    state = world.state(carnet_id)
    rows = acts.rows(world, carnet_id)
    live = [row for row in rows if row.cancelled is None]
    balances = EMPTY
    for row in live:
        balances = balances.after(row.kind, row.territory, row.items, row.not_returned)
    goods = world.goods(carnet_id)
    assert goods.balances == balances
    vouchers = [world.fact(Voucher, carnet_id, slot) for slot in range(1, state.next_slot)]
    for kind, counters in state.sets.items():
        assert min(counters.free, counters.reserved, counters.used) >= 0
        assert counters.issued == counters.free + counters.reserved + counters.used
        of_kind = [v for v in vouchers if isinstance(v, Voucher) and v.kind.name == KIND_OF[kind]]
        assert counters.reserved == sum(v.state is VoucherState.PREPARED for v in of_kind)
        assert counters.used == sum(v.state is VoucherState.COMMITTED for v in of_kind)
    for territory, openings in goods.arrivals.items():
        held = Items()
        for opening in openings:
            held |= opening.items
        assert held == balances.admitted.get(territory, Items())
    slots = [row.slot for row in live]
    assert len(slots) == len(set(slots))


KIND_OF = {SetKind.EXPORT: "EXPORTATION", SetKind.IMPORT: "IMPORTATION", SetKind.REEXPORT: "REEXPORTATION",
           SetKind.REIMPORT: "REIMPORTATION", SetKind.TRANSIT: "TRANSIT_OPEN"}  # fmt: skip


@pytest.mark.rule("APP-14")
@pytest.mark.rule("N-11")
@pytest.mark.parametrize("run", range(6))
def test_any_order_of_acts_conserves_sets_and_balances(
    world: World, pin_keys: CodeKeys, seeded: random.Random, run: int
) -> None:
    held = world.hold(world.issue(sets=dict.fromkeys(SetKind, 4)), pin_keys)
    [validation] = world.travel(held, (Kind.VALIDATION, "CH", "1-20"))
    world.commit(validation)
    crowd = Anyone(world, held, seeded)
    for _ in range(STEPS):
        crowd.step()
        check(world, held.carnet_id)
    assert min(crowd.done.values()) >= STEPS // 10, crowd.done  # enough of both, or it proves nothing
    other = Replay(world.genesis)
    for n, (entry, now) in enumerate(world.history):
        result = apply(other, entry, Moment(world.genesis, n, now))
        assert isinstance(result, Applied)
        assert result.leaf == world.leaves[n]
        other.facts.update(result.effects)
    assert other.facts == world.facts
