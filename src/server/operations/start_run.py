"""Starts a run: its row. Its first nodes begin when `jobs` looks at it, which is at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kernel.team_stream import Thing
from server.domain.workflow import quota
from server.domain.workflow.definition import Event, Json
from server.domain.workflow.record import WorkflowRun
from server.domain.workflow.workflow import Workflow
from server.operations.announce import Announcer
from server.operations.change import Change
from server.storage import workflow_runs


@dataclass(frozen=True, slots=True)
class Cause:
    """What starts a run: somebody, or what happened to an incident; `incident` is as it was then."""

    event: Event
    by: UUID | None
    incident_id: UUID | None = None
    incident: Mapping[str, Json] | None = None
    event_id: UUID | None = None


async def start_run(
    tx: Change, announcer: Announcer, workflow: Workflow, cause: Cause, *, run_id: UUID, at: datetime
) -> WorkflowRun | None:
    """Answers the run, RUNNING with nothing begun; None where this event has started this workflow before.

    It is due at once, so that it begins also where the ring is lost. Raises ResourceExhausted where as many runs of the
    team go on as may; where some start at once, there may be a few more.
    """
    quota.require_room_for_run(await workflow_runs.count_active(tx.session, workflow.team_id, quota.MOST_ACTIVE_RUNS))
    run = WorkflowRun(
        id=run_id,
        workflow_id=workflow.id,
        workflow_version=workflow.version,
        team_id=workflow.team_id,
        incident_id=cause.incident_id,
        event=cause.event,
        event_id=cause.event_id,
        triggered_by=cause.by,
        trigger={} if cause.incident is None else {"incident": dict(cause.incident)},
        definition=workflow.definition,
        created_at=at,
        deadline=at + timedelta(seconds=workflow.definition.timeout_seconds),
        wake_at=at,
    )
    if not await workflow_runs.add(tx.session, run):
        return None
    await tx.audit(
        "workflow_run.started",
        run.id,
        team_id=run.team_id,
        workflow_id=str(workflow.id),
        workflow=workflow.name,
        version=workflow.version,
        event=cause.event,
        incident_id=str(cause.incident_id) if cause.incident_id else None,
    )
    tx.after_commit(lambda: announcer.run_waits(run.id))
    tx.after_commit(lambda: announcer.team_changed(run.team_id, Thing.WORKFLOW_RUN, run.id))
    return run
