"""Countries, the customs territory each belongs to, and since when that is digital (domain §3.4, CORE-10).

`parties.json` is the offline reference for journey files, plans and sandboxes; the ledger itself knows
territories only from registered records with effective dates.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from eata_ledger.carnet.dates import day_of


@dataclass(frozen=True)
class CustomsTerritory:
    """A customs territory; `digital_from` is its digital date, None for a paper territory (GTP-01).

    `turns_with`: the territory of the same contracting party whose date is its own too, empty where it has none.
    """

    territory: str
    countries: tuple[str, ...]
    digital_from: int | None
    two_step_export: bool
    turns_with: str


def digital_by(since: int | None, day: int) -> bool:
    """On `day` a territory whose digital date is `since` is digital; None is a paper territory (GTP-01)."""
    return since is not None and since <= day


@cache
def parties() -> tuple[CustomsTerritory, ...]:
    """The working list of contracting parties."""
    return tuple(
        CustomsTerritory(
            row["territory"], tuple(row["countries"]),
            day_of(row["digital_from"]) if "digital_from" in row else None, row.get("two_step_export", False),
            row.get("turns_with", ""),
        )
        for row in _source()["territories"]
    )  # fmt: skip


@cache
def _source() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(resources.files(__package__).joinpath("parties.json").read_bytes())
    return found


def all_digital_from() -> int:
    """The day after the transition's last: from then on a territory is digital unless another date is announced for it."""
    return day_of(_source()["transition_ends"]) + 1


@cache
def by_country() -> Mapping[str, CustomsTerritory]:
    """ISO 3166-1 alpha-2 country code → its territory."""
    return MappingProxyType({country: party for party in parties() for country in party.countries})


@cache
def _listed() -> frozenset[str]:
    return frozenset(party.territory for party in parties())


def known(territory: str) -> bool:
    """A territory of the working list, or one with a user-assigned ISO code, as sandboxes and tests have (OBJ-06)."""
    return territory in _listed() or (
        len(territory) == 2 and territory.isascii() and territory.isalpha() and _user(territory)
    )


def _user(code: str) -> bool:
    return code in ("AA", "ZZ") or "QM" <= code <= "QZ" or "XA" <= code <= "XZ"


def territory_of(country: str) -> str:
    """The customs territory of a country code: DE counts as EU, LI as CH, unknown ones as themselves."""
    code = country.strip().upper()
    party = by_country().get(code)
    return code if party is None else party.territory
