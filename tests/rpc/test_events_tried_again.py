"""A workflow that cannot be looked at, or an event, keeps nobody from the others, and is not tried for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
import structlog
from sqlalchemy import select, text, update

from kernel.database import transaction
from kernel.workflow_tables import incident_events
from kernel.workflow_tables import workflow_runs as run_rows
from kernel.workflow_tables import workflows as workflow_rows
from oncall.v1 import workflow_service_pb2 as service_pb
from server.domain.delivery import NotificationEvent
from server.domain.workflow import quota
from server.operations import handle_incident_events as handling
from server.operations import start_by_event
from server.operations.handle_incident_events import PAUSES, handle_incident_events
from server.storage import deliveries, due_runs
from server.storage.deliveries import DeliveryFilter
from tests.builders import TeamWithPeople, a_team
from tests.receivers import a_channel
from tests.rpc.audited import audited
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.workflows import CREATED, WorkflowDesk, a_mover, approval, jobs_of, statuses


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


@pytest.fixture(autouse=True)
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is logged; and no pause is over before `time_passes`, however busy the machine is."""
    monkeypatch.setattr(handling, "PAUSES", (timedelta(hours=1),) * len(PAUSES))
    with structlog.testing.capture_logs() as entries:
        yield entries


async def handled(workflows: WorkflowDesk) -> int:
    return await handle_incident_events(a_mover(workflows.server))


async def time_passes(workflows: WorkflowDesk) -> None:
    """Lets what is put off be tried now."""
    async with transaction(workflows.server.sessions) as tx:
        await tx.session.execute(update(incident_events).values(try_at=None))


async def unhandled(workflows: WorkflowDesk) -> list[Any]:
    async with workflows.server.sessions() as session:
        query = select(incident_events).where(incident_events.c.handled_at.is_(None)).order_by(incident_events.c.id)
        return list((await session.execute(query)).mappings())


async def unreadable(workflows: WorkflowDesk, workflow_id: str) -> dict[str, Any]:
    """Makes a definition as a newer version of the platform might write it, and answers the one that was there."""
    async with transaction(workflows.server.sessions) as tx:
        of_it = workflow_rows.c.id == UUID(workflow_id)
        kept = await tx.session.scalar(select(workflow_rows.c.definition).where(of_it))
        await tx.session.execute(update(workflow_rows).where(of_it).values(definition={"steps": []}))
    assert kept is not None
    return dict(kept)


async def started(workflows: WorkflowDesk) -> list[str]:
    return sorted(run.workflow_id for run in await workflows.runs_of())


async def test_a_workflow_that_cannot_be_read_keeps_none_of_its_team_from_starting(
    workflows: WorkflowDesk, logged: list[Any]
) -> None:
    first = await workflows.creates([approval("ask")], event=CREATED)
    broken = await workflows.creates([approval("ask")], event=CREATED)
    last = await workflows.creates([approval("ask")], event=CREATED)
    kept = await unreadable(workflows, broken.id)
    await workflows.an_incident()
    async with jobs_of(workflows.server, hears=False):
        for run in await workflows.until_runs(workflow_id=last.id):
            await workflows.until(run.id, lambda run: statuses(run)["ask"] == "WAITING")
    assert await started(workflows) == sorted([first.id, last.id])
    (event,) = await unhandled(workflows)
    (said,) = [entry for entry in logged if entry["event"] == "workflow_not_looked_at"]
    assert (said["workflow_id"], said["event_id"]) == (broken.id, str(event["id"]))
    assert event["left_workflows"] == [UUID(broken.id)]
    assert event["try_at"] is not None
    assert await handled(workflows) == 0  # not before its time
    async with transaction(workflows.server.sessions) as tx:  # as if somebody came who can read it
        of_it = workflow_rows.c.id == UUID(broken.id)
        await tx.session.execute(update(workflow_rows).where(of_it).values(definition=kept))
    await time_passes(workflows)
    assert await handled(workflows) == 1
    assert await started(workflows) == sorted([first.id, broken.id, last.id])
    assert await unhandled(workflows) == []


async def test_a_workflow_that_cannot_be_read_is_listed_with_the_others_and_can_be_deleted(
    workflows: WorkflowDesk,
) -> None:
    fine, broken = await workflows.creates([approval("ask")]), await workflows.creates([approval("ask")])
    run = await workflows.runs(broken)
    await unreadable(workflows, broken.id)
    async with transaction(workflows.server.sessions) as tx:
        await tx.session.execute(update(run_rows).values(definition={"steps": []}))
    stub, metadata = workflows.workflows, workflows.team.author.metadata
    everything = service_pb.ListWorkflowsRequest(team_id=str(workflows.team.id))
    listed = (await stub.ListWorkflows(everything, metadata=metadata)).workflows
    assert [one.name for one in listed] == [broken.name, fine.name]
    assert [one.id for one in await workflows.runs_of()] == [run.id]
    unreadable_refusal = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "WORKFLOW_UNREADABLE")
    get = service_pb.GetWorkflowRequest(workflow_id=broken.id)
    assert await refusal_of(stub.GetWorkflow(get, metadata=metadata)) == unreadable_refusal
    assert await refusal_of(workflows.runs(broken)) == unreadable_refusal
    delete = service_pb.DeleteWorkflowRequest(workflow_id=broken.id, etag=listed[0].etag)
    await stub.DeleteWorkflow(delete, metadata=metadata)
    assert [one.id for one in (await stub.ListWorkflows(everything, metadata=metadata)).workflows] == [fine.id]


async def test_a_workflow_that_is_never_read_is_given_up_and_its_team_is_told(workflows: WorkflowDesk) -> None:
    sessions = workflows.server.sessions
    failures = (NotificationEvent.WORKFLOW_FAILED,)
    channel = await a_channel(sessions, workflows.team, "https://example.org/hook", events=failures)
    broken = await workflows.creates([approval("ask")], event=CREATED)
    await unreadable(workflows, broken.id)
    incident = await workflows.an_incident()
    for _ in PAUSES:
        assert await handled(workflows) == 1
        assert await audited(sessions, action="workflow.not_started") == []
        await time_passes(workflows)
    assert await handled(workflows) == 1
    assert await unhandled(workflows) == []
    (row,) = await audited(sessions, action="workflow.not_started")
    assert (row["resource_id"], row["detail"]["incident_id"]) == (broken.id, incident.id)
    assert "cannot be read" in row["detail"]["reason"]
    async with sessions() as session:
        (told,) = await deliveries.page(session, DeliveryFilter(channel_id=channel.id), before=None, limit=9)
    assert "did not start" in told.subject


async def test_what_goes_wrong_with_one_trigger_undoes_nothing_of_the_others(
    workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await workflows.creates([approval("ask")], event=CREATED)
    broken = await workflows.creates([approval("ask")], event=CREATED, name="broken")
    last = await workflows.creates([approval("ask")], event=CREATED)
    trigger_holds = start_by_event.trigger_holds

    def breaks(definition: Any, *others: Any) -> bool:
        if definition.name == "broken":
            raise RecursionError
        return trigger_holds(definition, *others)

    monkeypatch.setattr(start_by_event, "trigger_holds", breaks)
    await workflows.an_incident()
    assert await handled(workflows) == 1
    assert await started(workflows) == sorted([first.id, last.id])
    monkeypatch.setattr(start_by_event, "trigger_holds", trigger_holds)
    await time_passes(workflows)
    await handled(workflows)
    assert await started(workflows) == sorted([first.id, broken.id, last.id])


async def test_what_postgresql_refuses_for_one_workflow_undoes_nothing_of_the_others(
    workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await workflows.creates([approval("ask")], event=CREATED)
    broken = await workflows.creates([approval("ask")], event=CREATED)
    last = await workflows.creates([approval("ask")], event=CREATED)
    start_run = start_by_event.start_run

    async def breaks(tx: Any, announcer: Any, workflow: Any, *others: Any, **more: Any) -> Any:
        run = await start_run(tx, announcer, workflow, *others, **more)
        if str(workflow.id) == broken.id:
            await tx.session.execute(text("SELECT 1 / 0"))
        return run

    monkeypatch.setattr(start_by_event, "start_run", breaks)
    await workflows.an_incident()
    assert await handled(workflows) == 1
    assert await started(workflows) == sorted([first.id, last.id])


async def test_an_event_that_cannot_be_handled_at_all_is_given_up_after_a_few_tries(
    workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = workflows.server.sessions
    other = WorkflowDesk(workflows.server, await a_team(sessions))
    await other.creates([approval("ask")], event=CREATED)
    poisoned, fine = await workflows.an_incident(), await other.an_incident()
    unended_about = due_runs.unended_about

    async def breaks(session: Any, incident_id: UUID) -> list[UUID]:
        if str(incident_id) == poisoned.id:
            raise ValueError("it broke")
        return await unended_about(session, incident_id)

    monkeypatch.setattr(handling.due_runs, "unended_about", breaks)
    assert await handled(workflows) == 2
    assert len(await other.runs_of(incident_id=fine.id)) == 1
    for tries in range(1, len(PAUSES) + 1):
        (event,) = await unhandled(workflows)
        assert event["tries"] == tries
        await time_passes(workflows)
        assert await handled(workflows) == 1
    assert await unhandled(workflows) == []
    (row,) = await audited(sessions, action="incident.event_given_up")
    assert row["resource_id"] == poisoned.id


async def test_a_team_of_which_many_runs_go_on_has_its_events_tried_again(
    workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "MOST_ACTIVE_RUNS", 1)
    await workflows.creates([approval("ask")], event=CREATED)
    first, second = await workflows.an_incident(), await workflows.an_incident()
    assert await handled(workflows) == 2
    (run,) = await workflows.runs_of()
    assert run.incident_id == first.id
    await workflows.moves(run.id)
    await workflows.decides(run.id, "ask")
    await workflows.moves(run.id)
    await time_passes(workflows)
    assert await handled(workflows) == 1
    assert len(await workflows.runs_of(incident_id=second.id)) == 1
