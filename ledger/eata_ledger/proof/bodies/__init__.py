"""The body of each entry type: what an entry says beyond the common header."""

from eata_ledger.proof.bodies.base import CERTIFICATE, SEALING_KEY, Body, EntryType
from eata_ledger.proof.bodies.desk import Answer, Cancel, Commit, Hold, Reject, Release
from eata_ledger.proof.bodies.holder import (
    Ask,
    Declaration,
    DeleteTravel,
    Disagree,
    EditTravel,
    EnrolDevice,
    Notify,
    Renew,
    RevokeDevice,
    Sign,
    Travel,
    Withdraw,
)
from eata_ledger.proof.bodies.issuer import (
    NUMBER,
    AddSets,
    Amend,
    Block,
    CancelCarnet,
    Discharge,
    Issue,
    ReserveIds,
    Unblock,
)
from eata_ledger.proof.bodies.registry import (
    Acceptance,
    DescribeOffice,
    Publish,
    Readiness,
    RegisterAdministration,
    RegisterDeskCA,
    RegisterOffice,
    RegisterOrganisation,
    RegisterRegion,
    RegisterTerritory,
    RegisterTerritoryKey,
    RevokeKey,
    Tick,
    VoucherSets,
)

# What clients fetch and judge again as the public registry.
REGISTRY: tuple[type[Body], ...] = (
    RegisterOrganisation, RegisterAdministration, RegisterTerritory, RegisterOffice, RegisterDeskCA,
    RegisterTerritoryKey, RegisterRegion, RevokeKey, DescribeOffice, Readiness, Publish, Acceptance, VoucherSets,
)  # fmt: skip
_FIRST: tuple[type[Body], ...] = (
    *REGISTRY[:6], ReserveIds, Issue, EnrolDevice, Sign, Travel, EditTravel, DeleteTravel, Commit, Tick,
)  # fmt: skip
_SECOND: tuple[type[Body], ...] = (
    *REGISTRY[6:], Amend, AddSets, Block, Unblock, CancelCarnet, Discharge, Renew, RevokeDevice, Notify, Withdraw, Disagree,
    Ask, Reject, Hold, Release, Cancel, Answer,
)  # fmt: skip

BODIES: dict[int, type[Body]] = {int(body.TYPE): body for body in (*_FIRST, *_SECOND)}
# The rules version that opened a type: its entries are refused before that version is active.
SINCE: dict[EntryType, int] = {**{b.TYPE: 1 for b in _FIRST}, **{b.TYPE: 2 for b in _SECOND}}

__all__ = [
    "BODIES",
    "CERTIFICATE",
    "NUMBER",
    "REGISTRY",
    "SEALING_KEY",
    "SINCE",
    "Acceptance",
    "AddSets",
    "Amend",
    "Answer",
    "Ask",
    "Block",
    "Body",
    "Cancel",
    "CancelCarnet",
    "Commit",
    "Declaration",
    "DeleteTravel",
    "DescribeOffice",
    "Disagree",
    "Discharge",
    "EditTravel",
    "EnrolDevice",
    "EntryType",
    "Hold",
    "Issue",
    "Notify",
    "Publish",
    "Readiness",
    "RegisterAdministration",
    "RegisterDeskCA",
    "RegisterOffice",
    "RegisterOrganisation",
    "RegisterRegion",
    "RegisterTerritory",
    "RegisterTerritoryKey",
    "Reject",
    "Release",
    "Renew",
    "ReserveIds",
    "RevokeDevice",
    "RevokeKey",
    "Sign",
    "Tick",
    "Travel",
    "Unblock",
    "VoucherSets",
    "Withdraw",
]  # fmt: skip
