"""The days of a page: dates of its time zone, and when each begins; 23, 24 or 25 hours long, or not there at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = 90
"""How many days a page looks back on, today among them."""


@dataclass(frozen=True, slots=True)
class PageDay:
    """From `begins` until just before `ends`, both in UTC; the two are the same where the zone skipped the date."""

    date: date
    begins: datetime
    ends: datetime


@lru_cache(maxsize=1024)
def last_days(zone: str, today: date) -> Sequence[PageDay]:
    """Answers the last days up to `today`, oldest first."""
    dates = [today - timedelta(days=ago) for ago in range(DAYS - 1, -2, -1)]
    begins = [_begin(day, zone) for day in dates]
    return tuple(PageDay(*day) for day in zip(dates[:-1], begins, begins[1:], strict=False))


def days_until(zone: str, now: datetime) -> Sequence[PageDay]:
    """Answers the days of a page as it is read at `now`: the last of them is today."""
    return last_days(zone, now.astimezone(ZoneInfo(zone)).date())


def _begin(day: date, zone: str) -> datetime:
    """Answers the first moment of a date.

    Where a change of the clock leaves midnight out, that is the change itself, which is what the offset before it makes
    of midnight; where midnight comes twice, it is the first one. Both are what `fold=0` means.
    """
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
