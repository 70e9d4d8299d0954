"""kill -9 of an executor in the middle of a run, on a whole installation."""

from __future__ import annotations

import signal
import time
from uuid import UUID

import grpc

from executor.settings import ExecutorSettings
from oncall.v1.execution_pb2 import (
    EXECUTION_STATUS_FAILED,
    EXECUTION_STATUS_RUNNING,
    ExecutionEvent,
)
from oncall.v1.runbook_service_pb2 import CancelExecutionRequest, ExecuteRequest
from oncall.v1.runbook_service_pb2_grpc import RunbookServiceStub
from server.jobs.__main__ import SWEEP_SECONDS
from tests.e2e.demo_calls import approve_new, metadata_of
from tests.e2e.launched import Launched
from tests.processes import processes_of

NOTICED_WITHIN = 15.0


def run_and_kill(stack: Launched, *, max_retries: int) -> tuple[list[ExecutionEvent], float]:
    """Kills the executor at the first line; answers the log up to its end or the second attempt's first line."""
    demo = stack.demo()
    author = metadata_of(demo, "author")
    with grpc.insecure_channel(demo["server"]) as channel:
        script = "echo attempt $ONCALL_ATTEMPT; sleep 1000"
        runbook = approve_new(channel, demo, script=script, max_retries=max_retries).runbook
        runbooks = RunbookServiceStub(channel)
        events: list[ExecutionEvent] = []
        killed_at = 0.0
        for answer in runbooks.Execute(ExecuteRequest(runbook_id=runbook.id), metadata=author, timeout=60):
            events.append(answer.event)
            if answer.event.HasField("output"):
                if killed_at:
                    cancel = CancelExecutionRequest(execution_id=events[0].execution.id)
                    runbooks.CancelExecution(cancel, metadata=author)
                    break
                stack.program("executor").send_signal(signal.SIGKILL)
                killed_at = time.monotonic()
        return events, time.monotonic() - killed_at


def test_a_killed_executor_is_noticed_and_its_execution_fails(demo_stack: Launched) -> None:
    events, seconds = run_and_kill(demo_stack, max_retries=0)

    last = events[-1].execution
    assert (last.status, last.error.code) == (EXECUTION_STATUS_FAILED, "EXECUTOR_LOST")
    lease = ExecutorSettings.model_fields["lease_seconds"].default
    assert lease + SWEEP_SECONDS < NOTICED_WITHIN
    assert seconds < NOTICED_WITHIN
    assert not processes_of(UUID(last.id))


def test_where_the_version_allows_it_a_second_attempt_runs_and_is_visible(demo_stack: Launched) -> None:
    events, _ = run_and_kill(demo_stack, max_retries=1)

    snapshots = [event.execution for event in events if event.HasField("execution")]
    running = [snapshot.attempt for snapshot in snapshots if snapshot.status == EXECUTION_STATUS_RUNNING]
    assert running == [1, 2]
    assert [event.output.attempt for event in events if event.HasField("output")] == [1, 2]
    assert events[-1].output.data == b"attempt 2\n"
    assert {snapshot.max_attempts for snapshot in snapshots} == {2}
