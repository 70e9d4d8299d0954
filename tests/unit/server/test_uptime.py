"""Uptime against a plain model that asks for every minute, in zones whose days have all lengths that there are."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.component import ComponentStatus, worst
from server.domain.page_day import DAYS, days_until
from server.domain.uptime import WHOLE, History, StatusChange, Uptime, holds_until, mean, uptime

OPERATIONAL, MAINTENANCE, DEGRADED, PARTIAL, MAJOR = ComponentStatus
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]


def a_history(*changes: tuple[datetime, ComponentStatus], created: datetime = LONG_AGO) -> History:
    return History(uuid4(), created, [StatusChange(at, status) for at, status in changes])


def of(history: History, now: datetime = NOW, zone: str = "UTC") -> Uptime:
    return uptime(history, days_until(zone, now), now)


# The model: what was the status in each minute, and on which local date was that.


def status_in(history: History, minute: datetime) -> ComponentStatus:
    past = [change.status for change in history.changes if change.at <= minute]
    return past[-1] if past else OPERATIONAL


def model(history: History, zone: str, now: datetime) -> tuple[int, dict[date, Counter[ComponentStatus]]]:
    """Answers the share of the minutes of the last 90 dates, and the minutes of each date by status."""
    today = now.astimezone(ZoneInfo(zone)).date()
    dates = {today - timedelta(days=ago) for ago in range(DAYS)}
    by_day: dict[date, Counter[ComponentStatus]] = {day: Counter() for day in dates}
    minute = max(history.created_at, now - timedelta(days=DAYS + 2))
    while minute < now:
        local = minute.astimezone(ZoneInfo(zone)).date()
        if local in dates:
            by_day[local][status_in(history, minute)] += 1
        minute += MINUTE
    total = sum(sum(day.values()) for day in by_day.values())
    lost = sum(10 * day[MAJOR] + 3 * day[PARTIAL] for day in by_day.values())
    share = WHOLE if not lost else min(WHOLE - 1, WHOLE * (10 * total - lost) // (10 * total))
    return share, by_day


@st.composite
def histories(draw: st.DrawFn) -> tuple[History, str, datetime]:
    """A history whose last change is at the moment that is asked about, so that time is counted up to it."""
    zone = draw(st.sampled_from(ZONES))
    years = {"Pacific/Apia": 2012, "Europe/Berlin": 2026}
    year = years.get(zone, 2025)
    now = datetime(year, draw(st.sampled_from([1, 4, 5, 11])), draw(st.integers(1, 28)), tzinfo=UTC)
    now += timedelta(minutes=draw(st.integers(0, 1439)))
    minutes = draw(st.lists(st.integers(1, 140_000), min_size=1, max_size=6, unique=True))
    statuses = [draw(st.sampled_from(list(ComponentStatus))) for _ in minutes]
    created = now - timedelta(minutes=draw(st.integers(1, 150_000)))
    times = sorted({max(created, now - ago * MINUTE) for ago in minutes} | {now})
    changes = list(zip(times, [*statuses, OPERATIONAL], strict=False))
    return a_history(*changes, created=created), zone, now


@settings(max_examples=40, deadline=None)
@given(histories())
def test_uptime_is_what_counting_every_minute_answers(drawn: tuple[History, str, datetime]) -> None:
    history, zone, now = drawn
    found = uptime(history, days_until(zone, now), now)
    share, by_day = model(history, zone, now)
    ends_in_failure = history.changes[-1].at == now and history.changes[-1].status in {MAJOR, PARTIAL}
    assert found.available_millionths == (min(share, WHOLE - 1) if ends_in_failure else share)
    assert [day.date for day in found.days] == sorted(by_day)
    for day in found.days:
        minutes = by_day[day.date]
        assert {s: n * 60 for s, n in minutes.items() if s is not OPERATIONAL} == {
            s: n for s, n in day.spent.items() if n
        }
        if day.date != found.days[-1].date:
            assert day.worst is worst(minutes)
            assert day.known is bool(minutes)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 6, 1), 24),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # midnight itself was left out
        ("Pacific/Apia", date(2011, 12, 30), 0),  # the whole date was
    ],
)
def test_a_day_is_as_long_as_the_clock_of_the_zone_makes_it(zone: str, day: date, hours: float) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(days=5)
    (found,) = [each for each in days_until(zone, noon) if each.date == day]
    assert found.ends - found.begins == timedelta(hours=hours)
    down = a_history((LONG_AGO - timedelta(days=6000), MAJOR), created=LONG_AGO - timedelta(days=6000))
    (shown,) = [each for each in of(down, noon, zone).days if each.date == day]
    assert shown.spent.get(MAJOR, 0) == hours * 3600
    assert shown.known is (hours > 0)


@pytest.mark.parametrize("zone", ZONES)
def test_days_follow_one_another_without_gap_or_overlap(zone: str) -> None:
    days = days_until(zone, datetime(2012, 1, 15, tzinfo=UTC))
    assert len(days) == DAYS
    assert all(before.ends == after.begins for before, after in pairwise(days))


def test_an_outage_counts_in_full_a_partial_one_by_thirty_per_cent_and_nothing_else_at_all() -> None:
    created = datetime(2026, 11, 23, tzinfo=UTC)
    now = created + timedelta(hours=10)
    for status, share in [(MAJOR, 0), (PARTIAL, 700_000), (DEGRADED, WHOLE), (MAINTENANCE, WHOLE)]:
        assert of(a_history((created, status), created=created), now).available_millionths == share


def test_the_shortest_failure_is_less_than_all() -> None:
    begin = NOW - timedelta(days=3)
    blink = a_history((begin, PARTIAL), (begin + timedelta(microseconds=1), OPERATIONAL))
    found = of(blink)
    assert found.available_millionths == WHOLE - 1
    assert found.days[-4].spent == {PARTIAL: 1}
    just_now = of(a_history((NOW, MAJOR)))
    assert just_now.available_millionths == WHOLE - 1
    assert just_now.days[-1].worst is MAJOR


def test_a_failure_that_went_on_before_the_first_day_counts_from_that_day_on() -> None:
    days = days_until("UTC", NOW)
    began = days[0].begins - timedelta(days=20)
    found = of(a_history((began, MAJOR), (days[0].begins + timedelta(hours=6), OPERATIONAL)))
    assert found.days[0].spent == {MAJOR: 6 * 3600}
    assert of(a_history((began, MAJOR), (days[0].begins, OPERATIONAL))).available_millionths == WHOLE


def test_days_before_a_component_was_there_are_unknown_and_count_for_nothing() -> None:
    created = NOW - timedelta(days=2)
    found = of(a_history((created, MAJOR), (created + timedelta(days=1), OPERATIONAL), created=created))
    assert [day.known for day in found.days] == [False] * 87 + [True] * 3
    assert 490_000 < found.available_millionths < 510_000


def test_a_group_is_the_mean_of_its_children_rounded_down() -> None:
    days = days_until("UTC", NOW)
    began = NOW - timedelta(days=1)
    down = of(a_history((began, MAJOR), (began + timedelta(hours=1), OPERATIONAL)))
    group = mean(uuid4(), [down, of(a_history())], days)
    assert group.available_millionths == (down.available_millionths + WHOLE) // 2
    assert group.days[-2].spent == {MAJOR: 1800}
    assert group.days[-2].worst is MAJOR
    empty = mean(uuid4(), [], days)
    assert (empty.available_millionths, empty.days[-1].known) == (WHOLE, False)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 86_400 * 3),
    st.integers(0, 3000),
    st.sampled_from([OPERATIONAL, DEGRADED, PARTIAL, MAJOR]),
    st.sampled_from(ZONES),
)
def test_what_is_answered_holds_until_it_says(ago: int, later: int, last: ComponentStatus, zone: str) -> None:
    began = NOW - timedelta(seconds=ago)
    history = a_history((began - timedelta(hours=1), MAJOR), (began, last))
    days = days_until(zone, NOW)
    until = holds_until(history, days, NOW)
    assert NOW < until <= days[-1].ends
    if last is not OPERATIONAL:
        assert until <= NOW + timedelta(minutes=5)
    moment = NOW + timedelta(seconds=later)
    if moment < until:
        assert of(history, moment, zone) == of(history, NOW, zone)
