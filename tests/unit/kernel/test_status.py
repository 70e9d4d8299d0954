"""The lifecycle of an execution, as rules."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.execution.status import (
    CANCELLED,
    COMPLETED,
    FAILED,
    MOVES,
    PENDING,
    RUNNING,
    TIMEOUT,
    AttemptOutcome,
    ErrorCode,
    ExecutionStatus,
    after_attempt,
    retry_delay,
)


def test_every_status_has_a_row_of_moves() -> None:
    assert set(MOVES) == set(ExecutionStatus)


def test_what_has_ended_moves_no_more() -> None:
    assert {status for status in ExecutionStatus if status.ended} == {COMPLETED, FAILED, CANCELLED, TIMEOUT}


@pytest.mark.parametrize(
    ("outcome", "attempt", "max_attempts", "cancel_requested", "expected"),
    [
        (COMPLETED, 1, 3, False, COMPLETED),
        (COMPLETED, 1, 3, True, COMPLETED),
        (FAILED, 1, 1, False, FAILED),
        (FAILED, 1, 2, False, PENDING),
        (FAILED, 2, 2, False, FAILED),
        (TIMEOUT, 1, 2, False, PENDING),
        (TIMEOUT, 2, 2, False, TIMEOUT),
        (FAILED, 1, 4, True, CANCELLED),
        (TIMEOUT, 1, 4, True, CANCELLED),
        (CANCELLED, 1, 4, True, CANCELLED),
        (CANCELLED, 1, 4, False, CANCELLED),
    ],
)
def test_where_an_execution_goes_after_an_attempt(
    outcome: ExecutionStatus, attempt: int, max_attempts: int, cancel_requested: bool, expected: ExecutionStatus
) -> None:
    after = after_attempt(
        AttemptOutcome(outcome), attempt=attempt, max_attempts=max_attempts, cancel_requested=cancel_requested
    )

    assert after == expected
    assert after in MOVES[RUNNING]


def test_what_was_not_approved_is_not_tried_again() -> None:
    outcome = AttemptOutcome(FAILED, error_code=ErrorCode.DIGEST_MISMATCH)

    assert after_attempt(outcome, attempt=1, max_attempts=4, cancel_requested=False) == FAILED


def test_nothing_that_ends_an_attempt_leaves_it_running() -> None:
    outcomes = [status for status in ExecutionStatus if status.ended]
    for outcome, attempt, cancel in itertools.product(outcomes, (1, 2, 3), (False, True)):
        after = after_attempt(AttemptOutcome(outcome), attempt=attempt, max_attempts=3, cancel_requested=cancel)
        assert after is not RUNNING


@given(st.integers(1, 10), st.floats(0, 1))
def test_a_retry_waits_longer_each_time_but_never_long(attempt: int, jitter: float) -> None:
    assert 0.5 <= retry_delay(attempt, jitter) <= 13.5
    assert retry_delay(attempt + 1, jitter) >= retry_delay(attempt, jitter)


def test_those_that_fail_together_do_not_come_back_together() -> None:
    """The jitter spreads each wait over as much as its middle."""
    for attempt, middle in enumerate((1.0, 3.0, 9.0), start=1):
        assert [retry_delay(attempt, jitter) for jitter in (0.0, 0.5, 1.0)] == [middle / 2, middle, middle * 1.5]
