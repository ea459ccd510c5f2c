"""Who is the author of an entry: the public key behind the header's author key id, by entry type.

This is the first column of the signing table (docs/formats.md); the rules ask for the further signatures.
"""

from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import Malformed
from eata_ledger.log import bodies
from eata_ledger.log.certificate import Certified, DeskCertificate
from eata_ledger.log.keys import acceptable, key_id
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.rules.act import Act
from eata_ledger.state import Device, KeyFact

_BY_OPERATIONS = (
    bodies.RegisterOrganisation, bodies.RegisterAdministration, bodies.RegisterTerritory, bodies.Readiness,
    bodies.Publish, bodies.Acceptance, bodies.VoucherSets,
)  # fmt: skip
_BY_ORGANISATION = (
    bodies.RegisterOffice, bodies.RegisterDeskCA, bodies.RegisterTerritoryKey, bodies.RegisterRegion, bodies.RevokeKey,
    bodies.DescribeOffice, bodies.Provisional, bodies.ReserveIds, bodies.Issue, bodies.Amend, bodies.AddSets, bodies.Block,
    bodies.Unblock, bodies.CancelCarnet, bodies.Discharge, bodies.RotatePin, bodies.ResetHolder, bodies.Shred,
)  # fmt: skip
_BY_DEVICE = (
    bodies.AdmitDevice, bodies.Recode, bodies.Travel, bodies.EditTravel, bodies.DeleteTravel, bodies.Renew, bodies.RevokeDevice, bodies.Notify,
    bodies.Withdraw, bodies.Disagree, bodies.Ask, bodies.Delegate,
)  # fmt: skip
_BY_ROOT = (
    bodies.RotateRoot, bodies.RegisterNode, bodies.RemoveNode, bodies.RotateOperations, bodies.ActivateRules,
)  # fmt: skip
_BY_DESK = (bodies.Commit, bodies.Reject, bodies.Hold, bodies.Release, bodies.Cancel, bodies.Answer)


def resolve(act: Act) -> bytes:
    """The author's public key. Raises `Skipped` with KEY_UNKNOWN."""
    header = act.entry.header
    public = _candidate(act, header.body)
    if public is None or key_id(public) != header.author:
        raise Skipped(Outcome.KEY_UNKNOWN)
    return public


def _candidate(act: Act, body: bodies.Body) -> bytes | None:
    header, operations = act.entry.header, act.charter.operations
    if isinstance(body, _BY_OPERATIONS):
        return operations
    if isinstance(body, bodies.RevokeKey) and header.author == key_id(operations):
        return operations
    if isinstance(body, _BY_ORGANISATION):
        return _organisation(act)
    if isinstance(body, _BY_DEVICE):
        return _device(act, body.carnet_id)
    if isinstance(body, bodies.AddStanza) and body.certificate is not None:
        return desk_key(act, body.certificate)[0].key
    if isinstance(body, bodies.AddStanza | bodies.Attach):
        return _device(act, body.carnet_id) or _organisation(act)
    if isinstance(body, _BY_ROOT):
        return act.charter.root_ids.get(header.author)
    if isinstance(body, bodies.Sign):
        return _device(act, body.carnet_id) if body.first is None else _new(body.first.device_key)
    if isinstance(body, bodies.EnrolDevice):
        return _new(body.device_key)
    if isinstance(body, _BY_DESK):
        return desk_key(act, body.certificate)[0].key
    if isinstance(body, bodies.Tick):
        node = act.charter.by_id.get(header.author)
        return None if node is None else node.key(Purpose.GROUP)
    return None


def _organisation(act: Act) -> bytes | None:
    """A registered organisation's or administration's key."""
    fact = act.facts.get(KeyFact, act.entry.header.author)
    act.revoked |= fact is not None and fact.revoked is not None
    return None if fact is None else fact.raw


def _new(key: bytes) -> bytes | None:
    """A device that enrols itself."""
    return key if acceptable(key) else None


def _device(act: Act, carnet_id: int) -> bytes | None:
    """A device enrolled for the carnet."""
    device = act.facts.get(Device, carnet_id, act.entry.header.author)
    act.revoked |= device is not None and device.revoked is not None
    return None if device is None else device.key


def desk_key(act: Act, data: bytes) -> tuple[DeskCertificate, str]:
    """A desk certificate that a registered desk CA signed, and that CA's administration. Raises `Skipped`."""
    known = act.desks.get(data)
    if known is not None:
        return known
    try:
        presented = Certified.from_bytes(data)
    except Malformed:
        raise Skipped(Outcome.KEY_UNKNOWN, "the desk certificate is malformed") from None
    authority = act.facts.get(KeyFact, presented.certificate.authority)
    if authority is None or authority.purpose is not Purpose.DESK_CA:
        raise Skipped(Outcome.KEY_UNKNOWN, "the desk certificate's authority is not registered")
    if presented.certificate.ledger != act.moment.genesis.ledger or not presented.genuine(authority.raw):
        raise Skipped(Outcome.SIGNATURE_INVALID, "the desk certificate is not genuine")
    act.revoked |= authority.revoked is not None
    act.desks[data] = presented.certificate, authority.owner
    return act.desks[data]
