"""What a run does next: one pure step from what is known to what is to be done.

In this order: what was heard of active nodes counts, then what their own times say, then every node of which all edges
are decided begins or is skipped. A run that has nothing left has ended by that, whatever else is asked of it; otherwise
a cancellation, the brake and the run's time, in this order, cut off what is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from server.domain.workflow.definition import (
    ApprovalWork,
    Definition,
    Edge,
    Join,
    Node,
    NotifyWork,
    On,
    RunbookWork,
    WebhookWork,
)
from server.domain.workflow.graph import edges_into, in_order
from server.domain.workflow.run import Ended, NodeState, NodeStatus, RunState, RunStatus

PENDING = NodeState()
UNSUCCESSFUL = frozenset({NodeStatus.FAILED, NodeStatus.TIMEOUT})
HANDLING = frozenset({On.FAILURE, On.ALWAYS})
OUTSIDE = (RunbookWork, NotifyWork, WebhookWork)
"""Whose work goes on outside, and has to be told when the node has ended without it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a run does next, all to be stored in one transaction.

    `changed` are the nodes that ended, were skipped or were cut off, as they are now. `to_begin` are nodes whose work
    begins now, in an order of the graph; whoever begins one answers with its `NodeState`, which may have ended already,
    and then asks again. `to_cancel` are the names among `changed` whose execution or deliveries go on outside and have
    to be told to end. `status` is the run's. `wake_at` is when to look again even if nothing is heard; None: the run
    has ended.
    """

    changed: Mapping[str, NodeState]
    to_begin: Sequence[str]
    to_cancel: Sequence[str]
    status: RunStatus
    problem: str
    wake_at: datetime | None


def advance(definition: Definition, run: RunState, ended: Mapping[str, Ended], now: datetime) -> Step:
    """Answers what `run` does next, given how the work of active nodes ended.

    Of a node that is not active, `ended` says nothing: what comes twice or late changes nothing. What ended counts,
    even where the deadline is past in the same step. The same question has the same answer, and once its answer is
    stored, the next one is empty.
    """
    if run.status.ended:
        return Step({}, (), (), run.status, run.problem, None)
    nodes = {node.name: run.nodes.get(node.name, PENDING) for node in definition.nodes}
    for node in definition.nodes:
        if nodes[node.name].active:
            nodes[node.name] = _heard(node, run, nodes[node.name], ended.get(node.name), now)
    to_begin = _decide(definition, nodes, now)
    status, problem = _outcome(definition, run, nodes, now)
    if status.ended:
        nodes = {name: state if state.ended else _cut_off(state, now) for name, state in nodes.items()}
        to_begin = []
    changed = {name: state for name, state in nodes.items() if state != run.nodes.get(name, PENDING)}
    wake_at = None if status.ended else _wake_at(run, nodes)
    return Step(changed, to_begin, _to_cancel(definition, run, changed), status, problem, wake_at)


def _heard(node: Node, run: RunState, state: NodeState, ended: Ended | None, now: datetime) -> NodeState:
    """Answers an active node as it is by what was heard of it, and by its own time.

    A time that falls on the run's deadline is the run's; what was due by then counts, however late anybody looks.
    """
    if ended:
        status = NodeStatus.SUCCEEDED if ended.succeeded else NodeStatus.FAILED
        problem = "" if ended.succeeded else ended.problem
        return replace(state, status=status, output=ended.output, problem=problem, completed_at=now)
    limit = state.deadline or run.deadline
    if state.due_at and state.due_at <= min(now, limit, run.deadline):
        if isinstance(node.work, ApprovalWork):
            return replace(state, status=NodeStatus.FAILED, problem="nobody answered in time", completed_at=now)
        return replace(state, status=NodeStatus.SUCCEEDED, completed_at=now)
    if limit <= now and limit < run.deadline:
        problem = "its time was over"
        return replace(state, status=NodeStatus.TIMEOUT, problem=problem, completed_at=now)
    return state


def _decide(definition: Definition, nodes: dict[str, NodeState], now: datetime) -> list[str]:
    """Answers the pending nodes that begin, having skipped in `nodes` those to which no way leads any more."""
    by_name = {node.name: node for node in definition.nodes}
    incoming = edges_into(by_name, definition.edges)
    to_begin = []
    for name in in_order(incoming):
        edges = incoming[name]
        if nodes[name].status is not NodeStatus.PENDING or not all(nodes[edge.source].ended for edge in edges):
            continue
        taken = [_taken(edge, nodes[edge.source]) for edge in edges]
        enough = all(taken) if by_name[name].join is Join.ALL or not edges else any(taken)
        if enough:
            to_begin.append(name)
        else:
            nodes[name] = NodeState(NodeStatus.SKIPPED, completed_at=now)
    return to_begin


def _taken(edge: Edge, source: NodeState) -> bool:
    succeeded = source.status is NodeStatus.SUCCEEDED
    match edge.on:
        case On.SUCCESS:
            return succeeded
        case On.FAILURE:
            return source.status in UNSUCCESSFUL
        case On.ALWAYS:
            return succeeded or source.status in UNSUCCESSFUL
        case On.TRUE | On.FALSE:
            return succeeded and source.output.get("result") is (edge.on is On.TRUE)


def _outcome(
    definition: Definition, run: RunState, nodes: Mapping[str, NodeState], now: datetime
) -> tuple[RunStatus, str]:
    if all(state.ended for state in nodes.values()):
        problem = _unhandled(definition, nodes)
        return (RunStatus.FAILED, problem) if problem else (RunStatus.COMPLETED, "")
    if run.cancel_requested:
        return RunStatus.CANCELLED, "somebody cancelled it"
    if run.stop_reason:
        return RunStatus.STOPPED, run.stop_reason
    if now >= run.deadline:
        return RunStatus.TIMEOUT, f"its time of {definition.timeout_seconds:,} seconds was over"
    return RunStatus.RUNNING, ""


def _unhandled(definition: Definition, nodes: Mapping[str, NodeState]) -> str:
    """Says which step failed first, in the order of the definition, without an edge that leads on from there."""
    handled = {edge.source for edge in definition.edges if edge.on in HANDLING}
    for node in definition.nodes:
        state = nodes[node.name]
        if state.status in UNSUCCESSFUL and node.name not in handled:
            return f"the step {node.name} failed" + (f": {state.problem}" if state.problem else "")
    return ""


def _cut_off(state: NodeState, now: datetime) -> NodeState:
    return replace(state, status=NodeStatus.CANCELLED, completed_at=now)


def _to_cancel(definition: Definition, run: RunState, changed: Mapping[str, NodeState]) -> list[str]:
    """Answers the nodes that ran, and now have an end that their executions or deliveries have not heard of."""
    gone = {NodeStatus.CANCELLED, NodeStatus.TIMEOUT}
    return [
        node.name
        for node in definition.nodes
        if node.name in changed
        and changed[node.name].status in gone
        and isinstance(node.work, OUTSIDE)
        and run.nodes.get(node.name, PENDING).active
    ]


def _wake_at(run: RunState, nodes: Mapping[str, NodeState]) -> datetime:
    times = [run.deadline]
    for state in nodes.values():
        if state.active:
            times += [time for time in (state.due_at, state.deadline) if time]
    return min(times)
