"""Reads runs of workflows, each caller those of their teams."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.violation import Violations, require_uuid
from server.domain.workflow.record import WorkflowRun
from server.domain.workflow.run import RunStatus
from server.operations.environment import Environment
from server.storage import workflow_runs
from server.storage.workflow_runs import RunFilter


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs, as sent; empty everywhere means all of them."""

    team_id: str
    workflow_id: str
    incident_id: str
    status: str


async def load_run(session: AsyncSession, call: Call, run_id: UUID, *, lock: bool = False) -> WorkflowRun:
    """Answers a run that the caller may use as this RPC does; with `lock`, nobody else moves it meanwhile."""
    run = await workflow_runs.find(session, run_id)
    if run is None:
        raise not_found("workflow run")
    call.require(run.team_id, "workflow run")
    if lock:  # only now: whoever may not see it neither waits for a lock nor holds one
        run = await workflow_runs.find(session, run_id, lock=True)
        if run is None:
            raise not_found("workflow run")
    return run


async def get_run(env: Environment, call: Call, run_id: str) -> WorkflowRun:
    wanted = require_uuid("workflow_run_id", run_id)
    async with env.sessions() as session:
        return await load_run(session, call, wanted)


async def list_runs(env: Environment, call: Call, query: RunQuery, request: PageRequest) -> Page[WorkflowRun]:
    """Lists the runs that the caller may see, newest first, without their steps."""
    violations = Violations()
    team = violations.optional_uuid("team_id", query.team_id)
    wanted = RunFilter(
        team_ids=[team] if team else call.visible_teams(),
        workflow_id=violations.optional_uuid("workflow_id", query.workflow_id),
        incident_id=violations.optional_uuid("incident_id", query.incident_id),
        status=RunStatus.__members__.get(query.status),
    )
    if query.status and wanted.status is None:
        violations.add("status", "must be one of " + ", ".join(RunStatus))
    violations.raise_if_any()
    filters = {name: getattr(query, name) for name in RunQuery.__slots__}
    cursor = env.pager.open(call.method, filters, request)
    if team:
        call.require(team, "team")
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        found = await workflow_runs.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda run: run.id)
