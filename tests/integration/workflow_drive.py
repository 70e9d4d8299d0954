"""Drives a run with a step of every kind to its end, moved on by who may die at any statement and at any commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.cipher import Cipher
from kernel.database import Transaction, create_engine, sessions, transaction
from kernel.notification_tables import deliveries
from kernel.queue import Doorbell
from kernel.tables import audit_events, executions
from oncall.v1 import workflow_pb2 as pb
from server.domain.page import Pager
from server.operations.advance_run import advance_run
from server.operations.announce import Announcer
from server.operations.environment import Environment
from server.operations.ground import Mover
from server.operations.handle_incident_events import handle_incident_events
from tests.builders import MASTER_KEY, a_team, an_approved_runbook
from tests.receivers import a_channel
from tests.rpc.conftest import RunningServer, a_server
from tests.rpc.scripted_executor import ScriptedExecutor
from tests.workflows import (
    CREATED,
    WorkflowDesk,
    approval,
    condition,
    edge,
    jobs_of,
    notify,
    runbook,
)


class Killed(BaseException):
    """What `kill -9` is to this test: nothing catches it, and whatever was not committed is gone."""


class Mortal:
    """A process that moves runs on, and dies at the point of its life with this number; 0: it does not."""

    def __init__(self, server: RunningServer, engine: AsyncEngine) -> None:
        self._engine = engine
        announcer = Announcer(server.platform.redis, Doorbell(server.platform.broker))
        environment = Environment(sessions(engine), Pager(b"test"))
        self.mover = Mover(environment, Cipher(MASTER_KEY), announcer)
        self.points: list[str] = []
        """What kind each point was that it has passed or died at."""
        self.dies_at = 0
        self.died = False

    def is_to_die_at(self, point: int) -> None:
        self.points, self.dies_at, self.died = [], point, False

    def _point(self, kind: str) -> None:
        self.points.append(kind)
        if len(self.points) == self.dies_at:
            self.died = True
            raise Killed

    @contextmanager
    def counted(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Every statement and every commit is a point of its life, and so is what comes right after a commit."""
        mortal, committed = self, Transaction.committed

        async def after_commit(tx: Transaction) -> None:
            if tx.session.get_bind() is mortal._engine.sync_engine:
                mortal._point("after commit")
            await committed(tx)

        engine = self._engine.sync_engine
        listeners = {
            "before_cursor_execute": lambda *_: self._point("statement"),
            "commit": lambda *_: self._point("commit"),
        }
        for what, listener in listeners.items():
            event.listen(engine, what, listener)
        monkeypatch.setattr(Transaction, "committed", after_commit)
        try:
            yield
        finally:
            monkeypatch.setattr(Transaction, "committed", committed)
            for what, listener in listeners.items():
                event.remove(engine, what, listener)

    async def lives(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Killed:
            await self._engine.dispose()


class Drive:
    """Drives one run of a workflow with a step of every kind to its end, by what only the database says."""

    def __init__(self, server: RunningServer, desk: WorkflowDesk, mortal: Mortal) -> None:
        self._server, self._desk, self._mortal = server, desk, mortal
        self.run_id = ""

    async def go(self, workflow: pb.Workflow, *, approve: bool = True) -> pb.WorkflowRun:
        """Drives it to its end: well, or by a no to what is then undone."""
        incident = await self._desk.an_incident()
        await self._moves(lambda: handle_incident_events(self._mortal.mover))
        (run,) = await self._desk.runs_of(workflow_id=workflow.id, incident_id=incident.id)
        self.run_id = run.id
        await self._advances()
        for name in ("first", "second"):
            step = next(node for node in (await self._desk.run(run.id)).nodes if node.name == name)
            await self._executes(step.execution_id)
        async with transaction(self._server.sessions) as tx:
            ended = {"status": "DELIVERED", "ended_at": deliveries.c.created_at}
            of_run = deliveries.c.workflow_run_id == UUID(run.id)
            await tx.session.execute(update(deliveries).where(of_run).values(**ended))
        await self._advances()
        await self._desk.decides(run.id, "ask", approve=approve)
        await self._advances()
        if not approve:
            await self._desk.decides(run.id, "")
            await self._advances()
            await self._executes((await self._desk.run(run.id)).compensation.execution_id)
        return await self._desk.run(run.id)

    async def _executes(self, execution_id: str) -> None:
        executor = ScriptedExecutor(self._server, execution_id)
        await executor.claim()
        await executor.finish()
        await self._advances()

    async def _advances(self) -> None:
        await self._moves(lambda: advance_run(self._mortal.mover, UUID(self.run_id)))

    async def _moves(self, work: Callable[[], Awaitable[object]]) -> None:
        """Where whoever moves dies, nobody rings again: only the sweep of another process looks."""
        await self._mortal.lives(work)
        if self._mortal.died:
            async with jobs_of(self._server, hears=False, sweeps=False) as others:
                await others.sweep()

    async def what_was_done(self) -> dict[str, Counter[Any]]:
        """Answers what there is of each thing that must be there once."""
        run_id = UUID(self.run_id)
        async with self._server.sessions() as session:
            of_run = select(audit_events.c.action, audit_events.c.detail).where(
                audit_events.c.resource_id == self.run_id
            )
            steps = [(row.action, row.detail.get("step")) for row in await session.execute(of_run)]
            began = select(executions.c.runbook_id).where(executions.c.workflow_run_id == run_id)
            sent = select(deliveries.c.node, deliveries.c.event).where(deliveries.c.workflow_run_id == run_id)
            return {
                "steps": Counter(steps),
                "executions": Counter((await session.execute(began)).scalars()),
                "deliveries": Counter(tuple(row) for row in await session.execute(sent)),
            }


@asynccontextmanager
async def a_world(database_url: str, redis_url: str) -> AsyncIterator[tuple[RunningServer, WorkflowDesk, AsyncEngine]]:
    engine = create_engine(database_url, pool_size=2)
    try:
        async with a_server(database_url, redis_url) as server:
            yield server, WorkflowDesk(server, await a_team(server.sessions)), engine
    finally:
        await engine.dispose()


async def every_kind(desk: WorkflowDesk) -> pb.Workflow:
    """A workflow in which steps of every kind follow one another; a channel hears of what it says and asks."""
    await a_channel(desk.server.sessions, desk.team, "https://example.org")
    made = [await an_approved_runbook(desk.server.sessions, desk.team) for _ in range(3)]
    return await desk.creates(
        [
            runbook("first", made[0].id),
            condition("well", "nodes.first.exit_code == 0"),
            runbook("second", made[1].id),
            notify("tell", "{{ incident.title }}"),
            approval("ask"),
        ],
        edge("first", "well"),
        edge("well", "second", pb.WORKFLOW_EDGE_ON_TRUE),
        edge("second", "tell"),
        edge("tell", "ask"),
        event=CREATED,
        compensation=pb.WorkflowCompensation(runbook=pb.RunbookWork(runbook_id=str(made[2].id))),
    )
