"""How an attempt ends, by its executor's word or without it, and what becomes of its execution then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Interval, bindparam, func, select, update

from kernel import attempt_record, audit
from kernel.attempt_output import AttemptOutput, seal_stored
from kernel.event_log import state_appended
from kernel.execution.event import Event, StateChanged
from kernel.execution.status import (
    FAILED,
    PENDING,
    RUNNING,
    AttemptOutcome,
    ErrorCode,
    ExecutionStatus,
    after_attempt,
    retry_delay,
)
from kernel.execution_row import NO_END, STATE_COLUMNS
from kernel.statement import Statement, Statements
from kernel.tables import executions

_ASKED = (
    "id",
    "team_id",
    "workflow_run_id",
    "attempt",
    "max_attempts",
    "executor_id",
    "isolation",
    "cancel_requested_at",
)
_TOLD = (*NO_END, "stdout", "stderr", "output", "output_error")
"""The columns of `executions` that tell how an attempt went."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An execution that changed its state: where it went, the event to publish, and whom it is of importance to."""

    execution_id: UUID
    status: ExecutionStatus
    event: Event
    team_id: UUID
    workflow_run_id: UUID | None


async def finish(
    statements: Statements,
    execution_id: UUID,
    epoch: int,
    outcome: AttemptOutcome,
    output: AttemptOutput,
    *,
    isolation: Sequence[Mapping[str, Any]],
    jitter: float,
) -> Moved | None:
    """Ends the attempt that holds `epoch`: a final state, or PENDING again where another attempt is due.

    None where the epoch is no longer held, and then nothing was written. `jitter` is uniform in 0 to 1. It takes two
    statements, so the driver must be in a transaction.
    """
    row = await _HELD.one_or_none(statements, {"wanted": execution_id, "held": epoch})
    if row is None:
        return None
    return await _end_attempt(statements, row, outcome, output, isolation=isolation, jitter=jitter)


async def expire(statements: Statements, *, jitter: float) -> Moved | None:
    """Ends one attempt whose lease has run out, as lost with its executor; None where there is none."""
    row = await _EXPIRED.one_or_none(statements, {})
    if row is None:
        return None
    output = await seal_stored(statements, row["id"], row["attempt"])
    outcome = AttemptOutcome(
        FAILED,
        error_code=ErrorCode.EXECUTOR_LOST,
        error_message=f"executor {row['executor_id']} stopped renewing its lease during attempt {row['attempt']}",
    )
    return await _end_attempt(statements, row, outcome, output, isolation=row["isolation"], jitter=jitter)


async def _end_attempt(
    statements: Statements,
    row: Mapping[str, Any],
    outcome: AttemptOutcome,
    output: AttemptOutput,
    *,
    isolation: Sequence[Mapping[str, Any]],
    jitter: float,
) -> Moved:
    status = after_attempt(
        outcome,
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        cancel_requested=row["cancel_requested_at"] is not None,
    )
    told: dict[str, Any] = {
        "exit_code": outcome.exit_code,
        "error_code": outcome.error_code,
        "error_message": outcome.error_message,
        "isolation": [dict(layer) for layer in isolation],
        "output_truncated": output.truncated,
        "stdout_size": output.stdout.size,
        "stderr_size": output.stderr.size,
        "stdout_sha256": output.stdout.sha256,
        "stderr_sha256": output.stderr.sha256,
        "stdout": output.stdout.text,
        "stderr": output.stderr.text,
        "masked_count": output.masked_count,
        "output": output.value,
        "output_error": output.problem,
    }
    values = {"locked": row["id"], "to": status, "attempt_status": outcome.status}
    values |= {f"new_{name}": value for name, value in told.items()}
    if status is PENDING:
        move = _REPEAT
        values["pause"] = timedelta(seconds=retry_delay(row["attempt"], jitter))
    else:
        move = _END
        values |= audit.values_of(audit.end_of({**row, **told, "status": status}))
    (event,) = await move.all(statements, values)
    told_of = Event(event["sequence"], event["time"], StateChanged(event["state"]))
    return Moved(row["id"], status, told_of, row["team_id"], row["workflow_run_id"])


def _locked(*conditions: ColumnElement[bool], skip_locked: bool = False) -> Statement:
    """Locks one RUNNING execution that the conditions hold for."""
    return Statement(
        select(*(executions.c[name] for name in _ASKED))
        .where(*conditions, executions.c.status == RUNNING)
        .limit(1)
        .with_for_update(skip_locked=skip_locked)
    )


_HELD = _locked(executions.c.id == bindparam("wanted"), executions.c.epoch == bindparam("held"))
_EXPIRED = _locked(executions.c.lease_expires_at < func.now(), skip_locked=True)


def _moved(*along: CTE, **changes: Any) -> Statement:
    """Moves the locked execution, ends the record of its attempt and appends to its log; its answer is that event."""
    told: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _TOLD}
    moved = (
        update(executions)
        .where(executions.c.id == bindparam("locked"))
        .values(status=bindparam("to"), lease_expires_at=None, **told, **changes)
        .returning(executions.c.id, *(executions.c[name] for name in STATE_COLUMNS))
        .cte("moved")
    )
    event = state_appended(moved)
    return Statement(select(event.c.sequence, event.c.time, event.c.state).add_cte(attempt_record.ended(moved), *along))


_END = _moved(audit.appended(), completed_at=func.now(), sealed_parameters=None)
_REPEAT = _moved(run_after=func.now() + bindparam("pause", type_=Interval), rung_at=None)
