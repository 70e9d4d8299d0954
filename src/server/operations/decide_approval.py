"""Gives somebody's word on what an approval of a run asks, or on the offer to undo it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from kernel.errors import FailedPrecondition, PermissionDenied
from kernel.team_stream import Thing
from server.domain.permission import Call, Role, not_found
from server.domain.violation import Violations
from server.domain.workflow.record import COMPENSATION, Awaits, Decision, NodeRun, WorkflowRun
from server.domain.workflow.run import NodeStatus
from server.operations.announce import Announcer
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.read_runs import load_run
from server.storage import workflow_runs

LONGEST_COMMENT = 1_000
DECISIONS = ("APPROVE", "REJECT")


@dataclass(frozen=True, slots=True)
class Word:
    """A word as sent; an empty node means the run's compensation."""

    run_id: str
    node: str
    decision: str
    comment: str


async def decide_approval(env: Environment, call: Call, announcer: Announcer, word: Word) -> WorkflowRun:
    """Notes a word, which `jobs` then goes by at once. The first one counts; who repeats theirs changes nothing."""
    run_id = _check(word)
    async with change(env.sessions, call) as tx:
        run = await load_run(tx.session, call, run_id, lock=True)
        now = env.now()
        decision = Decision(word.decision == "APPROVE", word.comment, call.caller.user_id, now)
        node = run.nodes.get(word.node)
        if node is None and word.node != COMPENSATION and word.node not in {n.name for n in run.definition.nodes}:
            raise not_found("step")
        _require_right(call, run, node)
        if node is not None and _is_repeat(node, decision):
            return run
        if node is None or not _waits(run, node, now):
            raise FailedPrecondition("the step does not wait, or was decided already", reason="NOT_WAITING")
        node = replace(node, decision=decision)
        run = replace(run, nodes={**run.nodes, node.name: node}, revision=run.revision + 1)
        await workflow_runs.save(tx.session, run, [node], new=())
        await tx.audit(
            "workflow_run.decided",
            run.id,
            team_id=run.team_id,
            step=node.name or "(compensation)",
            decision="approved" if decision.approved else "rejected",
        )
        tx.after_commit(lambda: announcer.run_waits(run.id))
        tx.after_commit(lambda: announcer.team_changed(run.team_id, Thing.WORKFLOW_RUN, run.id))
    return run


def _require_right(call: Call, run: WorkflowRun, node: NodeRun | None) -> None:
    """Wants the role that the step names, and somebody else than who started the run: no role is an exception."""
    role = call.role_in(run.team_id)
    wanted = node.role if node is not None and node.role is not None else Role.RESPONDER
    if role is None or role < wanted:
        raise PermissionDenied(
            f"this needs the role {wanted.name} in the team",
            metadata={"required_role": wanted.name, "role": role.name if role else ""},
            team_id=run.team_id,
        )
    if run.triggered_by == call.caller.user_id:
        raise PermissionDenied(
            "somebody else must decide this: you started the run", reason="SELF_APPROVAL", team_id=run.team_id
        )


def _waits(run: WorkflowRun, node: NodeRun, now: datetime) -> bool:
    """Whether a word still counts: not after the time for it, though nobody may have looked at the run since."""
    if node.state.status is not NodeStatus.WAITING or node.awaits is not Awaits.DECISION or node.decision is not None:
        return False
    if node.name != COMPENSATION and (run.cancel_requested_at is not None or run.deadline <= now):
        return False
    return all(end is None or now < end for end in (node.state.due_at, node.state.deadline))


def _is_repeat(node: NodeRun, decision: Decision) -> bool:
    known = node.decision
    return known is not None and (known.by, known.approved) == (decision.by, decision.approved)


def _check(word: Word) -> UUID:
    violations = Violations()
    run_id = violations.uuid("workflow_run_id", word.run_id)
    violations.text("node", word.node, longest=63)
    if word.decision not in DECISIONS:
        violations.add("decision", "must be one of " + ", ".join(DECISIONS))
    violations.text("comment", word.comment, longest=LONGEST_COMMENT)
    violations.raise_if_any()
    return run_id
