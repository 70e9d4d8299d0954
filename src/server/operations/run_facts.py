"""Finds how the work of a run's active nodes ended outside: by an execution, by deliveries, or by somebody's word."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.delivery import Delivery, DeliveryStatus, NotificationEvent
from server.domain.execution import Execution
from server.domain.workflow.ending import decided, delivered, executed
from server.domain.workflow.record import Awaits, Decision, NodeRun, WorkflowRun
from server.domain.workflow.run import Ended
from server.storage import deliveries, executions, users

SENT_BY_NODES = frozenset({NotificationEvent.WORKFLOW_MESSAGE, NotificationEvent.WORKFLOW_WEBHOOK})


async def found_ended(session: AsyncSession, run: WorkflowRun) -> dict[str, Ended]:
    """Answers, for active nodes alone, how their work ended; what goes on is left out."""
    active = [node for node in run.nodes.values() if node.state.status.active]
    found = {node.name: await how_ended(session, node) for node in active}
    if waiting := [node.name for node in active if node.awaits is Awaits.DELIVERY]:
        found |= await _delivered(session, run.id, waiting)
    return {name: ended for name, ended in found.items() if ended is not None}


async def how_ended(session: AsyncSession, node: NodeRun) -> Ended | None:
    """Answers how the work of an active node ended that waits for an execution or a word; None while it goes on."""
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
        output=execution.output,
        problem=execution.state["error_message"],
    )


async def _delivered(session: AsyncSession, run_id: UUID, waiting: Sequence[str]) -> dict[str, Ended | None]:
    """Answers how what these nodes send ended; None where some of it is still on its way."""
    of_run = [one for one in await deliveries.of_run(session, run_id) if one.event in SENT_BY_NODES]
    return {name: _all_delivered([one for one in of_run if one.node == name]) for name in waiting}


def _all_delivered(sent: Sequence[Delivery]) -> Ended | None:
    if any(one.status is DeliveryStatus.PENDING for one in sent):
        return None
    if not sent:
        return delivered(False, problem="what it sent is not kept any more")
    dead = [one for one in sent if one.status is not DeliveryStatus.DELIVERED]
    status_code = next((one.response_status for one in sent if one.event is NotificationEvent.WORKFLOW_WEBHOOK), None)
    return delivered(not dead, status_code=status_code, problem=dead[0].last_error if dead else "")


async def _decided(session: AsyncSession, decision: Decision) -> Ended:
    somebody = await users.find(session, decision.by)
    name = somebody.display_name if somebody else ""
    return decided(decision.approved, comment=decision.comment, decided_by=name)
