"""What follows from the end of a run: it counts for its workflow's brake, is told of, and may have to be undone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from server.domain.workflow.record import WorkflowRun
from server.domain.workflow.run import RunStatus
from server.operations.change import Change
from server.operations.ground import Mover
from server.operations.notify_team import notify_team
from server.operations.offer_compensation import with_offer
from server.operations.tell_run import NOT_WELL, approval_waits, run_failed
from server.storage import due_runs, workflows

FAILURES = frozenset({RunStatus.FAILED, RunStatus.TIMEOUT})
"""What counts for a brake that counts."""


async def end_run(mover: Mover, tx: Change, run: WorkflowRun, now: datetime) -> WorkflowRun:
    """Answers a run that has just ended, with whatever follows from that."""
    await _count(mover, tx, run)
    if run.status in NOT_WELL:
        await notify_team(tx.session, run_failed(run), now)
    run = with_offer(replace(run, completed_at=now, wake_at=None), now)
    if run.compensation is not None:
        await notify_team(tx.session, approval_waits(run, run.compensation), now)
    return run


async def _count(mover: Mover, tx: Change, run: WorkflowRun) -> None:
    """Counts the run; where that makes its workflow stop, whatever else of it runs has to hear so."""
    brake = run.definition.brake
    if brake is None or not brake.failed_runs or run.status not in FAILURES | {RunStatus.COMPLETED}:
        return
    failed = run.status in FAILURES
    in_a_row = await workflows.count_run(tx.session, run.workflow_id, run.workflow_version, failed=failed)
    if in_a_row < brake.failed_runs:
        return
    for other in await due_runs.unended_of(tx.session, run.workflow_id, run.workflow_version):
        if other != run.id:
            tx.after_commit(lambda other=other: mover.announcer.run_waits(other))  # type: ignore[misc]
