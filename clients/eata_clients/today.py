"""Which day it is: in the country that issued a carnet, and where whoever asks sits."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.territories import by_country


def own_day() -> int:
    """The reader's own calendar: of this computer's zone."""
    return day_of(datetime.now().astimezone().date().isoformat())


def day_in(country: str, now: datetime | None = None) -> int:
    """The day that has begun everywhere in a country, or in a customs territory: a carnet's last day is over there (domain §2.3).

    UTC's for a place that the time zone database does not know.
    """
    code, moment = country.strip().upper(), now or datetime.now(UTC)
    countries = [code] if code in _zones() else [one for one, party in by_country().items() if party.territory == code]
    zones: list[tzinfo] = [zone for one in countries for zone in _zones().get(one, ())]
    return min(day_of(moment.astimezone(zone).date().isoformat()) for zone in zones or [UTC])


@cache
def _zones() -> Mapping[str, tuple[ZoneInfo, ...]]:
    """The zones of each country (ISO 3166-1), from the time zone database's own list."""
    found: dict[str, list[ZoneInfo]] = defaultdict(list)
    for line in resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, name, *_ = line.split("\t")
            try:
                found[country].append(ZoneInfo(name))
            except (ZoneInfoNotFoundError, OSError):
                continue
    return {country: tuple(zones) for country, zones in found.items()}
