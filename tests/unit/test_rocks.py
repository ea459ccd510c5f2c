"""Which troubles of a store are damage, to be healed, and which pass by themselves."""

import random
from pathlib import Path

import pytest
from eata_node.rocks import DamagedError, Rocks, u64

FAMILY = "entries"


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


def read(folder: Path) -> int:
    rocks = Rocks(folder, [FAMILY])
    try:
        return sum(1 for _ in rocks.scan(FAMILY, b"", b"\xff" * 9))
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
    """Never a trouble that a person must look at."""
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
            read(store)
        except DamagedError:
            continue


def test_a_store_in_use_is_not_damaged(tmp_path: Path) -> None:
    rocks = Rocks(tmp_path / "store", [FAMILY])
    with pytest.raises(OSError, match="LOCK") as refused:
        Rocks(tmp_path / "store", [FAMILY])
    assert not isinstance(refused.value, DamagedError)
    rocks.close()
