"""A caller who is denied in a loop neither fills the audit nor hides in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from server.domain import denial
from server.domain.denial import MOST_ROWS, WINDOW, Denial, DenialLimit

START = datetime(2030, 1, 1, tzinfo=UTC)
ONE = Denial(UUID(int=1), "RunbookService/ApproveRunbook", "ROLE_MISSING", "runbook", "7", UUID(int=2))


def test_the_first_denials_of_a_minute_have_a_row_each_and_the_rest_share_one() -> None:
    limit = DenialLimit()
    own_rows = [limit.admits(replace(ONE, resource_id=str(n)), START) for n in range(100)]
    assert own_rows == [True] * MOST_ROWS + [False] * (100 - MOST_ROWS)
    assert limit.ended(START) == []
    ((last, count),) = limit.ended(START + WINDOW)
    assert (last.resource_id, count) == ("99", 100 - MOST_ROWS)
    assert not limit.counting


def test_a_new_minute_gives_rows_again() -> None:
    limit = DenialLimit()
    for second in range(0, 180, 20):
        assert limit.admits(ONE, START + timedelta(seconds=second))


def test_what_was_counted_is_never_forgotten_by_a_new_minute() -> None:
    limit = DenialLimit()
    for second in (0, 0, 0, 0, 0, 0, 70, 80):
        limit.admits(ONE, START + timedelta(seconds=second))
    assert limit.ended(None) == [(ONE, 3)]


def test_callers_rpcs_and_teams_are_counted_apart() -> None:
    limit = DenialLimit()
    others = [
        replace(ONE, actor_id=UUID(int=9)),
        replace(ONE, method="TeamService/SetMember"),
        replace(ONE, team_id=UUID(int=9)),
    ]
    for _ in range(MOST_ROWS + 1):
        limit.admits(ONE, START)
    assert all(limit.admits(other, START) for other in others)


def test_all_bad_credentials_count_as_one_caller_whatever_they_call() -> None:
    limit = DenialLimit()
    rows = [limit.admits(replace(ONE, actor_id=None, method=f"Some/Rpc{n}"), START) for n in range(50)]
    assert rows.count(True) == MOST_ROWS


def test_memory_stays_bounded_and_nothing_goes_uncounted() -> None:
    limit = DenialLimit()
    callers = [replace(ONE, actor_id=UUID(int=n)) for n in range(denial.MOST_WINDOWS + 100)]
    rows = sum(limit.admits(caller, START) for caller in callers)
    assert rows == denial.MOST_WINDOWS + MOST_ROWS
    assert sum(count for _, count in limit.ended(None)) == 100 - MOST_ROWS
