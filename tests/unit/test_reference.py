"""Reference data with effective dates: regions, offices, readiness with its notice, publications, acceptance."""

import pytest
from eata_clients.authoring import registering
from eata_clients.authoring.clearing import Desk
from eata_clients.authoring.content import Stamp
from eata_ledger.carnet.dates import DAY, day_of, months_after
from eata_ledger.carnet.vocabulary import Kind, OfficeType, ReadinessStage, Topic
from eata_ledger.encoding import Malformed
from eata_ledger.facts import Facts
from eata_ledger.log.bodies import (
    Acceptance,
    DescribeOffice,
    Publish,
    Readiness,
    RegisterOffice,
    RegisterRegion,
)
from eata_ledger.outcomes import Outcome, Skipped
from eata_ledger.seal.codes import CodeKeys
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.state import Accepted, Office, OfficeDetails, Publication, Region, Territory

from tests import acts
from tests.world import KEYS_LIVE, TODAY, World

DESCRIPTION = DescribeOffice(
    "FRLYS", "FR", "FR-RA", "Aéroport, 69125 Colombier", "+33 4 00 00 00 00", "06:00-22:00", 45_721_000, 5_081_000,
    OfficeType.AIRPORT | OfficeType.ADMINISTRATIVE, TODAY,
)  # fmt: skip
REGION = RegisterRegion("FR-RA", "FR", "EU", "Rhône-Alpes", True, TODAY)


@pytest.mark.rule("ACC-61")
@pytest.mark.rule("OBJ-03")
def test_a_region_is_bound_to_one_territory_of_its_administration(world: World) -> None:
    assert acts.by_party(world, "FR", REGION) is Outcome.ACCEPTED
    assert acts.by_party(world, "DE", RegisterRegion("X", "FR", "EU", "X", True, TODAY)) is Outcome.ROLE_FORBIDDEN
    assert acts.by_party(world, "FR", RegisterRegion("Y", "FR", "US", "Y", True, TODAY)) is Outcome.ROLE_FORBIDDEN
    assert acts.by_party(world, "FR", RegisterRegion("Y", "FR", "QQ", "Y", True, TODAY)) is Outcome.PARENT_UNKNOWN
    closed = RegisterRegion("FR-RA", "FR", "EU", "Rhône-Alpes", False, TODAY + 5)
    assert acts.by_party(world, "FR", closed) is Outcome.ACCEPTED
    facts = Facts(world)
    assert [getattr(facts.at(Region, "FR-RA", TODAY + n), "active", None) for n in (0, 4, 5)] == [True, True, False]


@pytest.mark.rule("ACC-60")
@pytest.mark.rule("ACC-61")
def test_an_office_lies_within_a_region_of_its_territory(world: World) -> None:
    assert acts.by_party(world, "FR", DESCRIPTION) is Outcome.PARENT_UNKNOWN
    acts.by_party(world, "FR", REGION)
    assert acts.by_party(world, "FR", DESCRIPTION) is Outcome.ACCEPTED
    found = world.fact(OfficeDetails, "FRLYS")
    assert isinstance(found, OfficeDetails)
    assert found.region == "FR-RA"
    assert acts.by_party(world, "DE", DESCRIPTION) is Outcome.ROLE_FORBIDDEN


def test_no_person_is_named_in_clear() -> None:
    """An e-mail address has no place in a public record."""
    with pytest.raises(Malformed):
        DescribeOffice.from_value([*DESCRIPTION.to_value()[:4], "a@b.example", *DESCRIPTION.to_value()[5:]])  # type: ignore[index,misc]


@pytest.mark.rule("ACC-61")
def test_an_office_changes_on_its_effective_day_and_late_entries_use_the_day_of_the_act(
    world: World, pin_keys: CodeKeys
) -> None:
    held = world.hold(world.issue(), pin_keys)
    [validation] = world.travel(held, (Kind.VALIDATION, "CH", "1-20"))
    closed = RegisterOffice("CHZRH", "CH", "CH", "Zürich Flughafen", "Europe/Zurich", (120,), False, TODAY + 1)
    assert acts.by_party(world, "CH", closed) is Outcome.ACCEPTED
    yesterday = world.commit_entry(validation)
    world.now += DAY
    assert world.commit(validation) is Outcome.OFFICE_INACTIVE
    stale = Stamp(world.now - DAY, 120, life=2 * DAY)
    late = world.commit_entry(validation, stamp=stale, desk=_desk_of_yesterday(world))
    assert world.outcome(late) is Outcome.ACCEPTED
    assert yesterday.header.body.TYPE is late.header.body.TYPE


def _desk_of_yesterday(world: World) -> Desk:
    world.now -= DAY
    desk = world.desk()
    world.now += DAY
    return desk


def test_a_version_follows_the_last_and_keeps_its_place(world: World) -> None:
    def office(territory: str, day: int) -> Outcome:
        return acts.by_party(
            world, "FR", RegisterOffice("FRLYS", "FR", territory, "Lyon", "Europe/Zurich", (60, 120), True, day)
        )

    assert office("EU", TODAY) is Outcome.VERSION_WRONG  # not after the first
    assert office("EU", TODAY + 3) is Outcome.ACCEPTED
    assert office("EU", TODAY + 2) is Outcome.VERSION_WRONG
    found = Facts(world).at(Office, "FRLYS", TODAY + 3)
    assert found is not None
    assert found.offsets == (60, 120)


@pytest.mark.rule("GTP-01")
@pytest.mark.rule("GTP-02")
@pytest.mark.rule("CORE-10")
def test_a_digital_date_is_notified_five_months_and_confirmed_three_months_ahead(world: World) -> None:
    digital = months_after(TODAY, 5)

    def announce(stage: ReadinessStage, day: int) -> Outcome:
        return acts.by_operations(world, Readiness("US", stage, day))

    assert announce(ReadinessStage.CONFIRMED, digital) is Outcome.READINESS_NOTICE  # nothing notified yet
    assert announce(ReadinessStage.PROVISIONAL, digital - 1) is Outcome.READINESS_NOTICE
    assert announce(ReadinessStage.PROVISIONAL, digital) is Outcome.ACCEPTED
    assert announce(ReadinessStage.CONFIRMED, digital + 1) is Outcome.READINESS_NOTICE
    world.now = months_after(digital, -3) * DAY
    assert announce(ReadinessStage.CONFIRMED, digital) is Outcome.ACCEPTED
    territory = world.fact(Territory, "US")
    assert isinstance(territory, Territory)
    assert territory.digital_from == digital


@pytest.mark.rule("GTP-02")
def test_a_slipped_date_is_notified_anew_and_confirmed_three_months_before(world: World) -> None:
    first = months_after(TODAY, 6)
    acts.by_operations(world, Readiness("US", ReadinessStage.PROVISIONAL, first))
    world.now = (months_after(first, -3) + 1) * DAY
    assert acts.by_operations(world, Readiness("US", ReadinessStage.CONFIRMED, first)) is Outcome.READINESS_NOTICE
    second = months_after(first, 2)
    assert acts.by_operations(world, Readiness("US", ReadinessStage.PROVISIONAL, second)) is Outcome.ACCEPTED
    assert acts.by_operations(world, Readiness("US", ReadinessStage.CONFIRMED, second)) is Outcome.ACCEPTED


def test_a_digital_territory_stays_digital(world: World) -> None:
    late = Readiness("CH", ReadinessStage.PROVISIONAL, TODAY + 400)
    assert acts.by_operations(world, late) is Outcome.READINESS_NOTICE
    assert acts.by_operations(world, Readiness("QQ", ReadinessStage.PROVISIONAL, 1)) is Outcome.PARENT_UNKNOWN


@pytest.mark.rule("ACC-72")
@pytest.mark.rule("NICS-12")
def test_news_and_directory_are_published_by_operations_alone(world: World) -> None:
    news = Publish(Topic.NEWS, "2026-06", "Live", "The system is live.", TODAY)
    assert acts.by_operations(world, news) is Outcome.ACCEPTED
    assert isinstance(world.fact(Publication, int(Topic.NEWS), "2026-06"), Publication)
    with pytest.raises(Skipped):
        acts.by_party(world, "CH", news)


def test_what_a_territory_accepts_is_data_by_effective_date(world: World) -> None:
    """Domain §3.4: categories, transit, split, postal, replacement."""
    india = Acceptance("US", ("Exhibitions",), False, False, False, False, TODAY)
    assert acts.by_operations(world, india) is Outcome.ACCEPTED
    wider = Acceptance("US", ("Exhibitions", "Professional equipment"), True, True, False, True, TODAY + 10)
    assert acts.by_operations(world, wider) is Outcome.ACCEPTED
    found = [Facts(world).at(Accepted, "US", day_of("2026-06-02") + n) for n in (0, 10)]
    assert [len(f.body.categories) for f in found if f is not None] == [1, 2]
    assert acts.by_operations(world, Acceptance("QQ", (), True, True, True, True, 1)) is Outcome.PARENT_UNKNOWN


def test_a_party_and_a_key_are_registered_once(world: World) -> None:
    """The same party with the same keys, the same key, an older generation: all exist already."""
    ledger, ops, stamp = world.ledger, world.operations, world.stamp
    switzerland = world.parties["CH"]
    again = registering.administration(ledger, ops, switzerland, TODAY, stamp)
    assert world.outcome(again) is Outcome.ALREADY_REGISTERED
    desk_key = registering.desk_authority(ledger, switzerland, world.authorities["CH"], TODAY, stamp)
    assert world.outcome(desk_key) is Outcome.ALREADY_REGISTERED
    old = registering.territory_key(
        ledger, switzerland, "CH", 1, SealingKey(bytes(range(32))), [(switzerland.seal_id, switzerland.seal.public)],
        KEYS_LIVE, stamp,
    )  # fmt: skip
    assert world.outcome(old) is Outcome.KEY_LIFE_WRONG
