"""A desk that scans a voucher's code and commits it as declared.

python desk.py NETWORK_FILE DESK_FOLDER < CODE     after `eata customs sign-in` in that folder
"""

import asyncio
import sys
from pathlib import Path

from eata_clients import CustomsDesk, Decision, Word, connect


async def main(network: Path, folder: Path, code: str) -> None:
    async with connect(network, folder) as nodes:
        desk = CustomsDesk.signed_in(folder, nodes)
        scanned = await desk.scan(code)
        declared = scanned.presented
        print(
            f"{declared.kind.name} of items {declared.items}, {scanned.content.holder}, carnet {scanned.carnet.number}"
        )
        decision = Decision(declared.items, declared.not_returned)
        verdict = await desk.verdict(scanned, decision)
        if verdict.word is not Word.GO:
            sys.exit(f"{verdict.code}: {verdict.sentence} {verdict.advice}")
        done = await desk.commit(scanned, decision)
        print(f"ledger index {done.index}: {done.standing}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.stdin.readline()))
