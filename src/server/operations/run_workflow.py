"""Runs a workflow for somebody who calls."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import FieldViolation, InvalidArgument
from server.domain.incident import Incident
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.violation import Violations
from server.domain.workflow.check import speaks_of_incident
from server.domain.workflow.context import incident_facts
from server.domain.workflow.definition import Event
from server.domain.workflow.record import WorkflowRun
from server.operations.announce import Announcer
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_runs import load_run
from server.operations.read_workflows import load_workflow
from server.operations.start_run import Cause, start_run
from server.storage import incidents


async def run_workflow(
    env: Environment, call: Call, announcer: Announcer, *, workflow_id: str, incident_id: str, key: RequestKey
) -> WorkflowRun:
    """Answers the new run, in which nothing has begun yet; or the one that the first call with this request id made."""
    violations = Violations()
    wanted = violations.uuid("workflow_id", workflow_id)
    about = violations.optional_uuid("incident_id", incident_id)
    key.check(violations)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        workflow = await load_workflow(tx.session, call, wanted)
        if first := await first_result(tx.session, call, key):
            return await load_run(tx.session, call, UUID(first["workflow_run_id"]))
        incident = await _incident(tx.session, workflow.team_id, about)
        if incident is None and speaks_of_incident(workflow.definition):
            raise InvalidArgument([FieldViolation("incident_id", "is required: the workflow speaks of an incident")])
        cause = Cause(Event.MANUAL, call.caller.user_id, about, None if incident is None else incident_facts(incident))
        run = await start_run(tx, announcer, workflow, cause, run_id=env.new_id(), at=env.now())
        if run is None:
            raise ValueError("what nothing happened for has not happened before")
        await remember(tx.session, call, key, {"workflow_run_id": str(run.id)})
    return run


async def _incident(session: AsyncSession, team_id: UUID, incident_id: UUID | None) -> Incident | None:
    """Refuses an incident that is not the team's own; none is always right."""
    if incident_id is None:
        return None
    incident = await incidents.find(session, incident_id)
    if incident is None or incident.team_id != team_id:
        raise not_found("incident")
    return incident
