"""Whether what happened to an incident is still so, and recent enough, to start something."""

from __future__ import annotations

from datetime import timedelta

import pytest

from server.domain.incident import IncidentStatus
from server.domain.workflow.lateness import overtaken, too_old

OPEN = ["INVESTIGATING", "IDENTIFIED", "MONITORING"]
OVER = ["RESOLVED", "POSTMORTEM"]
MINUTES = timedelta(minutes=1)


def test_every_status_is_open_or_over() -> None:
    assert sorted(IncidentStatus) == sorted(OPEN + OVER)


@pytest.mark.parametrize("then", OPEN)
@pytest.mark.parametrize("now", OVER)
def test_what_is_over_since_or_open_again_is_overtaken_and_nobody_is_told(then: str, now: str) -> None:
    ended, reopened = overtaken({"status": then}, {"status": now}), overtaken({"status": now}, {"status": then})
    assert ended
    assert reopened
    assert (ended.told, reopened.told) == (False, False)
    assert ended.reason != reopened.reason


@pytest.mark.parametrize("group", [OPEN, OVER])
def test_what_moved_on_within_being_open_or_being_over_is_not_overtaken(group: list[str]) -> None:
    assert not any(overtaken({"status": then}, {"status": now}) for then in group for now in group)


def test_an_incident_that_is_gone_is_over() -> None:
    assert overtaken({"status": "INVESTIGATING"}, None)
    assert not overtaken({"status": "RESOLVED"}, None)


@pytest.mark.parametrize(
    ("age", "within", "late"),
    [(15 * MINUTES, 15 * MINUTES, False), (16 * MINUTES, 15 * MINUTES, True), (9999 * MINUTES, None, False)],
)
def test_what_is_older_than_it_may_be_is_too_old_and_told(age: timedelta, within: timedelta | None, late: bool) -> None:
    why_not = too_old(age, within)
    assert bool(why_not) is late
    assert why_not is None or (why_not.told and "16 minutes" in why_not.reason)
