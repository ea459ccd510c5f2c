"""What a long general list costs: applying a commit of 13, 1,000 and 5,000 items, interleaved, as ratios to 13.

    python -m benchmarks.items [--rounds N]

Every item declared, and every other one (the worst list there is: as many ranges as items). In memory, with all
four signature checks; the floor asked for is 1.5 at 1,000 items.
"""

import os
import statistics
import time
from typing import Annotated
from unittest.mock import patch

import typer
from eata_ledger.apply import apply
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.log.entry import Entry, Header
from eata_ledger.log.keys import SigningKey
from eata_ledger.seal.codes import CodeKeys

from tests.world import Ticket, World

JOURNEY = ((Kind.VALIDATION, "CH", "CHZRH"), (Kind.EXPORTATION, "CH", "CHZRH"), (Kind.IMPORTATION, "EU", "DEBER"),
           (Kind.REEXPORTATION, "EU", "DEBER"), (Kind.REIMPORTATION, "CH", "CHZRH"))  # fmt: skip
LISTS = ((13, 1), (13, 2), (1_000, 1), (1_000, 2), (5_000, 1), (5_000, 2))


def _tickets(world: World, keys: CodeKeys, items: int, step: int) -> list[Ticket]:
    declared = ",".join(map(str, range(1, items + 1, step))) if step > 1 else f"1-{items}"
    held = world.hold(world.issue(items=items), keys)
    return world.travel(held, *((kind, place, declared) for kind, place, _ in JOURNEY))


def _journey(world: World, tickets: list[Ticket]) -> float:
    """Mean seconds of reading and applying a commit, over the five of a journey."""
    took = 0.0
    for ticket, (_, _, office) in zip(tickets, JOURNEY, strict=True):
        entry = world.commit_entry(ticket, office)
        data = entry.header.encoded
        started = time.perf_counter()
        apply(world, Entry(Header.from_bytes(data), entry.signatures, entry.parts), world.moment())
        took += time.perf_counter() - started
        world.must(entry)
    return took / len(JOURNEY)


def main(rounds: Annotated[int, typer.Option(help="Journeys of each kind, interleaved.")] = 7) -> None:
    """Prints milliseconds a commit, and the ratio to a 13-item carnet."""
    world, keys = World(), CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
    with patch("eata_clients.authoring.issuing.code_keys", lambda *_: keys):
        found: dict[tuple[int, int], list[float]] = {which: [] for which in LISTS}
        for _ in range(rounds):
            for which in LISTS:
                found[which].append(_journey(world, _tickets(world, keys, *which)))
    middle = {which: statistics.median(seconds) for which, seconds in found.items()}
    for (items, step), seconds in middle.items():
        named = "all" if step == 1 else "every other"
        typer.echo(f"{items:>5} items, {named:<11} {seconds * 1e3:6.3f} ms  ratio {seconds / middle[13, 1]:.2f}")


if __name__ == "__main__":
    typer.run(main)
