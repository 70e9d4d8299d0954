"""Reads executions, each caller those of their teams."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.execution.status import ExecutionStatus
from server.domain.execution import Execution
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.violation import Violations, require_uuid
from server.operations.environment import Environment
from server.storage import executions
from server.storage.executions import ExecutionFilter


async def load_execution(session: AsyncSession, call: Call, execution_id: UUID, *, output: bool = False) -> Execution:
    """Answers an execution that the caller may use as this RPC does."""
    execution = await executions.find(session, execution_id, output=output)
    if execution is None:
        raise not_found("execution")
    call.require(execution.team_id, "execution")
    return execution


async def get_execution(env: Environment, call: Call, execution_id: str, *, whole: bool = True) -> Execution:
    """Answers an execution; the `whole` of it, with its output and its attempts."""
    wanted = require_uuid("execution_id", execution_id)
    async with env.sessions() as session:
        execution = await load_execution(session, call, wanted, output=whole)
        return replace(execution, attempts=await executions.attempts_of(session, wanted)) if whole else execution


async def list_executions(
    env: Environment,
    call: Call,
    *,
    team_id: str,
    runbook_id: str,
    incident_id: str,
    workflow_run_id: str,
    status: str,
    request: PageRequest,
) -> Page[Execution]:
    """Lists the executions that the caller may see, newest first, without output; `status` is empty for any."""
    violations = Violations()
    team = violations.optional_uuid("team_id", team_id)
    wanted = ExecutionFilter(
        team_ids=[team] if team else call.visible_teams(),
        runbook_id=violations.optional_uuid("runbook_id", runbook_id),
        incident_id=violations.optional_uuid("incident_id", incident_id),
        workflow_run_id=violations.optional_uuid("workflow_run_id", workflow_run_id),
        status=ExecutionStatus.__members__.get(status),
    )
    if status and wanted.status is None:
        violations.add("status", "must be one of " + ", ".join(ExecutionStatus))
    violations.raise_if_any()
    filters = {
        "team_id": team_id,
        "runbook_id": runbook_id,
        "incident_id": incident_id,
        "workflow_run_id": workflow_run_id,
        "status": status,
    }
    cursor = env.pager.open(call.method, filters, request)
    if team:
        call.require(team, "team")
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        found = await executions.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda execution: execution.id)
