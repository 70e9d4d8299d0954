"""The offer to undo what a run did: it waits for somebody's word, and then runs a runbook, outside the run's graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kernel.execution.content import ParameterDefinition
from server.domain.workflow.context import Context
from server.domain.workflow.definition import Compensation, Definition, RunbookWork
from server.domain.workflow.language import TemplateProblem
from server.domain.workflow.record import NodeRun
from server.domain.workflow.run import Ended, NodeState, NodeStatus, RunState, RunStatus
from server.domain.workflow.starting import Begun, begin_runbook, failed


def is_offered(definition: Definition, run: RunState) -> bool:
    """Whether there is something to undo: the run ended otherwise than well, after a runbook of it had begun."""
    if definition.compensation is None or not run.status.ended or run.status is RunStatus.COMPLETED:
        return False
    runbooks = {node.name for node in definition.nodes if isinstance(node.work, RunbookWork)}
    return any(state.started_at for name, state in run.nodes.items() if name in runbooks)


def offer(compensation: Compensation, now: datetime) -> NodeState:
    """Answers the state of an offer: WAITING until `due_at`."""
    due_at = now + timedelta(seconds=compensation.expires_seconds)
    return NodeState(NodeStatus.WAITING, started_at=now, due_at=due_at)


def accept(
    compensation: Compensation,
    offered: NodeState,
    context: Context,
    now: datetime,
    parameters: Sequence[ParameterDefinition] | None,
) -> Begun:
    """Answers how an offer that was approved goes on: RUNNING without a deadline, for its version's limit holds.

    `parameters` as in `starting.begin`.
    """
    state = replace(offered, status=NodeStatus.RUNNING, due_at=None)
    try:
        return begin_runbook(compensation.work, state, context, now, parameters)
    except TemplateProblem as problem:
        return Begun(failed(state, str(problem), now))


def settle(state: NodeState, ended: Ended | None, now: datetime) -> NodeState:
    """Answers an offer, or what became of it, by what was heard of it and by its time; the same state: nothing new.

    An offer that was rejected, or that nobody took up in time, is SKIPPED: it is no failure of anything.
    """
    if not state.active:
        return state
    waiting = state.status is NodeStatus.WAITING
    if ended and not (waiting and ended.succeeded):
        unsuccessful = NodeStatus.SKIPPED if waiting else NodeStatus.FAILED
        status = NodeStatus.SUCCEEDED if ended.succeeded else unsuccessful
        return replace(state, status=status, output=ended.output, problem=ended.problem, completed_at=now)
    if waiting and state.due_at and state.due_at <= now:
        return replace(state, status=NodeStatus.SKIPPED, problem="nobody answered in time", completed_at=now)
    return state


def not_undone(offered: NodeRun) -> str:
    """Says of a run that what was to undo it, which is FAILED, failed or could not even begin."""
    how = "failed" if offered.execution_id else "could not begin"
    return f"what was to undo it {how}: {offered.state.problem}"
