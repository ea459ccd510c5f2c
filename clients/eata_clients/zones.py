"""An office's clock: its IANA zone tells the offset of any moment; what is signed is the offset (C-23).

`apply` knows no zones, only the offsets that an office has been registered with.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eata_ledger.carnet.dates import MINUTE, iso, local_day
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import RegisterOffice

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_YEARS = 12  # that an office's offsets are looked up for


def offsets_of(zone: str, at: int) -> tuple[int, ...]:
    """Every offset (minutes) that the zone has from a year before `at` (ms UTC) on. Raises `Malformed` for an unknown zone."""
    clock = _clock(zone)
    return tuple(sorted({_minutes(clock, moment) for moment in _weeks(at)}))


def offset_at(office: RegisterOffice, at: int) -> int:
    """Minutes that the office's clocks are ahead of UTC at `at` (ms UTC).

    Where the zone's rules have changed since the office was registered, the nearest offset that it is registered with; where this
    computer does not know the zone, the computer's own if the office has it, else the office's first.
    """
    clock = _clock_of(office)
    minutes = _minutes(clock, datetime.fromtimestamp(at / 1000, UTC))
    if clock is None and minutes not in office.offsets:
        return office.offsets[0]
    return min(office.offsets, key=lambda offset: abs(offset - minutes))


def event_time(text: str) -> tuple[int, int] | None:
    """ms UTC and offset in minutes of an ISO time with offset, None for empty text."""
    if not text:
        return None
    try:
        if not _TIME.fullmatch(text):
            raise ValueError(text)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed("the time is ISO with an offset, such as 2026-06-02T14:34+02:00") from None
    offset = found.utcoffset()
    assert offset is not None, "it has one"
    return int(found.timestamp() * 1000), round(offset.total_seconds() / 60)


def clock_differs(office: RegisterOffice, at: int) -> str:
    """What to tell whoever sits before a computer with another clock than the office's; empty where they are the same."""
    here, minutes = datetime.fromtimestamp(at / 1000, UTC).astimezone(), offset_at(office, at)
    clock = _clock_of(office)
    if clock is None:
        return (
            f"This computer does not know the office's time zone ({office.zone}): times are at {shown_offset(minutes)}."
        )
    if here.utcoffset() == timedelta(minutes=minutes):
        return ""
    there = here.astimezone(clock)
    return (
        f"This computer's clock says {here:%H:%M}, the office's ({office.zone}) {there:%H:%M}: times are the office's."
    )


def local_time(time: int, offset: int) -> str:
    """ISO date and minute by a clock that is `offset` minutes ahead of UTC; `time` in ms UTC."""
    minute = (time + offset * MINUTE) // MINUTE % 1440
    return f"{iso(local_day(time, offset))}T{minute // 60:02}:{minute % 60:02}"


def shown_offset(minutes: int) -> str:
    """Such as +05:30."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


def _clock_of(office: RegisterOffice) -> ZoneInfo | None:
    """None where this computer does not know its zone."""
    try:
        return _clock(office.zone)
    except Malformed:
        return None


def _clock(zone: str) -> ZoneInfo:
    try:
        if "/" not in zone and zone != "UTC":  # “localtime” is whatever a computer is set to
            raise ValueError(zone)
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Malformed(f"“{zone[:40]}” is no time zone; they are named such as Europe/Zurich") from None


def _weeks(at: int) -> Iterator[datetime]:
    start = datetime.fromtimestamp(at / 1000, UTC) - timedelta(days=365)
    return (start + timedelta(weeks=n) for n in range(_YEARS * 52))


def _minutes(clock: ZoneInfo | None, moment: datetime) -> int:
    """Of this computer's own clock without a zone."""
    offset = moment.astimezone(clock).utcoffset()
    assert offset is not None, "a zone has one at any moment"
    return round(offset.total_seconds() / 60)
