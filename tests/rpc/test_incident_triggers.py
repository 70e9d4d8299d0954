"""What happens to an incident starts workflows, once each, and may stop those that run."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import func, text, update

from kernel.database import transaction
from kernel.workflow_tables import incident_events, workflow_runs
from oncall.v1 import incident_service_pb2, runbook_service_pb2, workflow_service_pb2
from oncall.v1 import workflow_pb2 as pb
from server.domain.delivery import NotificationEvent
from server.domain.workflow import guard
from server.operations.handle_incident_events import handle_incident_events
from server.storage import deliveries, due_runs
from server.storage.deliveries import DeliveryFilter
from tests.builders import TeamWithPeople, a_team, an_approved_runbook
from tests.receivers import a_channel
from tests.rpc.audited import audited
from tests.rpc.conftest import RunningServer
from tests.waiting import eventually
from tests.workflows import (
    CREATED,
    RESOLVED,
    SEV1,
    SEV2,
    UPDATED,
    WorkflowDesk,
    a_mover,
    approval,
    condition,
    delay,
    edge,
    jobs_of,
    runbook,
    status,
    statuses,
)


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def handled(workflows: WorkflowDesk) -> int:
    return await handle_incident_events(a_mover(workflows.server))


async def says(workflows: WorkflowDesk, incident_id: str, **fields: object) -> None:
    request = incident_service_pb2.AddIncidentUpdateRequest(
        incident_id=incident_id,
        message="We know more.",
        **fields,  # type: ignore[arg-type]
    )
    await workflows.incidents.AddIncidentUpdate(request, metadata=workflows.team.responder.metadata)


async def test_a_created_incident_starts_what_it_matches_and_nothing_else(workflows: WorkflowDesk) -> None:
    ask = [approval("ask")]
    bad = await workflows.creates(ask, event=CREATED, condition='incident.severity in ["SEV1"]')
    every = await workflows.creates(ask, event=CREATED)
    labelled = await workflows.creates(ask, event=CREATED, condition='incident.labels.env == "prod"')
    await workflows.creates(ask, event=CREATED, enabled=False)
    await workflows.creates(ask, event=UPDATED)
    await workflows.creates(ask)
    others = WorkflowDesk(workflows.server, await a_team(workflows.server.sessions))
    await others.creates(ask, event=CREATED)

    incident = await workflows.an_incident(SEV1)
    assert await handled(workflows) == 1
    runs = await workflows.runs_of(incident_id=incident.id)
    assert {run.workflow_id for run in runs} == {bad.id, every.id}
    assert {run.triggered_by for run in runs} == {str(workflows.team.responder.id)}

    mild = await workflows.an_incident(SEV2, labels={"env": "prod"})
    assert await handled(workflows) == 1
    runs = await workflows.runs_of(incident_id=mild.id)
    assert {run.workflow_id for run in runs} == {every.id, labelled.id}


async def test_updates_and_the_end_of_an_incident_start_workflows(workflows: WorkflowDesk) -> None:
    ask = [approval("ask")]
    updated = await workflows.creates(ask, event=UPDATED)
    worse = await workflows.creates(ask, event=UPDATED, condition='incident.severity == "SEV1"')
    resolved = await workflows.creates(ask, event=RESOLVED)
    incident = await workflows.an_incident(SEV2)
    metadata = workflows.team.responder.metadata
    acknowledge = incident_service_pb2.AcknowledgeIncidentRequest(incident_id=incident.id)
    await workflows.incidents.AcknowledgeIncident(acknowledge, metadata=metadata)
    await workflows.incidents.AcknowledgeIncident(acknowledge, metadata=metadata)  # changes nothing
    await handled(workflows)
    assert [run.workflow_id for run in await workflows.runs_of(incident_id=incident.id)] == [updated.id]
    await says(workflows, incident.id, severity=SEV1)
    await handled(workflows)
    runs = [run.workflow_id for run in await workflows.runs_of(incident_id=incident.id)]
    assert sorted(runs) == sorted([updated.id, updated.id, worse.id])
    resolve = incident_service_pb2.ResolveIncidentRequest(incident_id=incident.id)
    await workflows.incidents.ResolveIncident(resolve, metadata=metadata)
    await workflows.incidents.ResolveIncident(resolve, metadata=metadata)
    await handled(workflows)
    runs = [run.workflow_id for run in await workflows.runs_of(incident_id=incident.id)]
    assert runs.count(resolved.id) == 1
    assert len(runs) == 4


async def test_an_event_that_is_handled_again_starts_nothing_twice(workflows: WorkflowDesk) -> None:
    await workflows.creates([approval("ask")], event=CREATED)
    incident = await workflows.an_incident()
    await asyncio.gather(*(handled(workflows) for _ in range(4)))
    async with transaction(workflows.server.sessions) as tx:
        await tx.session.execute(update(incident_events).values(handled_at=None))
    assert await handled(workflows) == 1
    assert len(await workflows.runs_of(incident_id=incident.id)) == 1


async def test_an_event_leaves_a_run_alone_that_ends_while_it_is_handled(workflows: WorkflowDesk) -> None:
    """Otherwise the sweep would find the run due each second, for as long as it is kept, and never move it."""
    sessions = workflows.server.sessions
    await workflows.creates([approval("ask")], event=CREATED)
    incident = await workflows.an_incident()
    await handled(workflows)
    (run,) = await workflows.runs_of(incident_id=incident.id)
    await workflows.moves(run.id)
    await says(workflows, incident.id)
    async with transaction(sessions) as tx:
        ends = {"status": "CANCELLED", "completed_at": func.now(), "wake_at": None}
        await tx.session.execute(update(workflow_runs).where(workflow_runs.c.id == UUID(run.id)).values(ends))
        handling = asyncio.create_task(handled(workflows))
        await eventually(partial(somebody_waits_for_a_lock, workflows))
    assert await handling == 1
    async with transaction(sessions) as tx:
        assert await due_runs.due(tx.session, limit=10) == []


async def somebody_waits_for_a_lock(workflows: WorkflowDesk) -> bool:
    async with workflows.server.sessions() as session:
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(await session.scalar(waiting))


async def test_a_run_sees_the_incident_as_it_was_and_as_it_is(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates(
        [
            approval("ask", "{{ trigger.incident.severity }} then, {{ incident.severity }} now"),
            condition("worse", "incident.severity < trigger.incident.severity"),
        ],
        edge("ask", "worse"),
        event=CREATED,
    )
    incident = await workflows.an_incident(SEV2)
    await says(workflows, incident.id, severity=SEV1)
    await handled(workflows)
    (run,) = await workflows.runs_of(workflow_id=workflow.id)
    await workflows.moves(run.id)
    assert (await workflows.run(run.id)).nodes[0].question == "SEV2 then, SEV1 now"
    await workflows.decides(run.id, "ask")
    await workflows.moves(run.id)
    assert (await workflows.run(run.id)).nodes[1].output["result"] is True


async def test_a_condition_without_an_answer_starts_nothing_and_says_so(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask")], event=CREATED, condition='incident.title * 2 == "x"')
    incident = await workflows.an_incident()
    await handled(workflows)
    assert await workflows.runs_of(incident_id=incident.id) == []
    (row,) = await audited(workflows.server.sessions, action="workflow.not_started")
    assert row["resource_id"] == workflow.id
    assert "no answer" in row["detail"]["reason"]


async def test_a_workflow_that_starts_itself_comes_to_an_end(
    workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it does outside says something of the incident again, as a webhook that reports back would."""
    monkeypatch.setattr(guard, "MOST_RUNS", 3)
    sessions = workflows.server.sessions
    failures = (NotificationEvent.WORKFLOW_FAILED,)
    channel = await a_channel(sessions, workflows.team, "https://example.org/hook", events=failures)
    workflow = await workflows.creates([approval("ask")], event=UPDATED)
    first, other = await workflows.an_incident(), await workflows.an_incident()
    for _ in range(6):
        await says(workflows, first.id)
        await handled(workflows)
    assert len(await workflows.runs_of(workflow_id=workflow.id)) == 3
    assert len(await audited(sessions, action="workflow.not_started")) == 3
    async with sessions() as session:
        told = await deliveries.page(session, DeliveryFilter(channel_id=channel.id), before=None, limit=9)
    assert 1 <= len(told) <= 2  # once an hour, and one may have just begun
    await says(workflows, other.id)
    await handled(workflows)
    assert len(await workflows.runs_of(incident_id=other.id)) == 1
    async with transaction(sessions) as tx:
        an_hour_ago = {"created_at": workflow_runs.c.created_at - timedelta(hours=1)}
        await tx.session.execute(update(workflow_runs).values(an_hour_ago))
    await says(workflows, first.id)
    await handled(workflows)
    assert len(await workflows.runs_of(incident_id=first.id)) == 4


async def test_a_worse_incident_stops_what_its_brake_names(workflows: WorkflowDesk) -> None:
    slow = await an_approved_runbook(workflows.server.sessions, workflows.team)
    workflow = await workflows.creates(
        [runbook("slow", slow.id), delay("after")],
        edge("slow", "after"),
        event=CREATED,
        brake=pb.WorkflowBrake(condition="incident.severity < trigger.incident.severity"),
    )
    incident = await workflows.an_incident(SEV2)
    async with jobs_of(workflows.server):
        run_id = (await workflows.until_runs(workflow_id=workflow.id))[0].id
        await workflows.until(run_id, lambda run: run.nodes[0].execution_id)
        await says(workflows, incident.id)  # not worse
        await says(workflows, incident.id, severity=SEV1)
        run = await workflows.ended(run_id)
    assert (status(run), statuses(run)) == ("STOPPED", {"slow": "CANCELLED", "after": "CANCELLED"})
    assert run.problem


async def test_so_many_failed_runs_stop_a_workflow_until_it_is_changed(workflows: WorkflowDesk) -> None:
    fails = [approval("ask")]
    workflow = await workflows.creates(fails, event=CREATED, brake=pb.WorkflowBrake(failed_runs=2))
    for _ in range(3):
        await workflows.an_incident()
    await handled(workflows)
    runs = await workflows.runs_of(workflow_id=workflow.id)
    for run in runs:
        await workflows.moves(run.id)
    for run in runs[:2]:
        await workflows.decides(run.id, "ask", approve=False)
        await workflows.moves(run.id)
    assert [status(await workflows.run(run.id)) for run in runs] == ["FAILED", "FAILED", "RUNNING"]
    async with jobs_of(workflows.server, hears=False):  # the ring for it is lost: the sweep stops it
        assert status(await workflows.ended(runs[2].id)) == "STOPPED"
    incident = await workflows.an_incident()
    await handled(workflows)
    assert await workflows.runs_of(incident_id=incident.id) == []
    (row,) = await audited(workflows.server.sessions, action="workflow.not_started")
    assert row["detail"]["incident_id"] == incident.id
    update = workflow_service_pb2.UpdateWorkflowRequest(
        workflow=pb.Workflow(id=workflow.id, nodes=[approval("ask", "again?")]), update_mask={"paths": ["nodes"]}
    )
    await workflows.workflows.UpdateWorkflow(update, metadata=workflows.team.author.metadata)
    incident = await workflows.an_incident()
    await handled(workflows)
    assert len(await workflows.runs_of(incident_id=incident.id)) == 1


async def test_a_run_that_completes_lets_the_brake_count_anew(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask")], brake=pb.WorkflowBrake(failed_runs=2))
    for approve in (False, True, False):
        run = await workflows.runs(workflow)
        await workflows.moves(run.id)
        await workflows.decides(run.id, "ask", approve=approve)
        await workflows.moves(run.id)
    run = await workflows.runs(workflow)
    await workflows.moves(run.id)
    assert status(await workflows.run(run.id)) == "RUNNING"


async def test_an_incident_has_what_belongs_to_it(workflows: WorkflowDesk) -> None:
    made = await an_approved_runbook(workflows.server.sessions, workflows.team)
    await workflows.creates([runbook("do", made.id, detached=True)], event=CREATED)
    incident = await workflows.an_incident()
    await handled(workflows)
    (run,) = await workflows.runs_of(incident_id=incident.id)
    await workflows.moves(run.id)
    request = runbook_service_pb2.ListExecutionsRequest(incident_id=incident.id)
    metadata = workflows.team.observer.metadata
    (execution,) = (await workflows.server.runbooks.ListExecutions(request, metadata=metadata)).executions
    assert execution.workflow_run_id == run.id
    assert execution.id == (await workflows.run(run.id)).nodes[0].execution_id
