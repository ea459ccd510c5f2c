"""Days as integers since 1970-01-01; local days from UTC milliseconds and an offset in minutes."""

import re
from datetime import date, timedelta

from eata_ledger.encoding import Malformed

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
AHEAD = 5 * MINUTE  # an event time further ahead of log time is refused
AHEAD_STALLED = 7 * DAY  # where a node says that log time stands still; one node alone may say so
_EPOCH = date(1970, 1, 1)


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LAST_DAY = (date(8999, 12, 31) - _EPOCH).days  # a year added to a later one may be more than a date can be


def day_of(text: str) -> int:
    """ISO date, in its one form YYYY-MM-DD, to day number. Raises `Malformed`."""
    try:
        if not _DATE.fullmatch(text) or (found := (date.fromisoformat(text) - _EPOCH).days) > LAST_DAY:
            raise ValueError(text)
        return found
    except ValueError:
        raise Malformed(f"“{text[:20]}” is not an ISO date such as 2026-06-01") from None


def iso(day: int) -> str:
    """Day number to ISO date."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def local_day(time: int, offset: int) -> int:
    """The local calendar day of `time` (ms UTC) at `offset` (minutes)."""
    return (time + offset * MINUTE) // DAY


def months_after(day: int, months: int) -> int:
    """The same date `months` calendar months on (back if negative); the month's last day where it has none."""
    when = _EPOCH + timedelta(days=day)
    year, month = divmod(when.year * 12 + when.month - 1 + months, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return (date(year, month + 1, min(when.day, last)) - _EPOCH).days


def last_valid_day(issued: int) -> int:
    """The longest validity: one year less a day, inclusive (domain §1.10: 21/04/2023 → 20/04/2024)."""
    day = _EPOCH + timedelta(days=issued)
    try:
        anniversary = day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        anniversary = date(day.year + 1, 3, 1)
    return (anniversary - _EPOCH).days - 1
