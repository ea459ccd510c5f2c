"""What people do in every run: a registry, carnets issued, signed, travelled on and committed, and two desks at one code.

Signed once, before any run: entries are bytes, and the same bytes are sent in every run.
"""

import os
import random
from dataclasses import dataclass
from functools import lru_cache
from unittest import mock

from eata_clients.authoring import issuing
from eata_clients.authoring.holding import Holding
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.log.opening import first_era
from eata_ledger.outcomes import Outcome
from eata_ledger.seal import stanza
from eata_ledger.seal.codes import CodeKeys

from tests.world import Ticket, World

_JOURNEY = (
    (Kind.VALIDATION, "CH", "1-20"), (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20"),
    (Kind.REEXPORTATION, "EU", "1-20"),
)  # fmt: skip
_OFFICES = ("CHZRH", "CHZRH", "DEBER")
_CARNETS = 4


@dataclass(frozen=True)
class Story:
    """Entries in the order their authors send them; `rivals` are pairs of which one may be accepted.

    `holders` are the carnets' IDs and the keys of their holders' devices.
    """

    world: World
    opening: bytes
    registry: tuple[Entry, ...]
    carnets: tuple[tuple[Entry, ...], ...]
    rivals: tuple[tuple[Entry, Entry], ...]
    holders: tuple[tuple[int, SigningKey], ...]


class _Suite:
    """Stanzas that nobody in this story opens: of the right length, and the same in every process."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def encrypt(self, plain: bytes, key: object, info: bytes) -> bytes:
        return self._source.randbytes(len(plain) + stanza.OVERHEAD)


@lru_cache(maxsize=1)
def story() -> Story:
    """The same in every process: its randomness is seeded with its own name."""
    source = random.Random("the simulation's story")
    with mock.patch.object(os, "urandom", source.randbytes), mock.patch.object(stanza, "_SUITE", _Suite(source)):
        world = World()
        registry = tuple(entry for entry, _ in world.history)
        pin = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
        with mock.patch.object(issuing, "code_keys", return_value=pin):
            told = [_carnet(world, pin) for _ in range(_CARNETS)]
        opening = first_era(world.genesis, (world.root,))
    return Story(
        world, opening, registry, tuple(each for each, _, _ in told), tuple(pair for _, pair, _ in told),
        tuple((held.carnet_id, held.device) for _, _, held in told),
    )  # fmt: skip


def _carnet(world: World, pin: CodeKeys) -> tuple[tuple[Entry, ...], tuple[Entry, Entry], Holding]:
    before = len(world.history)
    held = world.hold(world.issue(), pin)
    *tickets, last = world.travel(held, *_JOURNEY)
    for ticket, office in zip(tickets, _OFFICES, strict=True):
        assert world.commit(ticket, office) is Outcome.ACCEPTED
    entries = tuple(entry for entry, _ in world.history[before:])
    return entries, _rivals(world, last), held


def _rivals(world: World, ticket: Ticket) -> tuple[Entry, Entry]:
    """One voucher, committed at two desks."""
    return world.commit_entry(ticket, "DEBER"), world.commit_entry(ticket, "FRLYS")
