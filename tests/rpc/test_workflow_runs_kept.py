"""How long runs are kept, how they are listed, and what becomes of a move that gets into the way of another."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from kernel.database import create_engine, sessions, transaction
from kernel.execution.content import ConcurrencyPolicy, ScriptLanguage, VersionContent
from kernel.tables import executions, runbooks
from kernel.workflow_tables import incident_events, workflow_node_runs, workflow_runs
from oncall.v1 import workflow_pb2 as pb
from oncall.v1 import workflow_service_pb2 as service_pb
from server.domain.retention import Retention
from server.jobs import runs
from server.operations.handle_incident_events import handle_incident_events
from server.operations.remove_expired import remove_old_runs
from server.storage import workflow_runs as workflow_run_rows
from tests.builders import TeamWithPeople, a_team, an_approved_runbook
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.waiting import eventually
from tests.workflows import CREATED, WorkflowDesk, a_mover, approval, edge, jobs_of, runbook, status, statuses

RETENTION = Retention(None, timedelta(days=400), None)


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def let_pass(workflows: WorkflowDesk, days: float) -> None:
    """Moves the ends of all runs back, and when incident events were handled."""
    async with transaction(workflows.server.sessions) as tx:
        for at in (workflow_runs.c.completed_at, incident_events.c.handled_at):
            await tx.session.execute(update(at.table).values({at.name: at - timedelta(days=days)}))


async def count(workflows: WorkflowDesk, table: Any) -> int:
    async with workflows.server.sessions() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_runs_go_when_executions_would_and_not_before(workflows: WorkflowDesk) -> None:
    sessions = workflows.server.sessions
    undo = await an_approved_runbook(sessions, workflows.team)
    plain = await workflows.creates([approval("ask")], event=CREATED)
    offering = await workflows.creates(
        [runbook("do", undo.id, detached=True), approval("ask")],
        edge("do", "ask"),
        event=CREATED,
        compensation=pb.WorkflowCompensation(runbook=pb.RunbookWork(runbook_id=str(undo.id))),
    )
    going = await workflows.runs(await workflows.creates([approval("ask")]))
    await workflows.an_incident()
    await handle_incident_events(a_mover(workflows.server))
    (ended,), (offered,) = [await workflows.runs_of(workflow_id=one.id) for one in (plain, offering)]
    for run in (ended, offered):
        await workflows.moves(run.id)
        await workflows.decides(run.id, "ask", approve=False)
        await workflows.moves(run.id)
    await let_pass(workflows, 399)
    assert await remove_old_runs(sessions, RETENTION) == 0
    await let_pass(workflows, 2)
    assert await remove_old_runs(sessions, RETENTION) == 1
    refused = await refusal_of(workflows.run(ended.id))
    assert refused == Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert {run.id for run in await workflows.runs_of()} == {going.id, offered.id}  # what is offered is not over
    assert await count(workflows, incident_events) == 0
    await workflows.decides(offered.id, "", approve=False)
    await workflows.moves(offered.id)
    assert await remove_old_runs(sessions, RETENTION) == 1
    async with sessions() as session:
        left = (await session.execute(select(workflow_node_runs.c.run_id).distinct())).scalars().all()
    assert set(left) <= {UUID(going.id)}


async def test_a_step_whose_execution_is_gone_fails_at_once(workflows: WorkflowDesk) -> None:
    """What undoes a run has no deadline: nothing else would ever end it."""
    sessions = workflows.server.sessions
    undo = await an_approved_runbook(sessions, workflows.team)
    workflow = await workflows.creates(
        [runbook("do", undo.id, detached=True), approval("ask")],
        edge("do", "ask"),
        compensation=pb.WorkflowCompensation(runbook=pb.RunbookWork(runbook_id=str(undo.id))),
    )
    run = await workflows.runs(workflow)
    await workflows.moves(run.id)
    for node, approve in (("ask", False), ("", True)):
        await workflows.decides(run.id, node, approve=approve)
        await workflows.moves(run.id)
    undoing = (await workflows.run(run.id)).compensation
    async with transaction(sessions) as tx:  # as retention does, where nobody moved runs for as long
        await tx.session.execute(delete(executions).where(executions.c.id == UUID(undoing.execution_id)))
    failed = pb.WORKFLOW_NODE_STATUS_FAILED
    async with jobs_of(workflows.server, hears=False):
        seen = await workflows.until(run.id, lambda run: run.compensation.status == failed)
    assert "not kept" in seen.compensation.problem


async def test_a_mover_that_is_frozen_does_not_keep_its_run(workflows: WorkflowDesk, database_url: str) -> None:
    workflow = await workflows.creates([approval("ask")])
    run = await workflows.runs(workflow)
    frozen = create_engine(database_url, pool_size=1, idle_seconds=1)
    try:
        async with sessions(frozen)() as session:
            assert await workflow_run_rows.find(session, UUID(run.id), lock=True)
            async with jobs_of(workflows.server):  # from now on, or it could have moved the run before it was locked
                await workflows.until(run.id, lambda run: statuses(run)["ask"] == "WAITING")
            with pytest.raises(DBAPIError):  # what it did not commit is gone
                await session.commit()
    finally:
        await frozen.dispose()


async def test_pages_of_runs_and_workflows_neither_repeat_nor_leave_out(workflows: WorkflowDesk) -> None:
    team, other = workflows.team, WorkflowDesk(workflows.server, await a_team(workflows.server.sessions))
    made = [await workflows.creates([approval("ask")]) for _ in range(7)]
    started = [(await workflows.runs(made[0])).id for _ in range(7)]
    await other.runs(await other.creates([approval("ask")]))

    async def pages(call: Any, request: Any, field: str) -> list[str]:
        seen: list[str] = []
        request.page_size = 3
        while True:
            page = await call(request, metadata=team.observer.metadata)
            seen += [item.id for item in getattr(page, field)]
            if not page.next_page_token:
                return seen
            request.page_token = page.next_page_token
            await workflows.runs(await workflows.creates([approval("ask")]))

    stub = workflows.workflows
    seen = await pages(stub.ListWorkflows, service_pb.ListWorkflowsRequest(), "workflows")
    assert seen == [workflow.id for workflow in reversed(made)]
    request = service_pb.ListWorkflowRunsRequest(workflow_id=made[0].id)
    seen = await pages(stub.ListWorkflowRuns, request, "workflow_runs")
    assert seen == list(reversed(started))


async def test_a_move_that_a_deadlock_ended_is_made_again(
    workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody locks one line and wants the other, while the run locks the other and wants the one."""
    sessions = workflows.server.sessions
    queued = VersionContent("true", ScriptLanguage.BASH, concurrency=ConcurrencyPolicy.QUEUE)
    first, second = [await an_approved_runbook(sessions, workflows.team, queued) for _ in range(2)]
    workflow = await workflows.creates([runbook("one", first.id), runbook("two", second.id)])
    run = await workflows.runs(workflow)
    moves = 0

    async def counted(*arguments: Any) -> Any:
        nonlocal moves
        moves += 1
        return await advance_run(*arguments)

    advance_run = runs.advance_run
    monkeypatch.setattr(runs, "advance_run", counted)

    async def it_waits() -> bool:
        async with sessions() as session:
            waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return bool(await session.scalar(waiting))

    async with jobs_of(workflows.server, hears=False, sweeps=False) as jobs:
        async with transaction(sessions) as tx:
            await tx.session.execute(select(runbooks.c.id).where(runbooks.c.id == second.id).with_for_update())
            moving = await jobs.move(UUID(run.id))
            assert moving is not None
            await eventually(it_waits)
            await tx.session.execute(select(runbooks.c.id).where(runbooks.c.id == first.id).with_for_update())
        async with asyncio.timeout(20):
            await moving
    assert moves == 2
    run = await workflows.run(run.id)
    assert (status(run), statuses(run)) == ("RUNNING", {"one": "RUNNING", "two": "RUNNING"})


async def test_a_run_that_cannot_be_moved_keeps_nobody_from_the_others(
    workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = await workflows.creates([approval("ask")])
    broken, fine = await workflows.runs(workflow), await workflows.runs(workflow)
    advance_run = runs.advance_run

    async def breaks(mover: Any, run_id: UUID) -> Any:
        if str(run_id) == broken.id:
            raise RuntimeError("it broke")
        return await advance_run(mover, run_id)

    monkeypatch.setattr(runs, "advance_run", breaks)
    monkeypatch.setattr(runs, "SWEEP_LIMIT", 1)  # as if so many were broken as one look finds
    async with jobs_of(workflows.server, hears=False):
        await workflows.until(fine.id, lambda run: statuses(run)["ask"] == "WAITING")
    assert statuses(await workflows.run(broken.id)) == {"ask": "PENDING"}
    monkeypatch.undo()
    async with jobs_of(workflows.server):  # another process, or this one when it looks again
        await workflows.until(broken.id, lambda run: statuses(run)["ask"] == "WAITING")
