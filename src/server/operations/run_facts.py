"""Finds how the work of a run's active nodes ended outside: by an execution, or by somebody's word."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.execution import Execution
from server.domain.workflow.ending import decided, executed
from server.domain.workflow.record import Awaits, Decision, NodeRun, WorkflowRun
from server.domain.workflow.run import Ended
from server.storage import executions, users


async def found_ended(session: AsyncSession, run: WorkflowRun) -> dict[str, Ended]:
    """Answers, for active nodes alone, how their work ended; what goes on is left out."""
    found = {name: await how_ended(session, node) for name, node in run.nodes.items() if node.state.status.active}
    return {name: ended for name, ended in found.items() if ended is not None}


async def how_ended(session: AsyncSession, node: NodeRun) -> Ended | None:
    """Answers how the work of an active node ended; None while it goes on."""
    match node.awaits:
        case Awaits.EXECUTION if node.execution_id is not None:
            return await _executed(session, node.execution_id)
        case Awaits.DECISION if node.decision is not None:
            return await _decided(session, node.decision)
    return None


async def _executed(session: AsyncSession, execution_id: UUID) -> Ended | None:
    execution = await executions.find(session, execution_id, output=True)
    if execution is None:
        return Ended(succeeded=False, problem="the execution is not kept any more")
    return _ended(execution) if execution.status.ended else None


def _ended(execution: Execution) -> Ended:
    return executed(
        execution.status,
        exit_code=execution.state["exit_code"],
        stdout=execution.stdout,
        stderr=execution.stderr,
        output=None,
        problem=execution.state["error_message"],
    )


async def _decided(session: AsyncSession, decision: Decision) -> Ended:
    somebody = await users.find(session, decision.by)
    name = somebody.display_name if somebody else ""
    return decided(decision.approved, comment=decision.comment, decided_by=name)
