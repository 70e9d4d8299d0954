"""Asks for a run of a workflow to end."""

from __future__ import annotations

from dataclasses import replace

from kernel.errors import FailedPrecondition
from kernel.team_stream import Thing
from server.domain.permission import Call
from server.domain.violation import require_uuid
from server.domain.workflow.record import WorkflowRun
from server.operations.announce import Announcer
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.read_runs import load_run
from server.storage import workflow_runs


async def cancel_run(env: Environment, call: Call, announcer: Announcer, run_id: str) -> WorkflowRun:
    """Notes that a run shall end, which `jobs` then sees to at once; asking again changes nothing."""
    wanted = require_uuid("workflow_run_id", run_id)
    async with change(env.sessions, call) as tx:
        run = await load_run(tx.session, call, wanted, lock=True)
        if run.status.ended:
            raise FailedPrecondition(
                f"the run ended before: it is {run.status}", reason="RUN_ENDED", metadata={"status": run.status}
            )
        if run.cancel_requested_at is None:
            now, by = env.now(), call.caller.user_id
            run = replace(run, cancel_requested_at=now, cancel_requested_by=by, wake_at=now, revision=run.revision + 1)
            await workflow_runs.save(tx.session, run, (), new=())
            await tx.audit("workflow_run.cancel_requested", run.id, team_id=run.team_id)
            tx.after_commit(lambda: announcer.team_changed(run.team_id, Thing.WORKFLOW_RUN, run.id))
        tx.after_commit(lambda: announcer.run_waits(run.id))
    return run
