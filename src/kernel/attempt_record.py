"""The durable record of each attempt, written by the very statements that begin and end it: no further round trip."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CTE, func, insert, select, update

from kernel.attempt_output import AttemptOutput
from kernel.execution.status import RUNNING, AttemptOutcome
from kernel.tables import execution_attempts


def begun(took: CTE) -> CTE:
    """Answers what notes the beginning of the attempt that `took`, rows of `executions`, has just claimed."""
    names = ("execution_id", "attempt", "epoch", "executor_id", "status", "started_at")
    new = select(took.c.id, took.c.attempt, took.c.epoch, took.c.executor_id, took.c.status, func.now())
    return insert(execution_attempts).from_select(names, new).cte("begun")


def ended(execution_id: UUID, attempt: int, outcome: AttemptOutcome, output: AttemptOutput) -> CTE:
    """Answers what notes how an attempt went, as its executor or the sweep saw it, whatever follows from it."""
    return (
        update(execution_attempts)
        .where(
            execution_attempts.c.execution_id == execution_id,
            execution_attempts.c.attempt == attempt,
            execution_attempts.c.status == RUNNING,
        )
        .values(
            status=outcome.status,
            ended_at=func.now(),
            exit_code=outcome.exit_code,
            error_code=outcome.error_code,
            error_message=outcome.error_message,
            stdout_size=output.stdout.size,
            stderr_size=output.stderr.size,
            stdout_sha256=output.stdout.sha256,
            stderr_sha256=output.stderr.sha256,
            output_truncated=output.truncated,
        )
        .cte("ended")
    )
