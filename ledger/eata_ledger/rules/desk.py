"""What every act of an officer is judged by: the voucher shown, office, role, time, the territory's stanzas."""

from dataclasses import dataclass

from eata_ledger.carnet.dates import HOUR, local_day
from eata_ledger.carnet.vocabulary import Kind, Label, Role, VoucherState
from eata_ledger.log.certificate import DeskCertificate
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.rules.authors import desk_key
from eata_ledger.state import Office, Territory, Voucher, VoucherKey

COUNTERSIGN_AFTER = NOTED = 72 * HOUR
CUSTOMS = frozenset({Role.OFFICER, Role.CONTROLLER, Role.REGIONAL_MANAGER, Role.ADMIN})
CONTROLLERS = frozenset({Role.CONTROLLER, Role.ADMIN})


@dataclass(frozen=True)
class ActingDesk:
    """An officer's desk at the moment of the act; `day` is local to it."""

    certificate: DeskCertificate
    administration: str
    code: str
    office: Office | None
    day: int

    @property
    def territory(self) -> str:
        return "" if self.office is None else self.office.territory

    @property
    def controls(self) -> bool:
        return self.certificate.role in CONTROLLERS

    def countersigns(self, now: int) -> bool:
        """A controller stands for itself while its certificate lives, at log time `now` (ms UTC): not years later."""
        return self.controls and self.certificate.lives_at(now)


def at_desk(act: Act, certificate: bytes, office: str) -> ActingDesk:
    """The desk behind a certificate whose signatures are good; nothing about the office is judged yet."""
    header = act.entry.header
    presented, administration = desk_key(act, certificate)
    day = local_day(header.event_time, header.offset)
    return ActingDesk(presented, administration, office, act.facts.at(Office, office, day), day)


def shown(act: Act, carnet_id: int, slot: int, voucher_key: bytes, kind: Kind | None = None) -> Voucher:
    """The voucher whose code was shown: its key signed the header. One that is used up is refused."""
    if act.facts.get(VoucherKey, carnet_id, voucher_key) != VoucherKey(slot):
        raise Refused(Outcome.CODE_INVALID)
    act.require_signature(voucher_key)
    voucher = act.facts.get(Voucher, carnet_id, slot)
    if voucher is None or voucher.state is VoucherState.DELETED:
        raise Refused(Outcome.CODE_INVALID)
    used = voucher.state in (VoucherState.COMMITTED, VoucherState.CANCELLED)
    if used or (kind is Kind.PRE_EXPORTATION and voucher.pre_exported is not None):
        raise Refused(Outcome.CODE_CONSUMED)
    return voucher


def require_office(desk: ActingDesk) -> None:
    """Active on that day, of the desk's own administration, and the one it is certified for (ACC-09)."""
    office = desk.office
    if office is None or not office.open_on(desk.day):
        raise Refused(Outcome.OFFICE_INACTIVE)
    if desk.certificate.office != desk.code or desk.administration != office.administration:
        raise Refused(Outcome.OFFICE_INACTIVE, "the desk is certified for another office")
    if desk.certificate.role not in CUSTOMS:
        raise Refused(Outcome.ROLE_FORBIDDEN)


def earliest(certificate: DeskCertificate, countersigned: bool) -> int:
    """The first event time (ms UTC) that a certificate may enter: an earlier shift's notes with a controller (PRX-06)."""
    return certificate.valid_from - (NOTED if countersigned else 0)


def require_time(act: Act, desk: ActingDesk, countersigned: bool = False) -> None:
    """Event time lies inside the certificate and not ahead; late acts need a controller (C-23).

    What an earlier shift noted in an outage, up to 72 h before this certificate begins, is entered with one (PRX-06).
    """
    act.require_not_ahead()
    certificate, header, now = desk.certificate, act.entry.header, act.moment.log_time
    if not earliest(certificate, countersigned) <= header.event_time <= certificate.valid_to:
        raise Refused(Outcome.CERT_EXPIRED)
    assert desk.office is not None, "judged before"
    if header.offset not in desk.office.offsets:
        raise Refused(Outcome.OFFSET_WRONG)
    beyond = now > certificate.valid_to + COUNTERSIGN_AFTER or now > header.event_time + COUNTERSIGN_AFTER
    if beyond and not countersigned:
        raise Refused(Outcome.COUNTERSIGN_NEEDED)


def live_keys(act: Act, territory: str, at: int) -> frozenset[bytes]:
    """The territory's key generations that may be sealed to at `at` (ms UTC)."""
    found = act.facts.get(Territory, territory)
    assert found is not None, "judged before"
    return frozenset(key.id for key in found.keys if key.open_at(at))


def require_own_parts(act: Act, territory: str, slot: int, label: Label, at: int) -> None:
    """One sealed part, and one stanza to a key of the territory live at `at`: none where it has no such key."""
    live = live_keys(act, territory, at)
    parts = act.entry.header.parts
    stanzas = parts[1:]
    if len(stanzas) != bool(live) or any(info.recipient not in live for info in stanzas):
        raise Refused(Outcome.STANZAS_WRONG)
    act.require_parts((label, slot, None), *((Label.STANZA, slot, info.recipient) for info in stanzas))
