"""Notes every step of a run as the platform's own doing, in the transaction of the move."""

from __future__ import annotations

from collections.abc import Iterator

from kernel.audit import AuditEntry, append_all
from server.domain.workflow.record import COMPENSATION, NodeRun, WorkflowRun
from server.operations.change import Change, entry_of


async def audit_move(tx: Change, before: WorkflowRun, after: WorkflowRun) -> None:
    """Notes which nodes began and ended with a move, in the order of the definition, and the end of the run."""
    entries = [entry for name in _names(after) for entry in _of_node(tx, before, after, name)]
    if after.status.ended and not before.status.ended:
        detail = {"status": after.status, "problem": after.problem, "stop_reason": after.stop_reason}
        entries.append(entry_of(tx.call, "workflow_run.ended", after.id, team_id=after.team_id, **detail))
    await append_all(tx.session, entries)


def _names(run: WorkflowRun) -> list[str]:
    return [*(node.name for node in run.definition.nodes), COMPENSATION]


def _of_node(tx: Change, before: WorkflowRun, after: WorkflowRun, name: str) -> Iterator[AuditEntry]:
    node, known = after.nodes.get(name), before.nodes.get(name)
    if node is None or node == known:
        return
    if node.state.started_at is not None and (known is None or known.state.started_at is None):
        yield _entry(tx, after, "workflow_run.step_began", node)
    if node.state.status.ended and (known is None or not known.state.status.ended):
        problem = {"problem": node.state.problem} if node.state.problem else {}
        yield _entry(tx, after, "workflow_run.step_ended", node, status=node.state.status, **problem)


def _entry(tx: Change, run: WorkflowRun, action: str, node: NodeRun, **detail: str) -> AuditEntry:
    execution = str(node.execution_id) if node.execution_id else None
    step = node.name or "(compensation)"
    return entry_of(tx.call, action, run.id, team_id=run.team_id, step=step, execution_id=execution, **detail)
