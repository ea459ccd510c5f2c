"""A wallet that downloads a carnet, signs it, prepares a travel and shows its first code.

python wallet.py NETWORK_FILE WALLET_FOLDER DESTINATION < ID_AND_PIN     the terms are accepted by running it
"""

import asyncio
import sys
from pathlib import Path

import segno

from eata_clients import CodeKind, Wallet, WantedTravel, connect, read_code


async def main(network: Path, folder: Path, to: str, given: str) -> None:
    async with connect(network) as nodes:
        wallet, pin = Wallet(folder, nodes), read_code(given, CodeKind.PIN)
        shown = await wallet.download(pin)
        carnet = shown.carnet
        print(f"{carnet.number}: {len(shown.content.goods)} items of {shown.content.holder}")
        await wallet.sign(pin, lambda code: print(f"Holder code, to be written down: {code.shown}"))
        travelled = await wallet.travel_to(carnet.carnet_id, WantedTravel(to))
        for slot, kind, territory in travelled.slots:
            print(f"{kind.name} {territory}: {wallet.code(carnet.carnet_id, slot, CodeKind.TRANSACTION).text}")
        first = wallet.code(carnet.carnet_id, travelled.slots[0][0], CodeKind.TRANSACTION)
        segno.make(first.text, error="m").terminal(compact=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.stdin.readline()))
