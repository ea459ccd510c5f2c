"""A client that is older than the rules in force says so, in place of blaming what it was given."""

import pytest
from eata_clients.authoring.entries import make
from eata_clients.net.errors import Outdated
from eata_clients.net.receipts import committed
from eata_clients.opened.parts import Excerpts
from eata_clients.trust.authors import Authors
from eata_clients.trust.registry import Registry
from eata_ledger.encoding import sha256
from eata_ledger.log.entry import signed_bytes
from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.registered import NONE, next_head
from eata_ledger.proof.statement import Claim, Standing, Statement, to_sign
from eata_proto.v1 import ledger_pb2, reading_pb2

from tests.later import Mark, later_rules
from tests.world import World


def later_header(world: World) -> bytes:
    """An entry of a type that came with rules 2."""
    with later_rules():
        return make(world.ledger, Mark(1), world.stamp, (SigningKey(bytes(32)),)).header.encoded


def test_a_registration_of_a_later_type(world: World) -> None:
    registry, header = Registry(world.genesis), later_header(world)
    entry = ledger_pb2.Entry(header=header)
    registry.chain([ledger_pb2.RegistryEntry(index=1, entry=entry)])
    assert registry.pending_head == next_head(NONE, 1, sha256(signed_bytes(header)))
    with pytest.raises(Outdated) as caught:
        registry.settle()
    assert (caught.value.code, caught.value.advice) == ("CLIENT_OUTDATED", "Update it.")


def test_an_entry_of_a_later_type_on_a_carnet(world: World) -> None:
    shown = reading_pb2.Excerpt(index=7, header=later_header(world))
    excerpts = Excerpts([shown], world.ledger, Authors(Registry(world.genesis), ""))
    with pytest.raises(Outdated):
        excerpts.entry_hash(7)


def test_an_outcome_that_came_later(world: World) -> None:
    key = world.seeds[0].statement
    payload = Claim(
        world.ledger[:8], 1, 3, 0, bytes(32), 2, 60_000, None, bytes(32), 3, Standing.LIVE
    ).to_bytes()  # fmt: skip
    kid = key.id[:8]
    statement = Statement(payload, ((kid, key.sign(to_sign(payload, kid))),))
    with pytest.raises(Outdated):
        committed(statement.to_bytes(), world.genesis.charter, bytes(32))
