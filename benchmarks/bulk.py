"""An issuer's morning on six replicas: carnets issued one by one and 64 a message, beside an echo. Built beforehand."""

import itertools
import os
import statistics
from pathlib import Path
from typing import Any
from unittest.mock import patch

from eata_clients.authoring import issuing
from eata_clients.authoring.content import Stamp
from eata_clients.issuer.client import read_party
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.seal.codes import CodeKeys
from rich.console import Console

from benchmarks import peers
from benchmarks.ledgers import BATCH, BATCHES, Ledger, ledger, streaming
from benchmarks.measuring import Figure, closed, machine
from benchmarks.peers import Peer

ISSUE, IN_BATCHES = "issue, six replicas", "issue, six replicas, in batches"
_SINGLE = 64  # carnets of a round that are issued by themselves


async def run(folder: Path, rounds: int, console: Console) -> dict[str, Any]:
    """Figures, their ratios, and how many of the carnets stand in every store."""
    facts, figures = machine(), list[Figure]()
    async with ledger("issuing", folder / "ledger", 1) as running, peers.echo(running.cluster.home / "core") as echo:
        one, many = running.peer, BATCH * BATCHES
        with console.status("building carnets"):
            left = iter(await _carnets(running, rounds * (_SINGLE + many)))
        region = running.cluster.names[0]
        async with (
            running.people.transport(prefer=[region]) as door,
            streaming(door.channel(region), running.load) as send,
        ):

            async def single(_: int) -> None:
                await running.load.send(door, next(left))

            async def batch(_: int) -> None:
                await send(list(itertools.islice(left, BATCH)))

            issue = Peer(ISSUE, single, one.pids, one.settings)
            batches = Peer(IN_BATCHES, batch, one.pids, one.settings, BATCH)
            for _ in range(rounds):
                for peer, at_once, count in ((echo, 64, 4 * many), (issue, 64, _SINGLE), (batches, BATCHES, BATCHES)):
                    figures.append(await closed(peer.name, peer.call, at_once, count, peer.pids, peer.each))
        kept = (len(running.load.acknowledged), running.found())
    rate = {
        peer.name: statistics.median(figure.per_second for figure in figures if figure.what == peer.name)
        for peer in (echo, issue, batches)
    }
    ratios = {"issued ÷ echo": rate[ISSUE] / rate["echo"], "issued in batches ÷ echo": rate[IN_BATCHES] / rate["echo"]}
    return {
        "machine": facts, "settings": one.settings, "figures": [vars(figure) for figure in figures],
        "ratios": {name: round(ratio, 4) for name, ratio in ratios.items()},
        "acknowledged_and_found_in_every_store": {"issued": kept},
    }  # fmt: skip


async def _carnets(running: Ledger, count: int) -> list[Entry]:
    """Issue entries of 20 items under IDs reserved for them; one PIN's slow derivation serves all of them."""
    people = running.people
    party = read_party(people.home / "offices" / "CH-ALLIANCE" / "party.cbor")
    ledger_id, stamp = people.network.ledger, Stamp(now(), life=3_600_000)
    keys = CodeKeys(SigningKey(os.urandom(32)), os.urandom(32))
    async with people.transport("CH-ALLIANCE") as transport:
        reserved = issuing.reserve(ledger_id, party, count, stamp)
        match (await submit(transport, running.load.registry.charter, reserved)).facts:
            case [_, int(first), int(last)]:
                with patch("eata_clients.authoring.issuing.code_keys", return_value=keys):
                    ids = range(first, last + 1)
                    return [issuing.issue(ledger_id, party, people.order(), n, first, stamp).entry for n in ids]
    raise AssertionError("a reservation carries its IDs")
