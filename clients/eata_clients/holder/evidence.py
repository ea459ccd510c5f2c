"""Evidence for a court: a carnet's transactions with every proof, and the program that checks them (U4, NICS-11)."""

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import sha256
from eata_ledger.proof.checkpoint import signature_lines
from eata_ledger.proof.trust import Trust
from eata_ledger.seal.aead import disclosed
from eata_ledger.seal.schedule import leaf_key
from eata_ledger.state import Transaction
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.holder.downloaded import Downloaded
from eata_clients.holder.wallet import Wallet
from eata_clients.net.errors import EataError
from eata_clients.net.receipts import receipt
from eata_clients.net.transport import Transport
from eata_clients.trust.trust_file import fetch_trust

_README = """Evidence of the transactions of carnet {number}.

bundle.json holds the proofs, verify.py checks them. It needs Python 3.11 or later and the package "cryptography":

    python3 verify.py bundle.json {ledger}

Take the ledger's identity (the 64 digits) from ICC, not from this file. Whoever has this bundle can read the
counterfoils in it; nothing else of the carnet is disclosed.
"""


async def collect(
    wallet: Wallet, transport: Transport, carnet_id: int, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Every transaction of the carnet as proved now, with its counterfoil and that counterfoil's own key."""
    shown, registry = await wallet.show(carnet_id), await wallet.registry()
    rows = [row for row, _ in shown.rows]
    trust = await _covering(wallet, transport, max((row.index for row in rows), default=-1))
    size = signature_lines(trust.checkpoint)[0].size
    found = []
    for n, row in enumerate(rows):
        header = shown.excerpts.header(row.index).encoded
        given = await receipt(transport, registry.charter, row.index, sha256(shown.excerpts.header(row.index).signed))
        proof = await transport.call(
            lambda channel: ledger_pb2_grpc.LedgerStub(channel).Inclusion,
            ledger_pb2.InclusionRequest(index=row.index, size=size),
        )
        found.append({
            "index": row.index, "statement": given.statement.hex(), "header": header.hex(),
            "inclusion": [step.hex() for step in proof.hashes], "counterfoil": _counterfoil(wallet, shown, row),
        })  # fmt: skip
        progress(n + 1, len(rows))
    charter = [
        {"header": entry.header.hex(), "signatures": [[s.key_id.hex(), s.value.hex()] for s in entry.signatures],
         "leaf": entry.leaf.hex(), "inclusion": [step.hex() for step in entry.path]}
        for entry in trust.charter_entries
    ]  # fmt: skip
    return {
        "format": "eata-evidence-1", "number": shown.carnet.number, "genesis": trust.genesis_bytes.hex(),
        "charter": charter, "checkpoint": trust.checkpoint, "transactions": found,
    }  # fmt: skip


async def _covering(wallet: Wallet, transport: Transport, index: int) -> Trust:
    """A checkpoint that enough nodes signed and that has this index under it."""
    for _ in range(50):
        trust = await fetch_trust(transport, await wallet.registry())
        if signature_lines(trust.checkpoint)[0].size > index:
            return trust
        await asyncio.sleep(0.2)  # the next groups bring the signatures
    raise EataError("TRUST_MISSING", "The newest transaction is under no signed checkpoint yet.", "Try again soon.")


def _counterfoil(wallet: Wallet, shown: Downloaded, row: Transaction) -> dict[str, str] | None:
    """The sealed bytes, and the key of this one seal: it opens nothing else, not even the declaration beside it."""
    found, held = shown.excerpts.find(Label.COUNTERFOIL, row.index, row.slot), wallet.holding(shown.carnet.carnet_id)
    if found is None:
        return None
    place = held.place(Label.COUNTERFOIL, row.slot)
    return {"part": found.value.hex(), "key": disclosed(leaf_key(held.journal(row.slot)), place, found.value).hex()}


def pack(bundle: dict[str, Any]) -> bytes:
    """A zip of the bundle, the program and a page that says how; the same bundle gives the same bytes."""
    ledger = sha256(bytes.fromhex(bundle["genesis"])).hex()
    contents = {
        "README.txt": _README.format(number=bundle["number"], ledger=ledger).encode(),
        "bundle.json": json.dumps(bundle, indent=1, sort_keys=True).encode(),
        "verify.py": (files("eata_clients.trust") / "verify_bundle.py").read_bytes(),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
