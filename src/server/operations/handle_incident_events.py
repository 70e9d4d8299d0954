"""Starts the workflows of what happened to incidents, and has their runs look whether they are to stop.

Each event is handled in a transaction of its own, under the lock of its row; it may be handled twice, for of one event
and one workflow there is only one run.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import structlog

from server.domain.workflow.guard import WITHIN, brake_reason, too_often, trigger_holds
from server.domain.workflow.language import TemplateProblem
from server.domain.workflow.workflow import Workflow
from server.operations.change import Change, change
from server.operations.ground import Mover
from server.operations.notify_team import notify_team
from server.operations.run_context import Surroundings, surroundings
from server.operations.start_run import Cause, start_run
from server.operations.tell_run import not_started
from server.storage import due_runs, incident_events, workflow_runs, workflows
from server.storage.incident_events import IncidentEvent

log = structlog.get_logger()

MOST_FAILED = 100
"""Events that are set aside in one go: where so many fail, it is not about them."""


async def handle_incident_events(mover: Mover) -> int:
    """Handles events until none is left that nobody handles; answers how many.

    One that cannot be handled stays, and keeps nobody from the others: the first such error is raised at the end.
    """
    handled, errors = 0, list[Exception]()
    failed: list[UUID] = []
    while True:
        taken: list[UUID] = []
        try:
            if not await _handle_one(mover, failed, taken):
                break
            handled += 1
        except Exception as error:
            if not taken or len(failed) == MOST_FAILED:
                raise
            failed += taken
            errors.append(error)
    if errors:
        raise errors[0]
    return handled


async def _handle_one(mover: Mover, failed: Collection[UUID], taken: list[UUID]) -> bool:
    """Handles the oldest event but for those that `failed`, and notes in `taken` which it is."""
    async with change(mover.env.sessions, None) as tx:
        happened = await incident_events.take(tx.session, besides=failed)
        if happened is None:
            return False
        taken.append(happened.id)
        await _wake_runs(mover, tx, happened)
        around: Surroundings | None = None
        for workflow in await workflows.started_by(tx.session, happened.team_id, happened.event):
            around = around or await _around(tx, happened)
            if await _starts(mover, tx, workflow, happened, around):
                await _start(mover, tx, workflow, happened)
        await incident_events.mark_handled(tx.session, happened.id)
    return True


async def _around(tx: Change, happened: IncidentEvent) -> Surroundings:
    return await surroundings(
        tx.session,
        team_id=happened.team_id,
        event=happened.event,
        by=happened.caused_by,
        incident_id=happened.incident_id,
        then=happened.incident,
    )


async def _starts(mover: Mover, tx: Change, workflow: Workflow, happened: IncidentEvent, around: Surroundings) -> bool:
    context = around.context({})
    try:
        if not trigger_holds(workflow.definition, happened.event, context):
            return False
        why_not = brake_reason(workflow.definition, context, workflow.failed_runs)
    except TemplateProblem as problem:
        why_not = f"its condition has no answer: {problem}"
    now = mover.env.now()
    if not why_not:
        begun = await workflow_runs.begun_about(tx.session, workflow.id, happened.incident_id, now - WITHIN)
        why_not = too_often(begun)
    if why_not:
        await tx.audit(
            "workflow.not_started",
            workflow.id,
            team_id=workflow.team_id,
            name=workflow.name,
            reason=why_not,
            incident_id=str(happened.incident_id),
            event=happened.event,
        )
        happening = not_started(workflow, why_not, happened.incident_id, now)
        await notify_team(tx.session, happening, now)
        log.warning("workflow_not_started", workflow_id=str(workflow.id), incident_id=str(happened.incident_id))
    return not why_not


async def _start(mover: Mover, tx: Change, workflow: Workflow, happened: IncidentEvent) -> None:
    cause = Cause(happened.event, happened.caused_by, happened.incident_id, happened.incident, happened.id)
    await start_run(tx, mover.announcer, workflow, cause, run_id=mover.env.new_id(), at=mover.env.now())


async def _wake_runs(mover: Mover, tx: Change, happened: IncidentEvent) -> None:
    """Has the incident's runs look again, since brakes go by the incident as it is."""
    about = await due_runs.unended_about(tx.session, happened.incident_id)
    await workflow_runs.request_wake(tx.session, about, mover.env.now())
    for run_id in about:
        tx.after_commit(lambda run_id=run_id: mover.announcer.run_waits(run_id))  # type: ignore[misc]
