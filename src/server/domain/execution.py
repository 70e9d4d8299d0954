"""An execution as callers see it, and when a runbook may be executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kernel.errors import FailedPrecondition
from kernel.execution.status import ExecutionStatus
from server.domain.runbook import ARCHIVED, DEPRECATED, Runbook, require_approved
from server.domain.version import Version


@dataclass(frozen=True, slots=True)
class ExecutionAttempt:
    """One attempt: who ran it and how it ended."""

    attempt: int
    executor_id: str
    status: ExecutionStatus
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    error_code: str | None
    error_message: str
    stdout_size: int
    stderr_size: int
    stdout_sha256: str | None
    stderr_sha256: str | None
    output_truncated: bool


@dataclass(frozen=True, slots=True)
class Execution:
    """What never changes of an execution, and `state`: what does, in the form in which its log repeats it."""

    id: UUID
    runbook_id: UUID
    team_id: UUID
    version: int
    digest: str
    trigger: str
    triggered_by: UUID | None
    incident_id: UUID | None
    workflow_run_id: UUID | None
    parameters: Mapping[str, Any]
    max_attempts: int
    created_at: datetime
    state: Mapping[str, Any]
    stdout: str = ""
    stderr: str = ""
    output: Mapping[str, Any] | None = None
    output_error: str = ""
    attempts: Sequence[ExecutionAttempt] = ()
    log_expired_at: datetime | None = None
    """From then on nobody is shown its log."""

    @property
    def status(self) -> ExecutionStatus:
        return ExecutionStatus(self.state["status"])


def log_expired(execution_id: UUID) -> FailedPrecondition:
    """Says that a log outlived its retention: it is not there, or not whole, so none of it is shown."""
    return FailedPrecondition(
        "the log of this execution has expired and is not kept any more; its record is, with the first and last parts "
        "of its output: read it with GetExecution",
        reason="LOG_EXPIRED",
        metadata={"execution_id": str(execution_id)},
    )


def require_runnable(runbook: Runbook, version: Version, *, confirm: bool) -> None:
    """Refuses what has not been approved, what is archived, and what wants a confirmation that was not given."""
    if not runbook.runnable:
        why = "it is archived" if runbook.status is ARCHIVED else "nothing of it has been approved"
        raise FailedPrecondition(f"the runbook cannot be executed: {why}", reason="RUNBOOK_NOT_RUNNABLE")
    require_approved(version)
    if version.content.requires_confirm and not confirm:
        raise FailedPrecondition(
            "this runbook must be confirmed: execute it with `confirm`", reason="CONFIRMATION_REQUIRED"
        )


def warnings_of(runbook: Runbook, version: Version, *, nobody_carries_tags: bool = False) -> tuple[str, ...]:
    """Answers what the first event should tell whoever executes the runbook."""
    warnings = ["this runbook is deprecated"] if runbook.status is DEPRECATED else []
    if nobody_carries_tags:
        warnings.append(f"no executor with the tags {', '.join(version.content.executor_tags)} is known; it waits")
    return tuple(warnings)
