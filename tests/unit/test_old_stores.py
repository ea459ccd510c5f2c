"""What earlier versions wrote, today's code opens, finds whole, and derives again leaf by leaf (P7)."""

import json
import tarfile
from pathlib import Path

import pytest
from eata_clients.trust.auditor import Replay
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.keys import verify
from eata_ledger.replaying import replayed
from eata_ledger.rules import VERSION
from eata_node.replica.scrub import scrub
from eata_node.replica.store import Store

STORES = sorted((Path(__file__).parents[1] / "stores").glob("*.tar.xz"))


@pytest.mark.parametrize("path", STORES, ids=lambda path: path.name)
def test_a_store_of_an_earlier_version_opens_and_holds_what_it_held(path: Path, tmp_path: Path) -> None:
    with tarfile.open(path) as packed:
        packed.extractall(tmp_path)
    told = json.loads((tmp_path / "told.json").read_text())
    genesis = Genesis.from_bytes((tmp_path / "genesis.cbor").read_bytes())
    assert genesis.rules == told["rules"]
    store = Store.open(tmp_path)
    kept = store.log_state()
    assert kept is not None
    assert kept[0].size == told["size"] > 40
    assert list(scrub(store, told["size"]))[-1] == told["size"]
    assert store.root(told["size"]).hex() == told["root"]
    again = Replay(genesis)
    for index in range(told["size"]):
        stored, entry = store.whole_entry(index)
        again.facts.update(replayed(again, genesis, entry, stored.leaf, verify).effects)
    store.close()


def test_every_rules_version_so_far_has_its_store() -> None:
    kept = {int(path.name.partition(".")[0].rpartition("-")[2]) for path in STORES}
    assert kept == set(range(1, VERSION + 1))
