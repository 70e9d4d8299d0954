"""The offer to undo what a run did: made when it ended otherwise than well, taken by whoever approves it in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from server.domain.workflow.compensation import accept, is_offered, not_undone, offer, settle
from server.domain.workflow.definition import Compensation
from server.domain.workflow.record import COMPENSATION, Awaits, NodeRun, WorkflowRun
from server.domain.workflow.run import NodeStatus
from server.domain.workflow.starting import StartExecution
from server.operations.begin_node import parameters_of, start_execution
from server.operations.change import Change
from server.operations.ground import Ground, Mover
from server.operations.notify_team import notify_team
from server.operations.run_context import surroundings_of_run
from server.operations.run_facts import how_ended
from server.operations.tell_run import undo_failed
from server.storage import executions


def with_offer(run: WorkflowRun, now: datetime) -> WorkflowRun:
    """Answers a run that has ended, with the offer to undo it where there is one."""
    compensation = run.definition.compensation
    if compensation is None or not is_offered(run.definition, run.state):
        return run
    state = offer(compensation, now)
    question = f"The run ended as {run.status}. Undo what it did?"
    made = NodeRun(COMPENSATION, state, Awaits.DECISION, question=question, role=compensation.role)
    return replace(run, nodes={**run.nodes, COMPENSATION: made}, wake_at=state.due_at)


async def move_compensation(mover: Mover, tx: Change, run: WorkflowRun, now: datetime) -> WorkflowRun:
    """Moves the offer of an ended run on: it expires, is refused or taken, and what it runs ends."""
    offered, compensation = run.compensation, run.definition.compensation
    if offered is None or compensation is None:
        return run
    ended = await how_ended(tx.session, offered)
    if ended is not None and ended.succeeded and offered.state.status is NodeStatus.WAITING:
        if await _is_being_done(tx, run):
            return run  # the sweep looks again, each second
        offered = await _take(mover, Ground(tx, run, {}, now), compensation, offered)
    else:
        offered = replace(offered, state=settle(offered.state, ended, now))
    waits = offered.state.status is NodeStatus.WAITING
    run = replace(run, nodes={**run.nodes, COMPENSATION: offered}, wake_at=offered.state.due_at if waits else None)
    if offered.state.status is NodeStatus.FAILED:  # which only a move comes to: what has ended is moved no more
        run = replace(run, problem="; ".join(filter(None, (run.problem, not_undone(offered)))))
        await notify_team(tx.session, undo_failed(run, offered), now)
    return run


async def _is_being_done(tx: Change, run: WorkflowRun) -> bool:
    """Whether an execution that ended with the run was asked to end, and has not yet."""
    cut_off = [
        node.execution_id
        for node in run.nodes.values()
        if node.execution_id is not None and node.state.status in {NodeStatus.CANCELLED, NodeStatus.TIMEOUT}
    ]
    return any(not one.status.ended for one in await executions.some(tx.session, cut_off))


async def _take(mover: Mover, ground: Ground, compensation: Compensation, offered: NodeRun) -> NodeRun:
    tx, run = ground.tx, ground.run
    context = (await surroundings_of_run(tx.session, run)).context(run.nodes)
    parameters = await parameters_of(tx.session, run.team_id, compensation.work.runbook_id)
    begun = accept(compensation, offered.state, context, ground.now, parameters)
    if not isinstance(begun.effect, StartExecution):
        return replace(offered, state=begun.state, awaits=None)
    started = await start_execution(mover, ground, COMPENSATION, begun, begun.effect, confirmed=True)
    return replace(offered, state=started.state, awaits=started.awaits, execution_id=started.execution_id)
