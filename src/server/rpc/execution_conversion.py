"""Executions and the events of their logs, from the domain to the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernel.execution.event import Event, Output, StateChanged, Truncated
from oncall.v1 import execution_pb2 as pb
from server.domain.execution import Execution, ExecutionAttempt
from server.rpc.conversion import enum_to_pb, id_to_pb, struct_to_pb, time_to_pb


def execution_to_pb(execution: Execution) -> pb.Execution:
    """Answers an execution as it is now, with its output where that was read."""
    message = snapshot_to_pb(execution, execution.state)
    message.stdout = execution.stdout
    message.stderr = execution.stderr
    if execution.output is not None:
        message.output.CopyFrom(struct_to_pb(execution.output))
    message.output_error = execution.output_error
    message.attempts.extend(_attempt_to_pb(attempt) for attempt in execution.attempts)
    if execution.log_expired_at is not None:
        message.log_expired_at.FromDatetime(execution.log_expired_at)
    return message


def snapshot_to_pb(execution: Execution, state: Mapping[str, Any]) -> pb.Execution:
    """Answers an execution as it was in `state`, without output."""
    return pb.Execution(
        id=str(execution.id),
        runbook_id=str(execution.runbook_id),
        team_id=str(execution.team_id),
        version=execution.version,
        digest=execution.digest,
        trigger=enum_to_pb(pb.ExecutionTrigger, "EXECUTION_TRIGGER_", execution.trigger),
        triggered_by=id_to_pb(execution.triggered_by),
        incident_id=id_to_pb(execution.incident_id),
        workflow_run_id=id_to_pb(execution.workflow_run_id),
        status=enum_to_pb(pb.ExecutionStatus, "EXECUTION_STATUS_", state["status"]),
        parameters=struct_to_pb(execution.parameters),
        attempt=state["attempt"],
        max_attempts=execution.max_attempts,
        stdout_size=state["stdout_size"],
        stderr_size=state["stderr_size"],
        stdout_sha256=state["stdout_sha256"] or "",
        stderr_sha256=state["stderr_sha256"] or "",
        masked_count=state.get("masked_count", 0),
        output_truncated=state["output_truncated"],
        exit_code=state["exit_code"],
        error=_error_to_pb(state["error_code"], state["error_message"]),
        isolation=[pb.IsolationLayer(**layer) for layer in state["isolation"]],
        executor_id=state["executor_id"] or "",
        created_at=time_to_pb(execution.created_at),
        started_at=time_to_pb(state["started_at"]),
        completed_at=time_to_pb(state["completed_at"]),
        cancel_requested_at=time_to_pb(state["cancel_requested_at"]),
    )


def event_to_pb(execution: Execution, event: Event) -> pb.ExecutionEvent:
    """Answers an event of the log of `execution`."""
    message = pb.ExecutionEvent(sequence=event.sequence, time=time_to_pb(event.time))
    match event.payload:
        case StateChanged(state, warnings):
            message.execution.CopyFrom(snapshot_to_pb(execution, state))
            message.warnings.extend(warnings)
        case Output(stream, attempt, offset, data):
            message.output.CopyFrom(
                pb.OutputChunk(stream=int(stream), offset=offset, data=data, attempt=attempt)  # type: ignore[arg-type]
            )
        case Truncated(stream, attempt, offset):
            message.truncated.CopyFrom(
                pb.OutputTruncated(stream=int(stream), offset=offset, attempt=attempt)  # type: ignore[arg-type]
            )
    return message


def _attempt_to_pb(attempt: ExecutionAttempt) -> pb.ExecutionAttempt:
    return pb.ExecutionAttempt(
        attempt=attempt.attempt,
        executor_id=attempt.executor_id,
        status=enum_to_pb(pb.ExecutionStatus, "EXECUTION_STATUS_", attempt.status),
        exit_code=attempt.exit_code,
        error=_error_to_pb(attempt.error_code, attempt.error_message),
        started_at=time_to_pb(attempt.started_at),
        ended_at=time_to_pb(attempt.ended_at),
        stdout_size=attempt.stdout_size,
        stderr_size=attempt.stderr_size,
        stdout_sha256=attempt.stdout_sha256 or "",
        stderr_sha256=attempt.stderr_sha256 or "",
        output_truncated=attempt.output_truncated,
    )


def _error_to_pb(code: str | None, message: str) -> pb.ExecutionError | None:
    return None if code is None else pb.ExecutionError(code=code, message=message)
