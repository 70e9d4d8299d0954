"""Starts a workflow for what happened to an incident, or notes why not."""

from __future__ import annotations

from datetime import datetime

import structlog

from server.domain.workflow.guard import WITHIN, brake_reason, too_often, trigger_holds
from server.domain.workflow.language import TemplateProblem
from server.domain.workflow.lateness import NO_MORE, NotStarted, overtaken, too_old
from server.domain.workflow.workflow import Workflow
from server.operations.change import Change
from server.operations.ground import Mover
from server.operations.notify_team import notify_team
from server.operations.run_context import Surroundings
from server.operations.start_run import Cause, start_run
from server.operations.tell_run import not_started
from server.storage import workflow_runs
from server.storage.incident_events import IncidentEvent

log = structlog.get_logger()


async def start_by_event(
    mover: Mover, tx: Change, workflow: Workflow, happened: IncidentEvent, around: Surroundings
) -> None:
    """Starts it where its trigger matches. Raises ResourceExhausted where its team has as many runs as it may."""
    now = mover.env.now()
    meant, why_not = _verdict(mover, workflow, happened, around, now)
    if not meant:
        return
    async with tx.session.begin_nested():  # what goes wrong with one workflow undoes nothing of the others
        if why_not is None:
            begun = await workflow_runs.begun_about(tx.session, workflow.id, happened.incident_id, now - WITHIN)
            why_not = NotStarted(reason) if (reason := too_often(begun)) else None
        if why_not is not None:
            await note_not_started(tx, workflow, happened, why_not, now)
            return
        cause = Cause(happened.event, happened.caused_by, happened.incident_id, happened.incident, happened.id)
        await start_run(tx, mover.announcer, workflow, cause, run_id=mover.env.new_id(), at=now)


async def note_not_started(
    tx: Change, workflow: Workflow, happened: IncidentEvent, why_not: NotStarted, now: datetime
) -> None:
    """Says that a workflow did not start, and why: in audit and log, and to its team where that may have to act."""
    await tx.audit(
        "workflow.not_started",
        workflow.id,
        team_id=workflow.team_id,
        name=workflow.name,
        reason=why_not.reason,
        incident_id=str(happened.incident_id),
        event=happened.event,
    )
    if why_not.told:
        await notify_team(tx.session, not_started(workflow, why_not.reason, happened.incident_id, now), now)
    log.warning(
        "workflow_not_started",
        workflow_id=str(workflow.id),
        incident_id=str(happened.incident_id),
        event_id=str(happened.id),
        reason=why_not.reason,
    )


def _verdict(
    mover: Mover, workflow: Workflow, happened: IncidentEvent, around: Surroundings, now: datetime
) -> tuple[bool, NotStarted | None]:
    """Answers whether the workflow is meant at all, and what keeps it from starting then."""
    definition, context = workflow.definition, around.context({})
    try:
        if not trigger_holds(definition, happened.event, context):
            return _held(workflow, happened, around), NotStarted(NO_MORE, told=False)
    except TemplateProblem as problem:
        return True, NotStarted(f"its condition has no answer: {problem}")
    late = overtaken(happened.incident, around.now) or too_old(now - happened.created_at, mover.events_within)
    if late is None and (reason := brake_reason(definition, context, workflow.failed_runs)):
        return True, NotStarted(reason)
    return True, late


def _held(workflow: Workflow, happened: IncidentEvent, around: Surroundings) -> bool:
    """Whether its trigger matched the incident as it was when this happened."""
    if around.now == around.then:
        return False
    try:
        return trigger_holds(workflow.definition, happened.event, around.as_it_was().context({}))
    except TemplateProblem:
        return False
