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
from eata_ledger.proof.bodies.keeping import AddStanza, Attach, Delegate, RotatePin, Shred, StorageReceipt
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
from eata_ledger.proof.bodies.root import ActivateRules, RegisterNode, RotateRoot

# What clients fetch and judge again as the public registry.
REGISTRY: tuple[type[Body], ...] = (
    RegisterOrganisation, RegisterAdministration, RegisterTerritory, RegisterOffice, RegisterDeskCA,
    RegisterTerritoryKey, RegisterRegion, RevokeKey, DescribeOffice, Readiness, Publish, Acceptance, VoucherSets,
    RotateRoot, RegisterNode,
)  # fmt: skip
_FIRST: tuple[type[Body], ...] = (
    *REGISTRY[:6], ReserveIds, Issue, EnrolDevice, Sign, Travel, EditTravel, DeleteTravel, Commit, Tick,
    ActivateRules,
)  # fmt: skip
_SECOND: tuple[type[Body], ...] = (
    *REGISTRY[6:13], Amend, AddSets, Block, Unblock, CancelCarnet, Discharge, Renew, RevokeDevice, Notify, Withdraw, Disagree,
    Ask, Reject, Hold, Release, Cancel, Answer,
)  # fmt: skip
_THIRD: tuple[type[Body], ...] = (
    *REGISTRY[13:], RotatePin, AddStanza, Shred, Attach, Delegate,
)  # fmt: skip

BODIES: dict[int, type[Body]] = {int(body.TYPE): body for body in (*_FIRST, *_SECOND, *_THIRD)}
# The rules version that opened a type: its entries are refused before that version is active.
SINCE: dict[EntryType, int] = {
    body.TYPE: rules for rules, opened in enumerate((_FIRST, _SECOND, _THIRD), 1) for body in opened
}

__all__ = [
    "BODIES",
    "CERTIFICATE",
    "NUMBER",
    "REGISTRY",
    "SEALING_KEY",
    "SINCE",
    "Acceptance",
    "ActivateRules",
    "AddSets",
    "AddStanza",
    "Amend",
    "Answer",
    "Ask",
    "Attach",
    "Block",
    "Body",
    "Cancel",
    "CancelCarnet",
    "Commit",
    "Declaration",
    "Delegate",
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
    "RegisterNode",
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
    "RotatePin",
    "RotateRoot",
    "Shred",
    "Sign",
    "StorageReceipt",
    "Tick",
    "Travel",
    "Unblock",
    "VoucherSets",
    "Withdraw",
]  # fmt: skip
