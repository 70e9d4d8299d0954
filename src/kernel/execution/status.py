"""The lifecycle of an execution as a table, and what follows the end of an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ExecutionStatus(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"

    @property
    def ended(self) -> bool:
        return not MOVES[self]


PENDING, RUNNING = ExecutionStatus.PENDING, ExecutionStatus.RUNNING
COMPLETED, FAILED = ExecutionStatus.COMPLETED, ExecutionStatus.FAILED
CANCELLED, TIMEOUT = ExecutionStatus.CANCELLED, ExecutionStatus.TIMEOUT

MOVES: dict[ExecutionStatus, frozenset[ExecutionStatus]] = {
    PENDING: frozenset({RUNNING, CANCELLED}),
    RUNNING: frozenset({COMPLETED, FAILED, CANCELLED, TIMEOUT, PENDING}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
    TIMEOUT: frozenset(),
}


class ExecutionTrigger(StrEnum):
    MANUAL = "MANUAL"
    WORKFLOW = "WORKFLOW"


class ErrorCode(StrEnum):
    """Why an attempt did not complete, where its exit code does not say it."""

    EXECUTOR_LOST = "EXECUTOR_LOST"
    SANDBOX_FAILED = "SANDBOX_FAILED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    TIME_LIMIT = "TIME_LIMIT"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    SECRET_MISSING = "SECRET_MISSING"  # noqa: S105 - a code
    INPUT_UNREADABLE = "INPUT_UNREADABLE"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """How an attempt ended, as its executor or the sweep saw it."""

    status: ExecutionStatus
    exit_code: int | None = None
    error_code: ErrorCode | None = None
    error_message: str = ""


# A repetition cannot mend these: the same content would be refused again.
NEVER_RETRIED = frozenset({ErrorCode.DIGEST_MISMATCH, ErrorCode.SECRET_MISSING, ErrorCode.INPUT_UNREADABLE})

RETRY_BACKOFF_SECONDS = (1.0, 3.0, 9.0)


def after_attempt(
    outcome: AttemptOutcome, *, attempt: int, max_attempts: int, cancel_requested: bool
) -> ExecutionStatus:
    """Answers where an execution goes when an attempt has ended; PENDING means another attempt.

    What somebody asked to cancel is not repeated, and ends CANCELLED unless it completed all the same.
    """
    if outcome.status is COMPLETED:
        return COMPLETED
    if cancel_requested:
        return CANCELLED
    if outcome.status is CANCELLED or attempt >= max_attempts or outcome.error_code in NEVER_RETRIED:
        return outcome.status
    return PENDING


def retry_delay(attempt: int, jitter: float) -> float:
    """Answers the seconds between the end of `attempt` (from 1) and the next; `jitter` is uniform in 0 to 1."""
    base = RETRY_BACKOFF_SECONDS[min(attempt, len(RETRY_BACKOFF_SECONDS)) - 1]
    return base * (0.5 + jitter)
