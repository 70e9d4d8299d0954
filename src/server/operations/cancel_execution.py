"""Asks for an execution to be cancelled."""

from __future__ import annotations

from uuid import UUID

from kernel.errors import FailedPrecondition
from kernel.execution.status import CANCELLED
from kernel.lifecycle import CancelRequested, request_cancel
from kernel.team_stream import Thing
from server.domain.execution import Execution
from server.domain.permission import Call
from server.domain.violation import require_uuid
from server.operations.announce import Announcer, ring_next
from server.operations.change import Change, change
from server.operations.environment import Environment
from server.operations.read_executions import load_execution


async def cancel_execution(env: Environment, call: Call, announcer: Announcer, execution_id: str) -> Execution:
    """Cancels what waits at once, tells the executor of what runs; asking again changes nothing."""
    wanted = require_uuid("execution_id", execution_id)
    async with change(env.sessions, call) as tx:
        before = await load_execution(tx.session, call, wanted)
        requested = await request_cancel(tx.session, wanted)
        if requested.status.ended and requested.status is not CANCELLED:
            raise FailedPrecondition(
                f"the execution ended before: it is {requested.status}",
                reason="EXECUTION_ENDED",
                metadata={"status": requested.status},
            )
        if not before.status.ended and before.state["cancel_requested_at"] is None:
            await tx.audit("execution.cancel_requested", wanted, team_id=before.team_id)
        announce_cancel(env, tx, announcer, before.team_id, wanted, requested)
        if (run_id := before.workflow_run_id) is not None and requested.event is not None:
            tx.after_commit(lambda: announcer.run_waits(run_id))
        return await load_execution(tx.session, call, wanted, output=True)


def announce_cancel(
    env: Environment, tx: Change, announcer: Announcer, team_id: UUID, execution_id: UUID, requested: CancelRequested
) -> None:
    """Registers what is to be told of a request to cancel once it is committed."""
    event, executor_id = requested.event, requested.executor_id
    if event is not None:  # it waited, and has ended
        tx.after_commit(lambda: announcer.execution_moved(execution_id, [event]))
        tx.after_commit(lambda: ring_next(env.sessions, announcer, execution_id))
    if executor_id is not None:
        tx.after_commit(lambda: announcer.cancel_requested(executor_id, execution_id))
    tx.after_commit(lambda: announcer.team_changed(team_id, Thing.EXECUTION, execution_id))
