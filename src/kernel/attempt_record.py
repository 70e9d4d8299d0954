"""The durable record of each attempt, written by the very statements that begin and end it: no further round trip."""

from __future__ import annotations

from sqlalchemy import CTE, bindparam, func, insert, select, update

from kernel.execution.status import RUNNING
from kernel.tables import execution_attempts

_TOLD = (
    "exit_code",
    "error_code",
    "error_message",
    "stdout_size",
    "stderr_size",
    "stdout_sha256",
    "stderr_sha256",
    "output_truncated",
)


def begun(took: CTE) -> CTE:
    """Answers what notes the beginning of the attempt that `took`, rows of `executions`, has just claimed."""
    names = ("execution_id", "attempt", "epoch", "executor_id", "status", "started_at")
    new = select(took.c.id, took.c.attempt, took.c.epoch, took.c.executor_id, took.c.status, func.now())
    return insert(execution_attempts).from_select(names, new).cte("begun")


def ended(moved: CTE) -> CTE:
    """Answers what notes how an attempt went, as its executor or the sweep saw it, whatever follows from it.

    It is that of `moved`, a row of `executions` which has just been told the same; its status is `attempt_status`.
    """
    told = {name: moved.c[name] for name in _TOLD}
    return (
        update(execution_attempts)
        .where(
            execution_attempts.c.execution_id == moved.c.id,
            execution_attempts.c.attempt == moved.c.attempt,
            execution_attempts.c.status == RUNNING,
        )
        .values(status=bindparam("attempt_status"), ended_at=func.now(), **told)
        .cte("ended")
    )
