"""Begins a node of a run: what it does outside is stored in the transaction in which it begins, and told afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import OncallError
from kernel.execution.content import ParameterDefinition
from kernel.execution.status import ExecutionTrigger
from server.domain.permission import not_found
from server.domain.runbook import Runbook
from server.domain.version import Version
from server.domain.workflow.definition import ApprovalWork, Node, RunbookWork
from server.domain.workflow.record import Awaits, NodeRun, WorkflowRun
from server.domain.workflow.run import NodeStatus
from server.domain.workflow.starting import (
    AskApproval,
    Begun,
    CallWebhook,
    SendMessage,
    StartExecution,
    begin,
    refused,
)
from server.operations.accept_execution import NewExecution, accept_execution
from server.operations.ground import Ground, Mover
from server.operations.send_from_node import ask_approval, call_webhook, send_message
from server.storage import versions


async def begin_node(mover: Mover, ground: Ground, node: Node) -> NodeRun:
    """Answers the node as it is from now on; what keeps it from beginning is its failure, never an error."""
    parameters = None
    if isinstance(node.work, RunbookWork):
        parameters = await parameters_of(ground.tx.session, ground.run.team_id, node.work.runbook_id)
    begun = begin(node, ground.run.state, ground.context, ground.now, parameters)
    match begun.effect:
        case StartExecution() as work:
            return await start_execution(mover, ground, node.name, begun, work, confirmed=_approved(ground.run))
        case AskApproval() as asked:
            return await ask_approval(ground, node.name, begun, asked)
        case SendMessage() as message:
            return await send_message(ground, node.name, begun, message)
        case CallWebhook() as request:
            return await call_webhook(ground, node.name, begun, request)
        case None:
            return NodeRun(node.name, begun.state)


async def start_execution(
    mover: Mover, ground: Ground, name: str, begun: Begun, wanted: StartExecution, *, confirmed: bool
) -> NodeRun:
    """Accepts the execution of a node, in the name of whoever started the run."""
    run = ground.run
    execution_id = mover.env.new_id()
    try:
        runbook, version = await _to_execute(ground.tx.session, run.team_id, wanted.runbook_id)
        new = NewExecution(
            id=execution_id,
            runbook=runbook,
            version=version,
            trigger=ExecutionTrigger.WORKFLOW,
            triggered_by=run.triggered_by,
            created_at=ground.now,
            parameters=wanted.given,
            incident_id=run.incident_id,
            workflow_run_id=run.id,
            confirm=confirmed,
        )
        await accept_execution(ground.tx, mover.cipher, mover.announcer, new)
    except OncallError as refusal:
        return NodeRun(name, refused(begun, refusal.message, ground.now))
    return NodeRun(name, begun.state, None if wanted.detached else Awaits.EXECUTION, execution_id)


async def parameters_of(session: AsyncSession, team_id: UUID, runbook_id: UUID) -> Sequence[ParameterDefinition] | None:
    """Answers how the current version of a runbook defines its parameters; None where it cannot run any more."""
    try:
        runbook, version = await _to_execute(session, team_id, runbook_id)
    except OncallError:
        return None
    return version.content.parameters if runbook.runnable else None


async def _to_execute(session: AsyncSession, team_id: UUID, runbook_id: UUID) -> tuple[Runbook, Version]:
    found = await versions.find_to_execute(session, runbook_id, 0)
    if found is None or found[0].team_id != team_id:
        raise not_found("runbook")
    runbook, version = found
    if version is None:
        raise not_found("version")
    return runbook, version


def _approved(run: WorkflowRun) -> bool:
    """Whether somebody's word was given in this run: only then does a runbook that must be confirmed count as so."""
    return any(
        isinstance(node.work, ApprovalWork) and run.node_state(node.name).status is NodeStatus.SUCCEEDED
        for node in run.definition.nodes
    )
