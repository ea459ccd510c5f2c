"""Which troubles of a store are damage, to be healed, and which pass by themselves."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from eata_node.ground.rocks import END, DamagedError, Rocks, u64

FAMILY, OTHERS = "entries", ["facts", "parts"]


def written(folder: Path) -> Path:
    """A store with files of every kind, closed."""
    rocks = Rocks(folder / "store", [FAMILY])
    for n in range(200):
        batch = rocks.batch()
        batch.put(FAMILY, u64(n), bytes([n % 256]) * 500)
        rocks.write(batch)
        if n == 100:
            rocks.flush()
    rocks.close()
    return folder / "store"


def read(folder: Path) -> list[tuple[bytes, bytes]]:
    rocks = Rocks(folder, [FAMILY])
    try:
        return list(rocks.scan(FAMILY, b"", END))
    finally:
        rocks.close()


@pytest.mark.parametrize(
    "content", [b"", b"MANIFEST-000999\n", b"MANIFEST", b"\x00" * 16], ids=["empty", "other", "cut", "zeros"]
)
def test_a_store_whose_current_file_is_wrong_is_damaged(tmp_path: Path, content: bytes) -> None:
    store = written(tmp_path)
    (store / "CURRENT").write_bytes(content)
    with pytest.raises(DamagedError):
        read(store)


@pytest.mark.parametrize("kind", ["*.sst", "MANIFEST-*", "CURRENT", "OPTIONS-*", "IDENTITY"])
def test_any_file_cut_or_flipped_is_damage_or_does_no_harm(tmp_path: Path, kind: str, seeded: random.Random) -> None:
    """Never a trouble that a person must look at, and never other rows than were written."""
    rows = [(u64(n), bytes([n % 256]) * 500) for n in range(200)]
    for n in range(12):
        store = written(tmp_path / str(n))
        path = seeded.choice(sorted(store.glob(kind)))
        data = bytearray(path.read_bytes())
        at = seeded.randrange(len(data))
        if n % 2:
            data[at] ^= 1 << seeded.randrange(8)
        else:
            del data[at:]
        path.write_bytes(data)
        try:
            found = read(store)
        except DamagedError:
            continue
        assert found == rows[: len(found)]
        assert len(found) == len(rows) or kind == "MANIFEST-*", "an earlier moment, where only a tail is gone"


@pytest.mark.parametrize("kind", ["*.log", "MANIFEST-*"])
def test_a_flipped_bit_at_which_rocksdb_would_read_for_ever_is_damage(tmp_path: Path, kind: str) -> None:
    """The third bit of a record's kind. As if killed: what was written last is in the write-ahead log."""
    rocks = Rocks(tmp_path / "store", [FAMILY])
    for n in range(200):
        batch = rocks.batch()
        batch.put(FAMILY, u64(n), bytes([n]) * 500)
        rocks.write(batch)
    rocks.sync()
    killed = shutil.copytree(tmp_path / "store", tmp_path / "killed")
    rocks.close()
    [path] = killed.glob(kind)
    data, starts = path.read_bytes(), list(records(path.read_bytes()))
    assert len(starts) > 3
    for at in starts[:: len(starts) // 3]:
        path.write_bytes(data[: at + 6] + bytes([data[at + 6] ^ 4]) + data[at + 7 :])
        with pytest.raises(DamagedError, match="none of its own"):
            read(killed)
    path.write_bytes(data)
    assert len(read(killed)) == 200


def records(data: bytes) -> Iterator[int]:
    """Where RocksDB's log records begin: 7 bytes of header each, none across a block of 32 KiB."""
    at = 0
    while at + 7 <= len(data) and data[at + 6]:
        yield at
        at += 7 + int.from_bytes(data[at + 4 : at + 6], "little")
        at += (32768 - at % 32768) * (32768 - at % 32768 < 7)


def test_a_cut_manifest_gives_all_families_of_one_earlier_moment_or_none(tmp_path: Path, seeded: random.Random) -> None:
    """RocksDB itself opens it without complaint, one family newer than another: facts without their entries."""
    families = [FAMILY, *OTHERS]
    rocks = Rocks(tmp_path / "store", families)
    for n in range(60):
        batch = rocks.batch()
        for family in families:
            batch.put(family, u64(n), family.encode() * 50)
        rocks.write(batch)
        if n % 20 == 19:
            rocks.flush()
    rocks.close()
    [manifest] = (tmp_path / "store").glob("MANIFEST-*")
    data, mixed = manifest.read_bytes(), 0
    for cut in seeded.sample(range(len(data)), 80):
        damaged = shutil.copytree(tmp_path / "store", tmp_path / str(cut))
        (damaged / manifest.name).write_bytes(data[:cut])
        try:
            rocks = Rocks(damaged, families)
        except DamagedError as error:
            mixed += "one moment" in str(error)
            continue
        kept = [[key for key, _ in rocks.scan(family, b"", END)] for family in families]
        rocks.close()
        assert kept == [[u64(n) for n in range(len(kept[0]))]] * len(families)
    assert mixed > 10, "too few of these cuts did any harm"


def test_a_store_in_use_is_not_damaged(tmp_path: Path) -> None:
    rocks = Rocks(tmp_path / "store", [FAMILY])
    with pytest.raises(OSError, match="LOCK") as refused:
        Rocks(tmp_path / "store", [FAMILY])
    assert not isinstance(refused.value, DamagedError)
    rocks.close()
