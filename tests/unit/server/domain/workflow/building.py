"""Builders of workflows and of their runs, small enough to be read in a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from server.domain.permission import Role
from server.domain.workflow.definition import (
    ApprovalWork,
    ConditionWork,
    Definition,
    DelayWork,
    Edge,
    Event,
    Join,
    Node,
    On,
    RunbookWork,
    Trigger,
    Work,
)
from server.domain.workflow.engine import Step, advance
from server.domain.workflow.run import Ended, NodeState, NodeStatus, RunState, RunStatus

START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
RUNBOOK_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
RUNBOOK = RunbookWork(RUNBOOK_ID)
CONDITION = ConditionWork("true")
DELAY = DelayWork(30)
APPROVAL = ApprovalWork(Role.RESPONDER)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_node(name: str, work: Work = RUNBOOK, *, join: Join = Join.ANY, timeout: int = 0) -> Node:
    return Node(name, work, timeout, join)


def a_definition(*nodes: Node | str, edges: Sequence[str] = (), timeout: int = 3600) -> Definition:
    """Edges are written `a>b` (on success) or `a>b FAILURE`; a name alone is a runbook node."""
    made = [node if isinstance(node, Node) else a_node(node) for node in nodes]
    return Definition("w", Trigger(Event.MANUAL), made, [_edge(text) for text in edges], timeout)


def _edge(text: str) -> Edge:
    ends, _, on = text.partition(" ")
    source, target = ends.split(">")
    return Edge(source, target, On(on or "SUCCESS"))


def a_run(definition: Definition, *, cancel: bool = False, stop: str = "", **nodes: NodeState) -> RunState:
    deadline = after(definition.timeout_seconds)
    return RunState(START, deadline, dict(nodes), RunStatus.RUNNING, cancel, stop)


def running(*, deadline: float | None = None, due: float | None = None) -> NodeState:
    return NodeState(
        NodeStatus.RUNNING,
        started_at=START,
        deadline=None if deadline is None else after(deadline),
        due_at=None if due is None else after(due),
    )


def ended(status: NodeStatus, **output: bool) -> NodeState:
    return NodeState(status, output=output, started_at=START, completed_at=START)


def next_step(
    definition: Definition, run: RunState, heard: Mapping[str, Ended] | None = None, at: float = 0, /
) -> Step:
    return advance(definition, run, heard or {}, after(at))
