"""Reads workflows, each caller those of their teams."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import FailedPrecondition
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.violation import Violations, require_uuid
from server.domain.workflow.definition import Event
from server.domain.workflow.workflow import Workflow
from server.operations.environment import Environment
from server.storage import workflows
from server.storage.workflows import UnreadableWorkflow, WorkflowFilter

log = structlog.get_logger()


async def load_workflow(session: AsyncSession, call: Call, workflow_id: UUID, *, lock: bool = False) -> Workflow:
    """Answers a workflow that the caller may use as this RPC does; with `lock`, until the transaction ends."""
    found = await _load(session, call, workflow_id, lock=lock)
    if isinstance(found, UnreadableWorkflow):
        log.error("workflow_unreadable", workflow_id=str(workflow_id), exc_info=found.error)
        raise FailedPrecondition(
            "this version of the platform cannot read the workflow: a newer one may have written it. It can be deleted",
            reason="WORKFLOW_UNREADABLE",
        )
    return found


async def load_listed(session: AsyncSession, call: Call, workflow_id: UUID, *, lock: bool = False) -> Workflow:
    """Answers as `load_workflow` does, also what cannot be read: without its nodes and edges."""
    found = await _load(session, call, workflow_id, lock=lock)
    return found.listed if isinstance(found, UnreadableWorkflow) else found


async def _load(session: AsyncSession, call: Call, workflow_id: UUID, *, lock: bool) -> Workflow | UnreadableWorkflow:
    found = await workflows.find(session, workflow_id)
    if found is None:
        raise not_found("workflow")
    call.require(found.listed.team_id if isinstance(found, UnreadableWorkflow) else found.team_id, "workflow")
    if lock:  # only now: whoever may not see it neither waits for a lock nor holds one
        found = await workflows.find(session, workflow_id, lock=True)
        if found is None:
            raise not_found("workflow")
    return found


async def get_workflow(env: Environment, call: Call, workflow_id: str) -> Workflow:
    wanted = require_uuid("workflow_id", workflow_id)
    async with env.sessions() as session:
        return await load_workflow(session, call, wanted)


async def list_workflows(
    env: Environment, call: Call, *, team_id: str, event: str, request: PageRequest
) -> Page[Workflow]:
    """Lists the workflows that the caller may see, newest first, without nodes and edges; `event` is empty for any."""
    violations = Violations()
    team = violations.optional_uuid("team_id", team_id)
    if event and event not in Event.__members__:
        violations.add("event", "must be one of " + ", ".join(Event))
    violations.raise_if_any()
    cursor = env.pager.open(call.method, {"team_id": team_id, "event": event}, request)
    if team:
        call.require(team, "team")
    wanted = WorkflowFilter([team] if team else call.visible_teams(), Event[event] if event else None)
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        found = await workflows.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda workflow: workflow.id)
