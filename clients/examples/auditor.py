"""An auditor that replays every entry and compares the roots of all nodes; without `async`.

python auditor.py NETWORK_FILE AUDITOR_FOLDER
"""

import sys
from pathlib import Path

from eata_clients import read_party
from eata_clients.sync import Auditor, connect


def main(network: Path, folder: Path) -> int:
    with connect(network, folder) as nodes:
        report = Auditor(nodes, read_party(folder / "party.cbor")).audit()
        print(report.line)
        return 0 if report.agreeing == report.nodes else 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
