"""A territory's way to its digital date: six steps with their due days, workload, readiness of offices (GTP-10, GTP-11).

Equipment is internet and a device; a scanner helps but a code can be typed. An office is ready when it is
equipped and every officer is trained and has an account.
"""

from dataclasses import dataclass
from enum import StrEnum

from eata_ledger.carnet.dates import months_after
from eata_ledger.carnet.readiness import CONFIRMED_MONTHS, PROVISIONAL_MONTHS

GROUP = 15  # trainees a group (domain §1.10)


class Step(StrEnum):
    """The six preparation steps, in order."""

    INITIAL_DATE = "INITIAL_DATE"
    ADMINISTRATIVE = "ADMINISTRATIVE"
    OFFICES_EQUIPPED = "OFFICES_EQUIPPED"
    OFFICIALS_TRAINED = "OFFICIALS_TRAINED"
    READINESS = "READINESS"
    GO_LIVE = "GO_LIVE"


@dataclass(frozen=True)
class OfficeStatus:
    """One office as its administration reports it."""

    region: str
    name: str
    officers: int
    trained: int
    accounts: int
    internet: bool
    device: bool
    scanner: bool

    @property
    def equipped(self) -> bool:
        return self.internet and self.device

    @property
    def ready(self) -> bool:
        return self.equipped and min(self.trained, self.accounts) >= self.officers

    def missing(self) -> tuple[str, ...]:
        """What stands between this office and the digital date."""
        found = {
            "internet": not self.internet,
            "a device": not self.device,
            f"training for {self.officers - self.trained}": self.trained < self.officers,
            f"accounts for {self.officers - self.accounts}": self.accounts < self.officers,
        }
        return tuple(name for name, missing in found.items() if missing)


@dataclass(frozen=True)
class StepStatus:
    """A step, its last day (day number), whether it is done and late on the day asked about."""

    step: Step
    due: int
    done: bool
    late: bool


@dataclass(frozen=True)
class Workload:
    """Time × number for each task, in hours; `groups` of at most fifteen trainees still to be trained."""

    equip_hours: float
    account_hours: float
    training_hours: float
    groups: int

    @property
    def total(self) -> float:
        return self.equip_hours + self.account_hours + self.training_hours


def due_days(digital_from: int) -> dict[Step, int]:
    """Notified five months ahead, prepared and confirmed three, live on the day."""
    confirm = months_after(digital_from, -CONFIRMED_MONTHS)
    return {
        Step.INITIAL_DATE: months_after(digital_from, -PROVISIONAL_MONTHS),
        Step.ADMINISTRATIVE: confirm,
        Step.OFFICES_EQUIPPED: confirm,
        Step.OFFICIALS_TRAINED: confirm,
        Step.READINESS: confirm,
        Step.GO_LIVE: digital_from,
    }


def steps(
    digital_from: int, offices: tuple[OfficeStatus, ...], declared: frozenset[Step], today: int
) -> tuple[StepStatus, ...]:
    """Equipment and training are read off the offices; the others are declared by the project manager."""
    facts = {
        Step.OFFICES_EQUIPPED: all(office.equipped for office in offices),
        Step.OFFICIALS_TRAINED: all(office.trained >= office.officers for office in offices),
    }
    found = []
    for step, due in due_days(digital_from).items():
        done = facts.get(step, step in declared) and bool(offices)
        found.append(StepStatus(step, due, done, today > due and not done))
    return tuple(found)


def workload(offices: tuple[OfficeStatus, ...], equip: float = 4, account: float = 0.05, course: float = 3) -> Workload:
    """Hours an office to equip, an account to make, a course to hold; only what is left to do counts."""
    to_train = sum(max(office.officers - office.trained, 0) for office in offices)
    groups = -(-to_train // GROUP)
    return Workload(
        equip * sum(not office.equipped for office in offices),
        account * sum(max(office.officers - office.accounts, 0) for office in offices),
        course * groups, groups,
    )  # fmt: skip
