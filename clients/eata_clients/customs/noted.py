"""When a code that was noted in an outage may have been shown: within bounds that the ledger holds too (PRX-06)."""

from eata_ledger.carnet.dates import HOUR
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import RegisterOffice
from eata_ledger.log.certificate import Certified
from eata_ledger.rules.desk import NOTED, earliest

from eata_clients.authoring.clearing import Desk
from eata_clients.net.transport import now
from eata_clients.zones import shown_offset


def require_noted(
    time: int, offset: int, office: RegisterOffice, desk: Desk, since: int, countersigned: bool
) -> None:  # fmt: skip
    """`time` ms UTC, `offset` minutes, `since` when the voucher was declared. Raises `Malformed` with what is wrong."""
    if time > now():
        raise Malformed("that time has not come yet")
    if offset not in office.offsets:
        known = " or ".join(map(shown_offset, office.offsets))
        raise Malformed(f"this office's clocks are at {known}, not {shown_offset(offset)}")
    if time < since:
        raise Malformed("the voucher was declared later than that")
    if time < earliest(Certified.from_bytes(desk.certificate).certificate, countersigned):
        raise Malformed(
            f"that was more than {NOTED // HOUR} hours before this shift" if countersigned
            else "that was before this shift began: a controller signs too (`eata desk --controller FOLDER`)"
        )  # fmt: skip
