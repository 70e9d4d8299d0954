"""Tells teams of executions that failed: each once, by whoever finds it first."""

from __future__ import annotations

from datetime import datetime

from server.domain.delivery import NotificationEvent
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.notify_team import Happening, notify_team
from server.storage import failed_executions
from server.storage.failed_executions import FailedExecution

BATCH = 50


async def tell_failures(env: Environment) -> int:
    """Tells of everything that failed or ran out of time and was not told of yet; answers how many executions.

    What somebody cancelled is no failure, and what is tried again has not failed yet: its status is not final.
    """
    told = 0
    while True:
        async with change(env.sessions, None) as tx:
            found = await failed_executions.take(tx.session, limit=BATCH)
            now = env.now()
            for execution in found:
                await notify_team(tx.session, happening(execution), now)
        told += len(found)
        if len(found) < BATCH:
            return told


def happening(execution: FailedExecution) -> Happening:
    """Answers what is said of it: what its record says, which is masked, and nothing of its output."""
    why = execution.error_message or (f"exit code {execution.exit_code}" if execution.exit_code is not None else "")
    ended = _said(execution.completed_at)
    ran_out = execution.status == "TIMEOUT"
    body = [
        f"Runbook {execution.runbook_name}, version {execution.version}: {execution.status}.",
        f"Why: {why}" if why else "",
        f"Attempts: {execution.attempt} of {execution.max_attempts}",
        f"Ended: {ended}",
        f"Execution: {execution.id}",
    ]
    return Happening(
        dedupe_key=f"execution:{execution.id}:failed",
        team_id=execution.team_id,
        event=NotificationEvent.EXECUTION_FAILED,
        subject=f"Runbook {execution.runbook_name} {'ran out of time' if ran_out else 'failed'}",
        body="\n".join(line for line in body if line),
        data={
            "runbook_id": str(execution.runbook_id),
            "runbook_name": execution.runbook_name,
            "version": execution.version,
            "status": execution.status,
            "exit_code": execution.exit_code,
            "error_code": execution.error_code,
            "attempts": execution.attempt,
            "ended_at": ended,
        },
        workflow_run_id=execution.workflow_run_id,
        incident_id=execution.incident_id,
        execution_id=execution.id,
    )


def _said(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
