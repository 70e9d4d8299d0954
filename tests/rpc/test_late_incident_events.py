"""What happened to an incident while nobody looked starts nothing that is no longer wanted (decision 0039)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oncall.v1 import incident_pb2, incident_service_pb2
from server.domain.delivery import NotificationEvent
from server.operations.ground import Mover
from server.operations.handle_incident_events import handle_incident_events
from server.storage import deliveries
from server.storage.deliveries import DeliveryFilter
from tests.builders import TeamWithPeople
from tests.receivers import a_channel
from tests.rpc.audited import audited
from tests.rpc.conftest import RunningServer
from tests.workflows import CREATED, RESOLVED, SEV1, SEV2, UPDATED, WorkflowDesk, a_mover, approval

INVESTIGATING = incident_pb2.INCIDENT_STATUS_INVESTIGATING
POSTMORTEM = incident_pb2.INCIDENT_STATUS_POSTMORTEM


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def looks(workflows: WorkflowDesk, *, after: timedelta = timedelta(0), within: timedelta | None = None) -> int:
    """Has `jobs` look at what happened, when it is back `after` so long."""
    later = a_mover(workflows.server, now=lambda: datetime.now(UTC) + after)
    return await handle_incident_events(Mover(later.env, later.cipher, later.announcer, within))


async def resolves(workflows: WorkflowDesk, incident_id: str) -> None:
    request = incident_service_pb2.ResolveIncidentRequest(incident_id=incident_id)
    await workflows.incidents.ResolveIncident(request, metadata=workflows.team.responder.metadata)


async def says(workflows: WorkflowDesk, incident_id: str, **fields: Any) -> None:
    request = incident_service_pb2.AddIncidentUpdateRequest(incident_id=incident_id, message="We know more.", **fields)
    await workflows.incidents.AddIncidentUpdate(request, metadata=workflows.team.responder.metadata)


async def reasons(workflows: WorkflowDesk) -> list[str]:
    return [row["detail"]["reason"] for row in await audited(workflows.server.sessions, action="workflow.not_started")]


async def a_listener(workflows: WorkflowDesk) -> DeliveryFilter:
    events = (NotificationEvent.WORKFLOW_FAILED,)
    channel = await a_channel(workflows.server.sessions, workflows.team, "https://example.org/hook", events=events)
    return DeliveryFilter(channel_id=channel.id)


async def heard(workflows: WorkflowDesk, listener: DeliveryFilter) -> list[str]:
    async with workflows.server.sessions() as session:
        return [one.subject for one in await deliveries.page(session, listener, before=None, limit=9)]


async def test_an_incident_that_is_over_starts_only_what_its_end_starts(workflows: WorkflowDesk) -> None:
    listener = await a_listener(workflows)
    created = await workflows.creates([approval("ask")], event=CREATED)
    updated = await workflows.creates([approval("ask")], event=UPDATED)
    resolved = await workflows.creates([approval("ask")], event=RESOLVED)
    incident = await workflows.an_incident()
    await says(workflows, incident.id)
    await resolves(workflows, incident.id)
    assert await looks(workflows) == 3
    assert [run.workflow_id for run in await workflows.runs_of()] == [resolved.id]
    rows = await audited(workflows.server.sessions, action="workflow.not_started")
    assert [row["resource_id"] for row in rows] == [created.id, updated.id]
    assert {row["detail"]["reason"] for row in rows} == {"the incident is over since"}
    assert await heard(workflows, listener) == []  # whoever resolved it knows


async def test_an_incident_that_was_opened_again_starts_nothing_that_its_end_starts(workflows: WorkflowDesk) -> None:
    await workflows.creates([approval("ask")], event=RESOLVED)
    incident = await workflows.an_incident()
    await resolves(workflows, incident.id)
    await says(workflows, incident.id, status=INVESTIGATING)
    await looks(workflows)
    assert await workflows.runs_of() == []
    assert await reasons(workflows) == ["the incident was opened again since"]


async def test_what_is_said_of_an_incident_that_was_over_starts_workflows(workflows: WorkflowDesk) -> None:
    await workflows.creates([approval("ask")], event=UPDATED)
    incident = await workflows.an_incident()
    await resolves(workflows, incident.id)
    await says(workflows, incident.id, status=POSTMORTEM)
    await looks(workflows)
    assert len(await workflows.runs_of()) == 1
    assert await reasons(workflows) == []


async def test_a_condition_that_held_once_and_does_not_any_more_is_audited(workflows: WorkflowDesk) -> None:
    listener = await a_listener(workflows)
    await workflows.creates([approval("ask")], event=CREATED, condition='incident.severity == "SEV1"')
    await workflows.creates([approval("ask")], event=CREATED, condition='incident.title == "another"')
    incident = await workflows.an_incident(SEV1)
    await says(workflows, incident.id, severity=SEV2)
    await looks(workflows)
    assert await workflows.runs_of() == []
    (reason,) = await reasons(workflows)
    assert reason.startswith("its condition held when this happened")
    assert await heard(workflows, listener) == []


async def test_what_is_too_old_starts_nothing_and_the_team_hears_so(workflows: WorkflowDesk) -> None:
    listener = await a_listener(workflows)
    workflow = await workflows.creates([approval("ask")], event=CREATED)
    await workflows.an_incident()
    await looks(workflows, after=timedelta(minutes=16), within=timedelta(minutes=15))
    assert await workflows.runs_of() == []
    (reason,) = await reasons(workflows)
    assert "16 minutes" in reason
    assert await heard(workflows, listener) == [f"Workflow {workflow.name} did not start"]


@pytest.mark.parametrize("within", [timedelta(minutes=17), None])
async def test_what_is_not_too_old_starts_what_it_would_have(workflows: WorkflowDesk, within: timedelta | None) -> None:
    await workflows.creates([approval("ask")], event=CREATED)
    await workflows.an_incident()
    await looks(workflows, after=timedelta(minutes=16), within=within)
    assert len(await workflows.runs_of()) == 1
