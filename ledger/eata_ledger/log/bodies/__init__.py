"""The body of each entry type: what an entry says beyond the common header."""

from eata_ledger.log.bodies.base import CERTIFICATE, SEALING_KEY, Body, EntryType
from eata_ledger.log.bodies.desk import Answer, Cancel, Commit, Hold, Reject, Release
from eata_ledger.log.bodies.devices import (
    AdmitDevice,
    EnrolDevice,
    First,
    NewCancelKey,
    Recode,
    ResetHolder,
    RevokeDevice,
    Sign,
)
from eata_ledger.log.bodies.holder import (
    Ask,
    DeleteTravel,
    Disagree,
    EditTravel,
    Notify,
    Renew,
    Travel,
    Withdraw,
)
from eata_ledger.log.bodies.issuer import (
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
from eata_ledger.log.bodies.keeping import AddStanza, Attach, Delegate, RotatePin, Shred, StorageReceipt
from eata_ledger.log.bodies.registry import (
    Acceptance,
    DescribeOffice,
    Provisional,
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
from eata_ledger.log.bodies.root import ActivateRules, RegisterNode, RemoveNode, RotateOperations, RotateRoot

# What clients fetch and judge again as the public registry.
REGISTRY: tuple[type[Body], ...] = (
    RegisterOrganisation, RegisterAdministration, RegisterTerritory, RegisterOffice, RegisterDeskCA,
    RegisterTerritoryKey, RegisterRegion, RevokeKey, DescribeOffice, Readiness, Publish, Acceptance, VoucherSets,
    Provisional,
    RotateRoot, RegisterNode, RemoveNode, RotateOperations,
)  # fmt: skip
_OTHERS: tuple[type[Body], ...] = (
    ReserveIds, Issue, Sign, EnrolDevice, AdmitDevice, RevokeDevice, Recode, ResetHolder, Travel, EditTravel, DeleteTravel, Renew, Notify, Withdraw,
    Disagree, Ask, Delegate, Commit, Reject, Hold, Release, Cancel, Answer, Amend, AddSets, Block, Unblock,
    CancelCarnet, Discharge, RotatePin, AddStanza, Shred, Attach, Tick, ActivateRules,
)  # fmt: skip

BODIES: dict[int, type[Body]] = {int(body.TYPE): body for body in (*REGISTRY, *_OTHERS)}
# The rules that open a type, where later ones do: before they are in force its entries never were.
SINCE: dict[EntryType, int] = {}

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
    "AdmitDevice",
    "Amend",
    "Answer",
    "Ask",
    "Attach",
    "Block",
    "Body",
    "Cancel",
    "CancelCarnet",
    "Commit",
    "Delegate",
    "DeleteTravel",
    "DescribeOffice",
    "Disagree",
    "Discharge",
    "EditTravel",
    "EnrolDevice",
    "EntryType",
    "First",
    "Hold",
    "Issue",
    "NewCancelKey",
    "Notify",
    "Provisional",
    "Publish",
    "Readiness",
    "Recode",
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
    "RemoveNode",
    "Renew",
    "ReserveIds",
    "ResetHolder",
    "RevokeDevice",
    "RevokeKey",
    "RotateOperations",
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
