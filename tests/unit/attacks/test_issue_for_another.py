"""H18. The attacker is a registered issuer and wants carnets of another's home, or under another's numbers, to stand."""

import pytest
from eata_clients.authoring import issuing, registering
from eata_clients.authoring.registering import Field, Party
from eata_ledger.carnet.vocabulary import OrganisationKind
from eata_ledger.outcomes import Outcome

from tests.world import TODAY, World

pytestmark = pytest.mark.rule("OBJ-05")


@pytest.fixture
def chamber(world: World) -> Party:
    """A Spanish chamber, with a pool of IDs of its own."""
    return register(world, Party.new("ES-CAMARA"), ("EU",), ("ES", "FRUD"))


def register(world: World, party: Party, homes: tuple[str, ...], prefixes: tuple[str, ...]) -> Party:
    assert registered(world, party, homes, prefixes) is Outcome.ACCEPTED
    return party


def registered(world: World, party: Party, homes: tuple[str, ...], prefixes: tuple[str, ...]) -> Outcome:
    kind, field = OrganisationKind.ISSUER, Field(homes, prefixes)
    return world.outcome(
        registering.organisation(world.ledger, world.operations, party, kind, field, TODAY, world.stamp)
    )


def issue(world: World, party: Party, home: str, number: str) -> Outcome:
    _, first, _ = world.public(world.must(issuing.reserve(world.ledger, party, 10, world.stamp)))
    order = world.order(home=home, number=number, box_p=("CH", "EU"))
    return world.outcome(issuing.issue(world.ledger, party, order, first, first, world.stamp).entry)


def test_a_chamber_issues_its_own_homes_and_numbers_only(world: World, chamber: Party) -> None:
    assert issue(world, chamber, "CH", "ESTA00000001") is Outcome.ISSUER_NOT_OF_HOME
    assert issue(world, chamber, "EU", "CHTA00000001") is Outcome.NUMBER_NOT_OF_ISSUER
    assert issue(world, chamber, "EU", "FRTA00000001") is Outcome.NUMBER_NOT_OF_ISSUER
    assert issue(world, chamber, "EU", "ESTA00000001") is Outcome.ACCEPTED
    assert issue(world, chamber, "EU", "FRUD20220005") is Outcome.ACCEPTED


@pytest.mark.parametrize("prefix", ["ES", "ESX", "FRUD", "FRUD2", "FR"])
def test_no_two_issuers_can_have_the_same_number(world: World, chamber: Party, prefix: str) -> None:
    """Whoever is registered later gets no prefix that begins another's, or that another's begins."""
    assert registered(world, Party.new("FR-CCI"), ("EU",), (prefix,)) is Outcome.ALREADY_REGISTERED
    assert registered(world, Party.new("FR-CCI"), ("EU",), ("FRXX",)) is Outcome.ACCEPTED


def test_the_beginning_of_two_issuers_prefixes_is_neithers(world: World) -> None:
    """Whoever was registered first with a longer prefix cannot be widened over the other's."""
    first, second = Party.new("DE-A"), Party.new("DE-B")
    register(world, first, ("EU",), ("DEA",))
    register(world, second, ("EU",), ("DEB",))
    assert registered(world, first, ("EU",), ("DE",)) is Outcome.ALREADY_REGISTERED
    assert registered(world, second, ("EU",), ("DE",)) is Outcome.ALREADY_REGISTERED
    assert registered(world, first, ("EU",), ("DEA", "DEAX")) is Outcome.ACCEPTED


def test_an_issuer_without_homes_or_numbers_is_none(world: World) -> None:
    assert registered(world, Party.new("FR-CCI"), (), ("FR",)) is Outcome.PARENT_UNKNOWN
    assert registered(world, Party.new("FR-CCI"), ("EU",), ()) is Outcome.PARENT_UNKNOWN
    assert registered(world, Party.new("FR-CCI"), ("QQ",), ("FR",)) is Outcome.PARENT_UNKNOWN


def test_only_operations_widen_it(world: World, chamber: Party) -> None:
    """The chamber signs its own wider record: nobody knows that author for it. What ICC takes back is over."""
    kind, wider = OrganisationKind.ISSUER, Field(("CH", "EU"), ("CH",))
    own = registering.organisation(world.ledger, chamber.sign, chamber, kind, wider, TODAY, world.stamp)
    with pytest.raises(Exception, match="KEY_UNKNOWN"):
        world.submit(own)
    assert registered(world, chamber, ("XP",), ("ES",)) is Outcome.ACCEPTED
    assert issue(world, chamber, "EU", "ESTA00000009") is Outcome.ISSUER_NOT_OF_HOME
