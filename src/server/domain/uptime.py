"""How a component was over the last 90 days: seconds by day, and the share of the time that it was there.

The history of a component is one line of statuses, each until the next: at every moment it has one status and one
weight, so nothing counts twice, however many incidents there were. Shares are whole numbers, rounded down: one hundred
per cent means that nothing failed, not even for a moment.

What happens while nobody changes anything is counted in steps, so that two who compute the same page within one step
answer the same, to the byte; a change itself is always counted up to its moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from server.domain.component import ComponentStatus, worst
from server.domain.page_day import PageDay

WHOLE = 1_000_000
"""All of the time, in millionths."""

# In tenths, so that all arithmetic is whole.
WEIGHTS = {ComponentStatus.MAJOR_OUTAGE: 10, ComponentStatus.PARTIAL_OUTAGE: 3}

STEP_WHILE_AFFECTED = timedelta(minutes=5)
"""While a component is not operational, its seconds of today grow."""
STEP_AFTERWARDS = timedelta(hours=1)
"""Once something failed, the share still grows with the time that has passed since, but hardly."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class StatusChange:
    """From when on a component was shown how."""

    at: datetime
    status: ComponentStatus


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of how a component was, oldest first; before the first change it was operational."""

    component_id: UUID
    created_at: datetime
    changes: Sequence[StatusChange]


@dataclass(frozen=True, slots=True)
class DayUptime:
    """One day of a component; `spent` is seconds by status, each rounded up: what happened is never zero."""

    date: date
    known: bool
    worst: ComponentStatus = ComponentStatus.OPERATIONAL
    spent: dict[ComponentStatus, int] = field(default_factory=dict)
    incident_ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Uptime:
    component_id: UUID
    available_millionths: int
    days: Sequence[DayUptime]


@dataclass(frozen=True, slots=True)
class _Span:
    begins: datetime
    ends: datetime
    status: ComponentStatus


def uptime(history: History, days: Sequence[PageDay], now: datetime) -> Uptime:
    """Answers the uptime of a component over `days`, of which the last one is that of `now`."""
    spans = _spans(history, days, now)
    total = sum(((span.ends - span.begins) for span in spans), timedelta())
    lost = sum((WEIGHTS.get(span.status, 0) * (span.ends - span.begins) for span in spans), timedelta())
    return Uptime(history.component_id, _share(spans, total, lost), [_day(day, history, spans) for day in days])


def holds_until(history: History, days: Sequence[PageDay], now: datetime) -> datetime:
    """Answers until when `uptime` answers the same, if nothing changes: at the latest, until the day ends."""
    step = _step(history, days)
    return days[-1].ends if step is None else min(days[-1].ends, _floor(now, step) + step)


def mean(component_id: UUID, children: Sequence[Uptime], days: Sequence[PageDay]) -> Uptime:
    """Answers the uptime of a group: the mean of those of its children that are seen; all of the time without any."""
    share = sum(child.available_millionths for child in children) // len(children) if children else WHOLE
    return Uptime(
        component_id,
        share,
        [_mean_day(day.date, [child.days[index] for child in children]) for index, day in enumerate(days)],
    )


def _spans(history: History, days: Sequence[PageDay], now: datetime) -> list[_Span]:
    """Answers the line within the days, up to what counts now; only the last span may have no length."""
    since, until = max(days[0].begins, history.created_at), _counted_until(history, days, now)
    changes = [StatusChange(history.created_at, ComponentStatus.OPERATIONAL), *history.changes]
    ends = [change.at for change in changes[1:]] + [until]
    spans = [
        _Span(max(change.at, since), min(end, until), change.status)
        for change, end in zip(changes, ends, strict=True)
        if end > since and change.at <= until
    ]
    return [span for span in spans if span.begins < span.ends] + [
        span for span in spans[-1:] if span.begins == span.ends
    ]


def _counted_until(history: History, days: Sequence[PageDay], now: datetime) -> datetime:
    step = _step(history, days)
    last = history.changes[-1].at if history.changes else history.created_at
    counted = _floor(now, step) if step else now
    return max(counted, last, history.created_at, days[-1].begins)


def _step(history: History, days: Sequence[PageDay]) -> timedelta | None:
    if history.changes and history.changes[-1].status is not ComponentStatus.OPERATIONAL:
        return STEP_WHILE_AFFECTED
    ends = [change.at for change in history.changes[1:]]
    failed = any(
        change.status in WEIGHTS and end > days[0].begins for change, end in zip(history.changes, ends, strict=False)
    )
    return STEP_AFTERWARDS if failed else None


def _share(spans: Sequence[_Span], total: timedelta, lost: timedelta) -> int:
    heaviest = max((WEIGHTS.get(span.status, 0) for span in spans), default=0)
    if not heaviest:
        return WHOLE
    if not total:
        return WHOLE * (10 - heaviest) // 10
    return min(WHOLE - 1, WHOLE * (10 * total - lost) // (10 * total))


def _day(day: PageDay, history: History, spans: Sequence[_Span]) -> DayUptime:
    if not (day.begins < day.ends and history.created_at < day.ends):
        return DayUptime(day.date, known=False)
    spent: dict[ComponentStatus, timedelta] = {}
    for span in spans:
        touches = span.begins < day.ends and (span.ends > day.begins or span.begins == span.ends >= day.begins)
        if touches:
            inside = min(span.ends, day.ends) - max(span.begins, day.begins)
            spent[span.status] = spent.get(span.status, timedelta()) + inside
    bad: dict[ComponentStatus, int] = {}
    bad |= {status: -(-time // _SECOND) for status, time in spent.items() if status is not ComponentStatus.OPERATIONAL}
    return DayUptime(day.date, True, worst(spent), bad)


def _mean_day(day: date, children: Sequence[DayUptime]) -> DayUptime:
    known = [child for child in children if child.known]
    if not known:
        return DayUptime(day, known=False)
    statuses = {status for child in known for status in child.spent}
    spent = {status: -(-sum(child.spent.get(status, 0) for child in known) // len(known)) for status in statuses}
    return DayUptime(day, True, worst(child.worst for child in known), spent, _newest_first(known))


def _newest_first(days: Iterable[DayUptime]) -> list[UUID]:
    """Answers each incident once; ids grow with time."""
    return sorted({incident for day in days for incident in day.incident_ids}, reverse=True)


def _floor(moment: datetime, step: timedelta) -> datetime:
    return _EPOCH + (moment - _EPOCH) // step * step
