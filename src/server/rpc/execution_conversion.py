"""Executions and the events of their logs, from the domain to the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernel.execution.event import Event, Output, StateChanged, Truncated
from oncall.v1 import execution_pb2 as pb
from server.domain.execution import Execution
from server.rpc.conversion import enum_to_pb, id_to_pb, struct_to_pb, time_to_pb


def execution_to_pb(execution: Execution) -> pb.Execution:
    """Answers an execution as it is now, with its output where that was read."""
    message = snapshot_to_pb(execution, execution.state)
    message.stdout = execution.stdout
    message.stderr = execution.stderr
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
        error=_error_to_pb(state),
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


def _error_to_pb(state: Mapping[str, Any]) -> pb.ExecutionError | None:
    if state["error_code"] is None:
        return None
    return pb.ExecutionError(code=state["error_code"], message=state["error_message"])
