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

from eata_ledger.carnet.dates import day_of


@dataclass(frozen=True)
class Party:
    """A customs territory; `digital_from` is its digital date, None for a paper territory (GTP-01)."""

    territory: str
    countries: tuple[str, ...]
    digital_from: int | None
    two_step_export: bool


@cache
def parties() -> tuple[Party, ...]:
    """The working list of contracting parties."""
    source = json.loads(resources.files(__package__).joinpath("parties.json").read_bytes())
    return tuple(
        Party(
            row["territory"], tuple(row["countries"]),
            day_of(row["digital_from"]) if "digital_from" in row else None, row.get("two_step_export", False),
        )
        for row in source["territories"]
    )  # fmt: skip


@cache
def by_country() -> Mapping[str, Party]:
    """ISO 3166-1 alpha-2 country code → its territory."""
    return MappingProxyType({country: party for party in parties() for country in party.countries})


def territory_of(country: str) -> str:
    """The customs territory of a country code: DE counts as EU, LI as CH, unknown ones as themselves."""
    code = country.strip().upper()
    party = by_country().get(code)
    return code if party is None else party.territory
