"""A thief with a node's whole disk, the engine's, and every node's keys: opens no body. The test does exactly that."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import nacl.bindings
import nacl.exceptions
from eata_host.vault import read_key
from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import sha256
from eata_ledger.log.entry import Header, PartInfo
from eata_ledger.log.genesis import Genesis
from eata_ledger.log.keys import Algorithm, key_id
from eata_ledger.seal.aead import CannotOpen, Context, unseal
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.state import Family, Voucher
from eata_ledger.wire import group_from_bytes
from eata_node.engine.log_store import LogDisk, LogStore
from eata_node.ground.config import read_locked
from eata_node.replica.store import Store

from tests.process.scene import Scene, scene

__all__ = ["scene"]
PDF = b"%PDF-1.7 the orchestra's insurance"


def secrets(loot: Path) -> set[bytes]:
    """Every 32-byte secret on the copied disks, unlocked with the machine's own passphrase, and what it derives."""
    found = {read_locked(path) for path in loot.rglob("*.key") if path.name != "tls.key"}
    found |= {path.read_bytes()[:32] for path in loot.rglob("*") if path.is_file() and path.stat().st_size >= 32}
    return {secret for secret in found if len(secret) == 32} | {sha256(secret) for secret in found}


def exchanged(seeds: set[bytes], publics: set[bytes]) -> Iterator[bytes]:
    """What X25519 gives of any secret with any public key that stands in the facts."""
    for seed, public in itertools.product(seeds, publics):
        try:
            yield nacl.bindings.crypto_scalarmult(seed, public)
        except nacl.exceptions.CryptoError:
            continue


def sealed_parts(store: Store, log: LogStore) -> Iterator[tuple[Header, PartInfo, bytes]]:
    """Every part in the replica's store and in the engine's log."""
    state = store.log_state()
    assert state is not None
    for index in range(state[0].size):
        _, entry = store.whole_entry(index)
        for info, part in zip(entry.header.parts, entry.parts, strict=True):
            yield entry.header, info, part
    for _, group in log.read(1, log.head + 1):
        for message in group_from_bytes(group).entries:
            header = Header.from_bytes(message.header)
            for info, part in zip(header.parts, message.parts, strict=True):
                yield header, info, part


def opened(parts: list[tuple[Header, PartInfo, bytes]], keys: set[bytes], ledger: bytes) -> int:
    """How many parts any of the keys opens, as a seal or as a stanza."""
    sealing = [(key_id(k.public, Algorithm.XWING), k) for k in (SealingKey(key) for key in keys)]
    count = 0
    for header, info, part in parts:
        carnet_id = getattr(header.body, "carnet_id", 0)
        count += _opens(Context(ledger, carnet_id, info.label, info.slot), header, info, part, keys, sealing)
    return count


def _opens(
    place: Context,
    header: Header,
    info: PartInfo,
    part: bytes,
    keys: set[bytes],
    sealing: list[tuple[bytes, SealingKey]],
) -> bool:
    if info.label is Label.STANZA:
        tries = [key for kid, key in sealing if kid == info.recipient] or [key for _, key in sealing[:4]]
        for key in tries:
            try:
                key.open(place, info.recipient or b"", header.author, part)
            except CannotOpen:
                continue
            return True
        return False
    for secret in keys:
        try:
            unseal(secret, place, part)
        except CannotOpen:
            continue
        return True
    return False


async def test_all_of_a_nodes_disk_and_all_nodes_keys_open_no_body(scene: Scene, tmp_path: Path) -> None:
    await scene.wallet.attach(scene.carnet_id, "insurance.pdf", PDF)
    for slot, office in ((1, "CH-ZRH"), (2, "CH-ZRH"), (3, "DE-BER")):
        await scene.commit(slot, office)
    await scene.mesh.settled()
    ledger = scene.mesh.genesis.ledger
    territory = read_key(scene.people.home / "offices" / "DE" / "territory-EU.key")
    await scene.mesh.stop()
    loot = tmp_path / "loot"
    shutil.copytree(scene.people.home / "nodes", loot / "nodes")
    shutil.copytree(scene.people.home / "core", loot / "core")
    genesis = Genesis.from_bytes((scene.people.home / "genesis.cbor").read_bytes())
    store, log = Store.open(loot / "nodes" / "mumbai"), LogStore(LogDisk(loot / "core"), genesis)
    parts = list(sealed_parts(store, log))
    publics = {Voucher.from_own(value).verify_key for _, value in store.facts(int(Family.VOUCHER))}
    found = secrets(loot)
    assert len(found) >= 24
    assert len(parts) >= 29  # those of the store; of the log, what has not been compacted
    everything = found | set(exchanged(found, publics))
    assert opened(parts, everything, ledger) == 0
    assert opened(parts, {territory}, ledger) >= 2  # the same attempt with a key that is on no node
    store.close()
    log.close()
    assert not [path for path in loot.rglob("*") if path.is_file() and PDF[9:] in path.read_bytes()]
