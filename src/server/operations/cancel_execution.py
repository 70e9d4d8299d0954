"""Asks for an execution to be cancelled."""

from __future__ import annotations

from kernel.errors import FailedPrecondition
from kernel.execution.status import CANCELLED
from kernel.lifecycle import CancelRequested, request_cancel
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
        _announce(env, tx, announcer, before, requested)
        return await load_execution(tx.session, call, wanted, output=True)


def _announce(
    env: Environment, tx: Change, announcer: Announcer, execution: Execution, requested: CancelRequested
) -> None:
    event, executor_id = requested.event, requested.executor_id
    if event is not None:  # it waited, and has ended
        tx.after_commit(lambda: announcer.execution_moved(execution.id, [event]))
        tx.after_commit(lambda: ring_next(env.sessions, announcer, execution.id))
    if executor_id is not None:
        tx.after_commit(lambda: announcer.cancel_requested(executor_id, execution.id))
