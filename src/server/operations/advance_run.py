"""Moves a run on: one transaction under the lock of its row, from what is known to what is to be done.

Whoever rings for a run and however often, this asks the engine anew, of what is stored. What nodes begin outside
(executions, deliveries) is stored in the same transaction, so that either all of a move is there or none of it; what is
told after the commit may be lost, for the sweep finds it (docs/decisions/0033).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from kernel.lifecycle import request_cancel
from kernel.team_stream import Thing
from server.domain.workflow.engine import Step, advance
from server.domain.workflow.guard import brake_reason
from server.domain.workflow.record import Awaits, NodeRun, WorkflowRun
from server.domain.workflow.run import Ended, NodeState
from server.operations.audit_steps import audit_move
from server.operations.begin_node import begin_node
from server.operations.cancel_execution import announce_cancel
from server.operations.change import Change, change
from server.operations.end_run import end_run
from server.operations.ground import Ground, Mover
from server.operations.offer_compensation import move_compensation
from server.operations.run_context import Surroundings, surroundings_of_run
from server.operations.run_facts import found_ended
from server.storage import deliveries, workflow_runs, workflows


async def advance_run(mover: Mover, run_id: UUID) -> WorkflowRun | None:
    """Moves a run on as far as it goes now, and answers it; None where there is no such run.

    Safe to repeat, also at once and elsewhere: the second one waits for the first, and finds nothing to do.
    """
    async with change(mover.env.sessions, None) as tx:
        before = await workflow_runs.find(tx.session, run_id, lock=True)
        if before is None or before.settled:
            return before
        now = mover.env.now()
        if before.status.ended:
            after = await move_compensation(mover, tx, before, now)
        else:
            after = await _Move(mover, tx, before, now).go()
        await _store(mover, tx, before, after)
        return after


class _Move:
    """One move of a run that has not ended; `run` is the run as it is by now."""

    def __init__(self, mover: Mover, tx: Change, run: WorkflowRun, now: datetime) -> None:
        self._mover = mover
        self._tx = tx
        self._now = now
        self._surroundings: Surroundings | None = None
        self.run = run

    async def go(self) -> WorkflowRun:
        """Asks, does what is answered, and asks again until nothing is left to be done now."""
        ended: Mapping[str, Ended] = await found_ended(self._tx.session, self.run)
        await self._look_at_brake(ended)
        while True:
            step = advance(self.run.definition, self.run.state, ended, self._now)
            ended = {}
            self.run = replace(
                self.run, nodes={**self.run.nodes, **{name: self._node(name, step) for name in step.changed}}
            )
            for name in step.to_cancel:
                await self._cancel(self.run.nodes[name])
            self.run = replace(self.run, status=step.status, problem=step.problem, wake_at=step.wake_at)
            if step.status.ended:
                return await end_run(self._mover, self._tx, self.run, self._now)
            if not step.to_begin:
                return self.run
            for name in step.to_begin:
                await self._begin(name)

    async def _begin(self, name: str) -> None:
        surroundings = await self._known()
        ground = Ground(self._tx, self.run, surroundings.context(self.run.nodes), self._now)
        begun = await begin_node(self._mover, ground, self.run.definition.node(name))
        self.run = replace(self.run, nodes={**self.run.nodes, name: begun})

    async def _look_at_brake(self, ended: Mapping[str, Ended]) -> None:
        """Asks whether the workflow stops by itself; what is being ended already needs no second reason."""
        run, brake = self.run, self.run.definition.brake
        if brake is None or run.stop_reason or run.cancel_requested_at is not None:
            return
        failed = await workflows.failed_runs(self._tx.session, run.workflow_id, run.workflow_version)
        context = (await self._known()).context(run.nodes)
        self.run = replace(run, stop_reason=brake_reason(run.definition, context, failed))

    async def _known(self) -> Surroundings:
        if self._surroundings is None:
            self._surroundings = await surroundings_of_run(self._tx.session, self.run)
        return self._surroundings

    def _node(self, name: str, step: Step) -> NodeRun:
        state: NodeState = step.changed[name]
        known = self.run.nodes.get(name)
        return NodeRun(name, state) if known is None else replace(known, state=state)

    async def _cancel(self, node: NodeRun) -> None:
        if node.awaits is Awaits.DELIVERY:
            await deliveries.give_up(self._tx.session, self.run.id, node.name, self._now)
        if node.awaits is not Awaits.EXECUTION or node.execution_id is None:
            return
        requested = await request_cancel(self._tx.session, node.execution_id)
        if not requested.status.ended or requested.event is not None:
            await self._tx.audit("execution.cancel_requested", node.execution_id, team_id=self.run.team_id)
        env, announcer = self._mover.env, self._mover.announcer
        announce_cancel(env, self._tx, announcer, self.run.team_id, node.execution_id, requested)


async def _store(mover: Mover, tx: Change, before: WorkflowRun, after: WorkflowRun) -> None:
    """Writes what has changed, with the audit of it; where nothing has, at most when to look again."""
    if after == before:
        return
    changed = [node for name, node in after.nodes.items() if before.nodes.get(name) != node]
    new = after.nodes.keys() - before.nodes.keys()
    moved = bool(changed) or replace(after, wake_at=None) != replace(before, wake_at=None)
    if moved:
        after = replace(after, revision=before.revision + 1)
    await workflow_runs.save(tx.session, after, changed, new=new)
    if moved:
        await audit_move(tx, before, after)
        tx.after_commit(lambda: mover.announcer.team_changed(after.team_id, Thing.WORKFLOW_RUN, after.id))
