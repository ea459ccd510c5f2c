"""Thin clients of the ledger behind the digital ATA Carnet: customs, wallet, issuer, auditor, over any of six nodes.

    from eata_clients import CustomsDesk, connect

    async with connect(network_file, desk_folder) as nodes:
        desk = CustomsDesk.signed_in(desk_folder, nodes)
        scanned = await desk.scan(code)

What stands here is the public face; the same, without `async`, is in `eata_clients.sync`. Programs that use it lie in
`clients/examples/`. Everything else in this package may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eata_host.faults import Fault
    from eata_ledger.carnet.goods.items import Items
    from eata_ledger.proof.qr import CodeQr, read_code
    from eata_ledger.seal.codes import CodeKind

    from eata_clients.authoring.clearing import Decision
    from eata_clients.authoring.issuing import Issued, Order
    from eata_clients.customs.client import CustomsDesk
    from eata_clients.customs.scanned import Scanned
    from eata_clients.customs.verdict import Verdict, Word
    from eata_clients.holder.downloaded import Downloaded
    from eata_clients.holder.travelling import WantedTravel
    from eata_clients.holder.wallet import Travelled, Wallet
    from eata_clients.issuer.client import Issuer, read_party
    from eata_clients.net.errors import EataError, Unreachable, Untrusted
    from eata_clients.net.network import Network
    from eata_clients.net.receipts import Committed
    from eata_clients.net.transport import Transport, connect
    from eata_clients.trust.auditor import Auditor, Report

_FROM = {
    "Items": "eata_ledger.carnet.goods.items",
    "CodeQr": "eata_ledger.proof.qr",
    "read_code": "eata_ledger.proof.qr",
    "CodeKind": "eata_ledger.seal.codes",
    "Fault": "eata_host.faults",
    "Decision": "eata_clients.authoring.clearing",
    "Issued": "eata_clients.authoring.issuing",
    "Order": "eata_clients.authoring.issuing",
    "CustomsDesk": "eata_clients.customs.client",
    "Scanned": "eata_clients.customs.scanned",
    "Verdict": "eata_clients.customs.verdict",
    "Word": "eata_clients.customs.verdict",
    "Downloaded": "eata_clients.holder.downloaded",
    "WantedTravel": "eata_clients.holder.travelling",
    "Travelled": "eata_clients.holder.wallet",
    "Wallet": "eata_clients.holder.wallet",
    "Issuer": "eata_clients.issuer.client",
    "read_party": "eata_clients.issuer.client",
    "EataError": "eata_clients.net.errors",
    "Unreachable": "eata_clients.net.errors",
    "Untrusted": "eata_clients.net.errors",
    "Network": "eata_clients.net.network",
    "Committed": "eata_clients.net.receipts",
    "Transport": "eata_clients.net.transport",
    "connect": "eata_clients.net.transport",
    "Auditor": "eata_clients.trust.auditor",
    "Report": "eata_clients.trust.auditor",
}
__all__ = [
    "Auditor", "CodeKind", "CodeQr", "Committed", "CustomsDesk", "Decision", "Downloaded", "EataError", "Fault", "Issued", "Issuer",
    "Items", "Network", "Order", "Report", "Scanned", "Transport", "Travelled", "Unreachable", "Untrusted", "Verdict", "Wallet",
    "WantedTravel", "Word", "connect", "read_code", "read_party",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Loaded when it is first used: `eata --help` waits for none of it."""
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_FROM[name]), name)
