"""What `kernel.lifecycle`, `kernel.event_log` and `kernel.turns` do to a row, as pure functions over a small row.

They are written by hand after the real statements, and must be changed with them. Time is a number of ticks: a lease of
0 has run out. Each function answers None where the real statement touches no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kernel.execution.status import (
    CANCELLED,
    COMPLETED,
    FAILED,
    PENDING,
    RUNNING,
    TIMEOUT,
    AttemptOutcome,
    ErrorCode,
    ExecutionStatus,
    after_attempt,
)

LEASE = 2
"""Ticks that a lease is good for."""
MARGIN = 1
"""Ticks before the end of a lease, by its executor's clock, at which the sandbox is killed."""

OUTCOMES = {
    COMPLETED: AttemptOutcome(COMPLETED, 0),
    FAILED: AttemptOutcome(FAILED, 1),
    TIMEOUT: AttemptOutcome(TIMEOUT, None, ErrorCode.TIME_LIMIT),
    CANCELLED: AttemptOutcome(CANCELLED, None, ErrorCode.CANCELLED),
}
LOST = AttemptOutcome(FAILED, None, ErrorCode.EXECUTOR_LOST)
ENDED = frozenset(status for status in ExecutionStatus if status.ended)


class Row(NamedTuple):
    """An execution as PostgreSQL has it."""

    max_attempts: int
    queues: bool = False
    status: ExecutionStatus = PENDING
    attempt: int = 0
    epoch: int = 0
    lease: int = 0
    cancel_requested: bool = False
    log: tuple[str, ...] = ("PENDING",)
    """What each number of the log holds, from 1: a status, or `output` and the epoch of whoever wrote it."""


class Appended(NamedTuple):
    """What an append left behind; `kept` is whether the log has, under its number, what was to be written."""

    row: Row
    kept: bool


class Rules:
    """The statements; a mutant overrides one of them (`mutants`)."""

    lease = LEASE
    margin = MARGIN

    def is_turn(self, rows: Sequence[Row], index: int) -> bool:
        return not rows[index].queues or all(row.status in ENDED for row in rows[:index])

    def claim(self, row: Row) -> Row | None:
        if row.status is not PENDING or row.cancel_requested:
            return None
        return self.claimed(row)

    def claimed(self, row: Row) -> Row:
        return row._replace(
            status=RUNNING,
            attempt=row.attempt + 1,
            epoch=row.epoch + 1,
            lease=self.lease,
            log=(*row.log, RUNNING.value),
        )

    def renew(self, row: Row, epoch: int) -> Row | None:
        if row.status is not RUNNING or row.epoch != epoch:
            return None
        return row._replace(lease=self.lease)

    def append(self, row: Row, epoch: int, sequence: int) -> Appended | None:
        if row.status is not RUNNING or row.epoch != epoch:
            return None
        return self.appended(row, epoch, sequence)

    def appended(self, row: Row, epoch: int, sequence: int) -> Appended:
        output = f"output {epoch}"
        if sequence <= len(row.log):  # ON CONFLICT DO NOTHING
            return Appended(row, row.log[sequence - 1] == output)
        hole = ("hole",) * (sequence - len(row.log) - 1)
        return Appended(row._replace(log=(*row.log, *hole, output)), True)

    def finish(self, row: Row, epoch: int, outcome: AttemptOutcome) -> Row | None:
        if row.status is not RUNNING or row.epoch != epoch:
            return None
        return self.end_attempt(row, outcome)

    def expire(self, row: Row) -> Row | None:
        if row.status is not RUNNING or row.lease > 0:
            return None
        return self.end_attempt(row, LOST)

    def end_attempt(self, row: Row, outcome: AttemptOutcome) -> Row:
        status = after_attempt(
            outcome, attempt=row.attempt, max_attempts=row.max_attempts, cancel_requested=row.cancel_requested
        )
        return row._replace(status=status, lease=0, log=(*row.log, status.value))

    def cancel(self, row: Row) -> Row | None:
        if row.status is PENDING:
            return row._replace(status=CANCELLED, cancel_requested=True, log=(*row.log, CANCELLED.value))
        if row.status is RUNNING and not row.cancel_requested:
            return row._replace(cancel_requested=True)
        return None

    def needs_ring(self, rows: Sequence[Row], index: int) -> bool:
        return rows[index].status is PENDING and self.is_turn(rows, index)
