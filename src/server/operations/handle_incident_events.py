"""Starts the workflows of what happened to incidents, and has their runs look whether they are to stop.

Each event is handled in a transaction of its own, under the lock of its row; it may be handled twice, for of one event
and one workflow there is only one run. A workflow that cannot be looked at keeps nobody from the others: the event is
taken again for it alone, a few times, and then given up, which its team is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import structlog

from kernel.database import is_disconnect, sqlstate_of
from kernel.errors import ResourceExhausted
from server.domain.workflow.lateness import NotStarted
from server.domain.workflow.workflow import Workflow
from server.operations.change import Change, change
from server.operations.ground import Mover
from server.operations.run_context import Surroundings, surroundings
from server.operations.start_by_event import note_not_started, start_by_event
from server.storage import due_runs, incident_events, workflow_runs, workflows
from server.storage.incident_events import IncidentEvent
from server.storage.workflows import UnreadableWorkflow

log = structlog.get_logger()

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 20, 80, 320))
"""How long an event waits after each try that did not come to its end: five tries, the last after some seven minutes.

So long another `jobs`, say a newer one, may take it and do better.
"""

LeftWorkflows = Mapping[UUID, tuple[Workflow, str]]
"""Workflows that could not be looked at, and why, in a sentence."""


async def handle_incident_events(mover: Mover) -> int:
    """Handles events until none is left that is due; answers how many.

    Raises what says that the database is away or that transactions got into each other's way: that is about no event.
    """
    handled = 0
    while True:
        taken: list[IncidentEvent] = []
        try:
            if not await _handle_one(mover, taken):
                return handled
        except Exception as error:
            if not taken or _passes(error):
                raise
            await _put_off(mover, taken[0], error)
        handled += 1


async def _handle_one(mover: Mover, taken: list[IncidentEvent]) -> bool:
    """Handles the oldest event that is due, and notes in `taken` which it is."""
    async with change(mover.env.sessions, None) as tx:
        happened = await incident_events.take(tx.session)
        if happened is None:
            return False
        taken.append(happened)
        if happened.left_workflows is None:
            await _wake_runs(mover, tx, happened)
        left = await _start_all(mover, tx, happened)
        if left and happened.tries < len(PAUSES):
            pause = PAUSES[happened.tries]
            await incident_events.put_off(tx.session, happened.id, tries=happened.tries + 1, left=left, pause=pause)
            return True
        for workflow, why in left.values():
            await note_not_started(tx, workflow, happened, NotStarted(why), mover.env.now())
        await incident_events.mark_handled(tx.session, happened.id)
    return True


async def _start_all(mover: Mover, tx: Change, happened: IncidentEvent) -> LeftWorkflows:
    """Starts what the event starts; answers what could not be looked at."""
    left: dict[UUID, tuple[Workflow, str]] = {}
    around: Surroundings | None = None
    found = await workflows.started_by(tx.session, happened.team_id, happened.event, only=happened.left_workflows)
    for one in found:
        workflow = one.listed if isinstance(one, UnreadableWorkflow) else one
        try:
            if isinstance(one, UnreadableWorkflow):
                raise one.error
            around = around or await _around(tx, happened)
            await start_by_event(mover, tx, workflow, happened, around)
        except ResourceExhausted as full:
            left[workflow.id] = workflow, full.message
        except Exception as error:
            if _passes(error):
                raise
            named = {"workflow_id": str(workflow.id), "event_id": str(happened.id), "tries": happened.tries + 1}
            log.exception("workflow_not_looked_at", **named, error=type(error).__name__)
            left[workflow.id] = workflow, "it cannot be read: the log of `jobs` says why"
    return left


async def _around(tx: Change, happened: IncidentEvent) -> Surroundings:
    return await surroundings(
        tx.session,
        team_id=happened.team_id,
        event=happened.event,
        by=happened.caused_by,
        incident_id=happened.incident_id,
        then=happened.incident,
    )


async def _put_off(mover: Mover, happened: IncidentEvent, error: Exception) -> None:
    """Has an event tried again that could not be handled at all; the last time, it is given up."""
    given_up = happened.tries == len(PAUSES)
    named = {"event_id": str(happened.id), "incident_id": str(happened.incident_id), "tries": happened.tries + 1}
    log.error("incident_event_not_handled", **named, given_up=given_up, error=type(error).__name__, exc_info=error)
    async with change(mover.env.sessions, None) as tx:
        if not given_up:
            pause, left = PAUSES[happened.tries], happened.left_workflows
            await incident_events.put_off(tx.session, happened.id, tries=happened.tries + 1, left=left, pause=pause)
            return
        await incident_events.mark_handled(tx.session, happened.id)
        detail = {"event": happened.event, "event_id": str(happened.id)}
        await tx.audit("incident.event_given_up", happened.incident_id, team_id=happened.team_id, **detail)


async def _wake_runs(mover: Mover, tx: Change, happened: IncidentEvent) -> None:
    """Has the incident's runs look again, since brakes go by the incident as it is."""
    about = await due_runs.unended_about(tx.session, happened.incident_id)
    await workflow_runs.request_wake(tx.session, about, mover.env.now())
    for run_id in about:
        tx.after_commit(lambda run_id=run_id: mover.announcer.run_waits(run_id))  # type: ignore[misc]


def _passes(error: Exception) -> bool:
    """Whether it is about the database, or about others who use it at once, and about nothing that stands there."""
    return is_disconnect(error) or sqlstate_of(error).startswith("40")
