"""Reference data with effective dates: regions, offices' descriptions, readiness, publications, acceptance, sets."""

from dataclasses import replace

from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.readiness import may_announce
from eata_ledger.carnet.territories import digital_by
from eata_ledger.carnet.vocabulary import CarnetType, ReadinessStage
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.rules.registry import administration_of, require_own_code, territory_of
from eata_ledger.rules.versions import put_version
from eata_ledger.state import (
    Accepted,
    Announced,
    Office,
    OfficeDetails,
    PassOnProvisional,
    Publication,
    Region,
    SetsOfType,
    Territory,
)


def register_region(act: Act, body: bodies.RegisterRegion) -> Value:
    """A region is of one administration and one of its territories; both stay (OBJ-03)."""
    act.require_parts()
    administration_of(act, body.administration)
    territory_of(act, body.territory, body.administration)
    require_own_code(body.code, body.administration, body.territory)
    known = act.facts.get(Region, body.code)
    if known is not None and (known.administration, known.territory) != (body.administration, body.territory):
        raise Refused(Outcome.VERSION_WRONG)
    fact = Region(body.code, body.administration, body.territory, body.name, body.active, body.effective)
    put_version(act, fact, body.code, None if known is None else known.effective, body.effective)
    return [int(body.TYPE), body.code, body.territory]


def describe_office(act: Act, body: bodies.DescribeOffice) -> Value:
    """Office within region: both of one administration and one territory (ACC-61)."""
    act.require_parts()
    administration_of(act, body.administration)
    office, region = act.facts.get(Office, body.office), act.facts.get(Region, body.region)
    if office is None or office.administration != body.administration:
        raise Refused(Outcome.PARENT_UNKNOWN, f"office {body.office} is not registered by {body.administration}")
    if region is None or (region.administration, region.territory) != (office.administration, office.territory):
        raise Refused(Outcome.PARENT_UNKNOWN, f"region {body.region} is not one of the office's territory")
    act.facts.put(OfficeDetails(body.region, act.moment.index), body.office)
    return [int(body.TYPE), body.office, body.region]


def readiness(act: Act, body: bodies.Readiness) -> Value:
    """Provisional five months ahead, confirmed three; a slipped date is notified and confirmed anew (GTP-02)."""
    act.require_parts()
    territory = act.facts.get(Territory, body.territory)
    if territory is None:
        raise Refused(Outcome.PARENT_UNKNOWN, f"territory {body.territory} is not registered")
    today = act.moment.log_time // DAY
    known = act.facts.get(Announced, body.territory)
    digital = digital_by(territory.digital_from, today)
    provisional = None if known is None else known.digital_from
    if digital or not may_announce(body.stage, body.digital_from, today, provisional, known is not None):
        raise Refused(Outcome.READINESS_NOTICE)
    since = body.digital_from if body.stage is ReadinessStage.CONFIRMED else None
    act.facts.put(Announced(body.stage, body.digital_from), body.territory)
    act.facts.put(replace(territory, digital_from=since), body.territory)
    return [int(body.TYPE), body.territory, int(body.stage), body.digital_from]


def publish(act: Act, body: bodies.Publish) -> Value:
    """News or directory; the newest text of a key counts (ACC-72)."""
    act.require_parts()
    act.facts.put(Publication(act.moment.index), int(body.topic), body.key)
    return [int(body.TYPE), int(body.topic), body.key]


def acceptance(act: Act, body: bodies.Acceptance) -> Value:
    """What a territory accepts, by effective date."""
    act.require_parts()
    if act.facts.get(Territory, body.territory) is None:
        raise Refused(Outcome.PARENT_UNKNOWN, f"territory {body.territory} is not registered")
    known = act.facts.get(Accepted, body.territory)
    first = None if known is None else known.body.effective
    put_version(act, Accepted(body), body.territory, first, body.effective)
    return [int(body.TYPE), body.territory, body.effective]


def provisional(act: Act, body: bodies.Provisional) -> Value:
    """An administration's own setting, by effective date; without one goods wait until a commit is final."""
    act.require_parts()
    administration_of(act, body.administration)
    known = act.facts.get(PassOnProvisional, body.administration)
    first = None if known is None else known.body.effective
    put_version(act, PassOnProvisional(body), body.administration, first, body.effective)
    return [int(body.TYPE), body.administration, body.goods_pass]


def sets_code(kind: CarnetType, home: str | None) -> str:
    """The code under which a type's voucher sets are kept."""
    return f"{kind.name}:{home or ''}"


def voucher_sets(act: Act, body: bodies.VoucherSets) -> Value:
    """Colours and voucher sets of a carnet type, for one home or for all (domain §3.1)."""
    act.require_parts()
    code = sets_code(body.type, body.home)
    known = act.facts.get(SetsOfType, code)
    first = None if known is None else known.body.effective
    put_version(act, SetsOfType(body), code, first, body.effective)
    return [int(body.TYPE), int(body.type), body.home, body.effective]
