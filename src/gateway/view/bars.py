"""The last 90 days of a component as one small drawing, and the days that were not good in words.

A bar's height tells its status as its colour does. Bars of one status are one path, whose neighbours share a line that
the stylesheet cuts into days: 90 good days are a dozen bytes, which is what lets a whole page weigh so little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from gateway.languages import Language
from gateway.view.marks import COMPONENTS
from oncall.v1.shown_status_page_pb2 import ShownDay, ShownUptime
from oncall.v1.status_page_pb2 import COMPONENT_STATUS_OPERATIONAL

DAY_WIDTH = 4
"""Units of the drawing that a day takes; the stylesheet's dashes leave one of them empty."""

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PathView:
    """The days of one tone."""

    tone: str
    line: str


@dataclass(frozen=True, slots=True)
class DayView:
    """A day that was not good: its place among the bars, its name, what was, and the incidents it was because of."""

    index: int
    date: str
    machine: str
    text: str
    tone: str
    incidents: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class BarsView:
    """`uptime` is empty where no day is known; `unknown` counts the days before the first one that is."""

    width: int
    count: int
    first: str
    unknown: int
    uptime: str
    paths: Sequence[PathView]
    days: Sequence[DayView]


def bars_view(uptime: ShownUptime, incidents: Mapping[str, str], language: Language) -> BarsView:
    """Answers the drawing; `incidents` are the titles of those that the page tells of, by id."""
    known = [index for index, day in enumerate(uptime.days) if day.known]
    return BarsView(
        width=len(uptime.days) * DAY_WIDTH,
        count=len(uptime.days),
        first=uptime.days[0].date,
        unknown=known[0] if known else len(uptime.days),
        uptime=language.percent(uptime.available_millionths) if known else "",
        paths=list(_paths(uptime.days)),
        days=[_day(index, day, incidents, language) for index, day in _disturbed(uptime.days)],
    )


def _paths(days: Sequence[ShownDay]) -> Iterator[PathView]:
    lines: dict[str, str] = {}
    start = 0
    for tone, run in groupby(days, _tone):
        length = len(list(run))
        lines[tone] = lines.get(tone, "") + f"M{start * DAY_WIDTH} 0h{length * DAY_WIDTH}"
        start += length
    return (PathView(tone, line) for tone, line in lines.items())


def _tone(day: ShownDay) -> str:
    return COMPONENTS[day.worst].tone if day.known and day.worst in COMPONENTS else UNKNOWN


def _disturbed(days: Sequence[ShownDay]) -> list[tuple[int, ShownDay]]:
    """Answers the days to tell of, newest first."""
    return [
        (index, day)
        for index, day in reversed([*enumerate(days)])
        if day.known and (day.worst != COMPONENT_STATUS_OPERATIONAL or day.incident_ids)
    ]


def _day(index: int, day: ShownDay, incidents: Mapping[str, str], language: Language) -> DayView:
    told = [(one, incidents[one]) for one in day.incident_ids if one in incidents]
    return DayView(index, language.date(date.fromisoformat(day.date)), day.date, _text(day, language), _tone(day), told)


def _text(day: ShownDay, language: Language) -> str:
    """Answers what was and for how long, worst first; a day that only an incident touched was operational."""
    _ = language.gettext
    lasted = (
        (_("Major outage"), day.major_seconds),
        (_("Partial outage"), day.partial_seconds),
        (_("Degraded performance"), day.degraded_seconds),
        (_("Under maintenance"), day.maintenance_seconds),
    )
    parts = [f"{words} {language.duration(seconds)}" for words, seconds in lasted if seconds]
    return ", ".join(parts) or _(COMPONENTS[day.worst].label)
