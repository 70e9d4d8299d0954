"""What a follower knows decides how its next call begins; how long it tries is bounded."""

import pytest

from oncall.errors import OncallError
from oncall.follow import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, Backoff, Progress
from oncall.v1.execution_pb2 import (
    EXECUTION_STATUS_COMPLETED,
    EXECUTION_STATUS_PENDING,
    Execution,
    ExecutionEvent,
    OutputChunk,
)
from oncall.v1.runbook_service_pb2 import ExecuteRequest, WatchExecutionRequest

EXECUTE = ExecuteRequest(runbook_id="r", request_id="q")


def a_snapshot(sequence, status):
    return ExecutionEvent(sequence=sequence, execution=Execution(id="e", status=status))


def an_output(sequence):
    return ExecutionEvent(sequence=sequence, output=OutputChunk(data=b"x"))


def test_execute_is_repeated_with_the_same_request_id_until_the_execution_is_known():
    progress = Progress(execute=EXECUTE)
    assert progress.next_request() == EXECUTE
    progress.accept(a_snapshot(1, EXECUTION_STATUS_PENDING))
    assert progress.next_request() == WatchExecutionRequest(execution_id="e", after_sequence=1)


def test_an_execute_without_a_request_id_is_refused_for_it_could_run_twice():
    with pytest.raises(ValueError, match="request id"):
        Progress(execute=ExecuteRequest(runbook_id="r"))


def test_a_repeated_event_is_dropped():
    progress = Progress(execute=EXECUTE)
    assert [progress.accept(a_snapshot(1, EXECUTION_STATUS_PENDING)) for _ in range(2)] == [True, False]


def test_a_hole_is_a_broken_stream_and_not_progress():
    progress = Progress(execution_id="e", after_sequence=4)
    with pytest.raises(OncallError) as refused:
        progress.accept(an_output(6))
    assert refused.value.is_transient
    assert progress.next_request() == WatchExecutionRequest(execution_id="e", after_sequence=4)


def test_the_terminal_snapshot_is_the_end():
    progress = Progress(execution_id="e")
    progress.accept(an_output(1))
    assert not progress.ended
    progress.accept(a_snapshot(2, EXECUTION_STATUS_COMPLETED))
    assert progress.ended


def test_delays_double_up_to_a_limit_and_are_halved_at_most():
    longest = Backoff(clock=lambda: 0, jitter=lambda: 1.0)
    delays = [longest.next_delay() for _ in range(12)]
    assert delays[:3] == [FIRST_DELAY_SECONDS, 2 * FIRST_DELAY_SECONDS, 4 * FIRST_DELAY_SECONDS]
    assert delays[-1] == LONGEST_DELAY_SECONDS
    assert Backoff(clock=lambda: 0, jitter=lambda: 0.0).next_delay() == FIRST_DELAY_SECONDS / 2


def test_patience_counts_from_the_first_failure_since_the_last_progress():
    now = 0.0
    backoff = Backoff(10, clock=lambda: now, jitter=lambda: 1.0)
    assert backoff.next_delay() is not None
    now = 9.0
    assert backoff.next_delay() is not None
    backoff.progressed()
    now = 20.0
    assert backoff.next_delay() == FIRST_DELAY_SECONDS
    now = 30.0
    assert backoff.next_delay() is None
