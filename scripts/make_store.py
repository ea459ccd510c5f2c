"""Writes tests/stores/<number>-rules-<version>.tar.xz: a replica's store as this version leaves it, for later versions to open.

./scripts/make-store 1        after random journeys on a cluster in a folder of its own; a store is made once, never anew
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tarfile
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from eata_ledger.rules import VERSION

from tests.crowd import Crowd
from tests.mesh import Mesh

STORES = Path(__file__).resolve().parents[1] / "tests" / "stores"
_STEPS, _NODE = 70, "tokyo"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("number", type=int, help="which store of those kept this is")
    target = STORES / f"{parser.parse_args().number}-rules-{VERSION}.tar.xz"
    if target.exists():
        print(f"{target.name} is there already: an old store is never made anew", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        passphrase = Path(folder) / "passphrase"
        passphrase.write_text(os.urandom(16).hex())
        os.environ["EATA_PASSPHRASE_FILE"] = str(passphrase)
        asyncio.run(_write(Path(folder) / "home", target))
    print(f"{target.name}: {target.stat().st_size} bytes")
    return 0


async def _write(home: Path, target: Path) -> None:
    house = Mesh(home)
    people = await house.start()
    async with AsyncExitStack() as stack:
        crowd = Crowd(house, people, stack, random.Random(1))
        for _ in range(2):
            await crowd.issue()
        for n in range(_STEPS):
            print(f"\r{n + 1} of {_STEPS} steps", end="", file=sys.stderr, flush=True)
            await crowd.step()
    print(file=sys.stderr)
    await house.settled()
    replica = house.proxies[_NODE].node.replica
    told = {"rules": VERSION, "size": replica.state.size, "root": replica.root.hex()}
    await house.stop()
    (home / "told.json").write_text(json.dumps(told, indent=2))
    target.parent.mkdir(exist_ok=True)
    with tarfile.open(target, "w:xz") as packed:
        packed.add(home / "nodes" / _NODE / "store", "store")
        for name in ("genesis.cbor", "told.json"):
            packed.add(home / name, name)


if __name__ == "__main__":
    raise SystemExit(main())
