"""The facts: records by family and key, as every replica holds them byte for byte.

Families are frozen numbers. Keys are concatenations: carnet IDs, slots and row numbers as 8 bytes
big-endian, key ids and public keys as they are, text as UTF-8 at the end.
"""

from eata_ledger.state.base import Chain, Fact, Family, Logged, Versions
from eata_ledger.state.carnet import (
    Carnet,
    CarnetState,
    Device,
    Number,
    Pool,
    RevokedDevice,
    Transaction,
    TravelFact,
    Validated,
    Voucher,
    VoucherKey,
)
from eata_ledger.state.events import HoldFact, Incident, Link, Notice, NoticeOfVoucher, Said, of_territory
from eata_ledger.state.registry import (
    Accepted,
    Administration,
    Announced,
    KeyFact,
    LiveKey,
    Office,
    OfficeDetails,
    Organisation,
    Publication,
    Region,
    SetsOfType,
    Territory,
    TerritoryKey,
)

__all__ = [
    "Accepted",
    "Administration",
    "Announced",
    "Carnet",
    "CarnetState",
    "Chain",
    "Device",
    "Fact",
    "Family",
    "HoldFact",
    "Incident",
    "KeyFact",
    "Link",
    "LiveKey",
    "Logged",
    "Notice",
    "NoticeOfVoucher",
    "Number",
    "Office",
    "OfficeDetails",
    "Organisation",
    "Pool",
    "Publication",
    "Region",
    "RevokedDevice",
    "Said",
    "SetsOfType",
    "Territory",
    "TerritoryKey",
    "Transaction",
    "TravelFact",
    "Validated",
    "Versions",
    "Voucher",
    "VoucherKey",
    "of_territory",
]
