"""The rules, one module a subject; each rule is (act, body) → public facts, or raises `Refused`."""

from collections.abc import Callable
from typing import Any

from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.log.bodies import Body
from eata_ledger.rules import (
    carnet,
    commit,
    decisions,
    devices,
    issuer,
    keeping,
    notices,
    reference,
    registry,
    root,
    travel,
)
from eata_ledger.rules.act import Act

VERSION = 1  # the newest rules these modules hold; genesis, and then the root, name those in force

Rule = Callable[[Act, Any], Value]

_RULES: dict[type[Body], Rule] = {
    bodies.RegisterOrganisation: registry.register_organisation,
    bodies.RegisterAdministration: registry.register_administration,
    bodies.RegisterTerritory: registry.register_territory,
    bodies.RegisterOffice: registry.register_office,
    bodies.RegisterDeskCA: registry.register_desk_ca,
    bodies.RegisterTerritoryKey: registry.register_territory_key,
    bodies.RevokeKey: registry.revoke_key,
    bodies.RegisterRegion: reference.register_region,
    bodies.DescribeOffice: reference.describe_office,
    bodies.Readiness: reference.readiness,
    bodies.Publish: reference.publish,
    bodies.Acceptance: reference.acceptance,
    bodies.VoucherSets: reference.voucher_sets,
    bodies.Provisional: reference.provisional,
    bodies.ReserveIds: carnet.reserve_ids,
    bodies.Issue: carnet.issue,
    bodies.EnrolDevice: devices.enrol_device,
    bodies.Sign: devices.sign,
    bodies.AdmitDevice: devices.admit_device,
    bodies.RevokeDevice: devices.revoke_device,
    bodies.Recode: devices.recode,
    bodies.ResetHolder: devices.reset_holder,
    bodies.Amend: issuer.amend,
    bodies.AddSets: issuer.add_sets,
    bodies.Block: issuer.block,
    bodies.Unblock: issuer.unblock,
    bodies.CancelCarnet: issuer.cancel_carnet,
    bodies.Discharge: issuer.discharge,
    bodies.Travel: travel.travel,
    bodies.EditTravel: travel.edit_travel,
    bodies.DeleteTravel: travel.delete_travel,
    bodies.Renew: travel.renew,
    bodies.Notify: notices.notify,
    bodies.Withdraw: notices.withdraw,
    bodies.Answer: notices.answer,
    bodies.Disagree: notices.disagree,
    bodies.Ask: notices.ask,
    bodies.Commit: commit.commit,
    bodies.Reject: decisions.reject,
    bodies.Hold: decisions.hold,
    bodies.Release: decisions.release,
    bodies.Cancel: decisions.cancel,
    bodies.Tick: registry.tick,
    bodies.RotatePin: keeping.rotate_pin,
    bodies.AddStanza: keeping.add_stanza,
    bodies.Attach: keeping.attach,
    bodies.Shred: keeping.shred,
    bodies.Delegate: keeping.delegate,
    bodies.ActivateRules: root.activate_rules,
    bodies.RotateRoot: root.rotate_root,
    bodies.RegisterNode: root.register_node,
    bodies.RemoveNode: root.remove_node,
    bodies.RotateOperations: root.rotate_operations,
}


def rule_of(body: Body) -> Rule:
    """The rule of a body's type; a type without a body has been refused as malformed before."""
    return _RULES[type(body)]
