"""How an attempt ends, by its executor's word or without it, and what becomes of its execution then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, and_, func
from sqlalchemy.ext.asyncio import AsyncSession

from kernel import attempt_record
from kernel.attempt_output import AttemptOutput, seal_stored
from kernel.audit import note_end
from kernel.event_log import append_state
from kernel.execution.event import Event
from kernel.execution.status import (
    FAILED,
    PENDING,
    AttemptOutcome,
    ErrorCode,
    ExecutionStatus,
    after_attempt,
    retry_delay,
)
from kernel.execution_row import lock_running, snapshot_of, update_locked
from kernel.tables import executions


@dataclass(frozen=True, slots=True)
class Moved:
    """An execution that changed its state: where it went, the event to publish, and whom it is of importance to."""

    execution_id: UUID
    status: ExecutionStatus
    event: Event
    team_id: UUID
    workflow_run_id: UUID | None


async def finish(
    session: AsyncSession,
    execution_id: UUID,
    epoch: int,
    outcome: AttemptOutcome,
    output: AttemptOutput,
    *,
    isolation: Sequence[Mapping[str, Any]],
    jitter: float,
) -> Moved | None:
    """Ends the attempt that holds `epoch`: a final state, or PENDING again where another attempt is due.

    None where the epoch is no longer held, and then nothing was written. `jitter` is uniform in 0 to 1.
    """
    row = await lock_running(session, and_(executions.c.id == execution_id, executions.c.epoch == epoch))
    if row is None:
        return None
    return await _end_attempt(session, row, outcome, output, isolation=isolation, jitter=jitter)


async def expire(session: AsyncSession, *, jitter: float) -> Moved | None:
    """Ends one attempt whose lease has run out, as lost with its executor; None where there is none."""
    row = await lock_running(session, executions.c.lease_expires_at < func.now(), skip_locked=True)
    if row is None:
        return None
    output = await seal_stored(session, row["id"], row["attempt"])
    outcome = AttemptOutcome(
        FAILED,
        error_code=ErrorCode.EXECUTOR_LOST,
        error_message=f"executor {row['executor_id']} stopped renewing its lease during attempt {row['attempt']}",
    )
    return await _end_attempt(session, row, outcome, output, isolation=row["isolation"], jitter=jitter)


async def _end_attempt(
    session: AsyncSession,
    row: RowMapping,
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
    changes: dict[str, Any] = {
        "status": status,
        "lease_expires_at": None,
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
    if status is PENDING:
        changes |= {
            "run_after": func.now() + timedelta(seconds=retry_delay(row["attempt"], jitter)),
            "rung_at": None,
        }
    else:
        changes |= {"completed_at": func.now(), "sealed_parameters": None}
    record = attempt_record.ended(row["id"], row["attempt"], outcome, output)
    moved = await update_locked(session, row["id"], along=record, **changes)
    if status.ended:
        await note_end(session, moved)
    event = await append_state(session, row["id"], snapshot_of(moved))
    return Moved(row["id"], status, event, row["team_id"], row["workflow_run_id"])
