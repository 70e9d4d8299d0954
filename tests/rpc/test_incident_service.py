"""Incidents from their opening to what was learnt of them, and what they do to a page on the way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import grpc

from oncall.v1 import incident_pb2, incident_service_pb2, runbook_service_pb2, status_page_pb2
from tests.builders import TeamWithPeople, a_team, an_approved_runbook
from tests.rpc.conftest import RunningServer, refusal_of, stream_refusal_of
from tests.status_pages import PUBLIC, StatusPageDesk

OPERATIONAL = status_page_pb2.COMPONENT_STATUS_OPERATIONAL
DEGRADED = status_page_pb2.COMPONENT_STATUS_DEGRADED_PERFORMANCE
PARTIAL = status_page_pb2.COMPONENT_STATUS_PARTIAL_OUTAGE
MAJOR = status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE
UNDER_MAINTENANCE = status_page_pb2.COMPONENT_STATUS_UNDER_MAINTENANCE
INVESTIGATING = incident_pb2.INCIDENT_STATUS_INVESTIGATING
MONITORING = incident_pb2.INCIDENT_STATUS_MONITORING
RESOLVED = incident_pb2.INCIDENT_STATUS_RESOLVED
POSTMORTEM = incident_pb2.INCIDENT_STATUS_POSTMORTEM
INVALID, PRECONDITION = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION


async def _get(desk: StatusPageDesk, incident: incident_pb2.Incident) -> incident_pb2.Incident:
    request = incident_service_pb2.GetIncidentRequest(incident_id=incident.id)
    return (await desk.incidents.GetIncident(request, metadata=desk.team.responder.metadata)).incident


async def test_an_incident_shows_on_the_page_from_its_opening_to_its_end(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    api, web = (await desk.a_component(page, "API")).id, (await desk.a_component(page, "Web")).id
    opened = await desk.an_incident(page, {api: MAJOR}, title="API is down", description="for us alone")
    assert (opened.status, len(opened.updates), opened.updates[0].message) == (
        INVESTIGATING,
        1,
        "We are looking into it.",
    )
    watched = await desk.says(opened, status=MONITORING, impacts={api: DEGRADED, web: PARTIAL})
    assert watched.HasField("monitoring_at")
    changes = {(c.component_id, c.old_status, c.new_status) for c in watched.updates[0].impact_changes}
    assert changes == {(api, MAJOR, DEGRADED), (web, OPERATIONAL, PARTIAL)}
    seen = await desk.read(page.slug)
    assert [component.status for component in seen.components] == [DEGRADED, PARTIAL]
    assert "for us alone" not in str(seen)
    assert seen.incidents[0].impact == 4  # critical: it is what it was at its worst

    ended = await desk.resolves(watched)
    assert (ended.status, list(ended.impacts), ended.updates[0].message) == (
        RESOLVED,
        [],
        "This incident has been resolved.",
    )
    assert (await desk.resolves(ended)).etag == ended.etag
    after = await desk.read(page.slug)
    assert [component.status for component in after.components] == [OPERATIONAL] * 2
    assert [impact.status for impact in after.incidents[0].components] == [OPERATIONAL] * 2
    assert [status for _, status in await desk.history(api)] == [
        "OPERATIONAL",
        "MAJOR_OUTAGE",
        "DEGRADED_PERFORMANCE",
        "OPERATIONAL",
    ]
    learnt = await desk.says(ended, status=POSTMORTEM)
    assert learnt.resolved_at == ended.resolved_at
    again = await desk.says(learnt, status=INVESTIGATING, impacts={api: MAJOR})
    assert not again.HasField("resolved_at")
    assert (await _get(desk, again)) == again


async def test_the_worst_of_several_open_incidents_is_shown(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    api = (await desk.a_component(page, "API", status=DEGRADED)).id
    first, second = [await desk.an_incident(page, {api: status}) for status in (PARTIAL, MAJOR)]
    shown = []
    for incident in (None, second, first):
        if incident is not None:
            await desk.resolves(incident)
        shown.append((await desk.read(page.slug)).components[0].status)
    assert shown == [MAJOR, PARTIAL, DEGRADED]


async def test_an_update_is_made_once_for_a_request_id_and_not_on_a_stale_etag(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    incident = await desk.an_incident(page)
    answers = await asyncio.gather(*(desk.says(incident, request_id="once") for _ in range(4)))
    assert {len(answer.updates) for answer in answers} == {2}
    refused = await refusal_of(desk.says(incident, etag=incident.etag))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "STALE_ETAG")
    assert len((await _get(desk, incident)).updates) == 2


async def test_how_bad_an_incident_is_changes_for_the_team_and_not_for_readers(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    opened = await desk.an_incident(page)
    worse = await desk.says(opened, "It spreads.", severity=incident_pb2.INCIDENT_SEVERITY_SEV1)
    assert worse.severity == incident_pb2.INCIDENT_SEVERITY_SEV1
    same = await desk.says(opened, "Still so.", severity=incident_pb2.INCIDENT_SEVERITY_SEV1)
    assert [update.severity for update in same.updates] == [0, incident_pb2.INCIDENT_SEVERITY_SEV1, 0]
    assert (await _get(desk, opened)) == same
    seen = await desk.read(page.slug)
    assert [update.severity for update in seen.incidents[0].updates] == [0, 0, 0]


async def test_updates_at_once_are_all_kept_and_the_history_is_in_their_order(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    api = (await desk.a_component(page, "API")).id
    incident = await desk.an_incident(page)
    statuses = [MAJOR, PARTIAL, DEGRADED, MAJOR, PARTIAL, OPERATIONAL]
    await asyncio.gather(*(desk.says(incident, impacts={api: status}) for status in statuses))
    found = await _get(desk, incident)
    assert len(found.updates) == 7
    last = (await desk.read(page.slug)).components[0].status
    history = await desk.history(api)
    assert history[-1][1] == status_page_pb2.ComponentStatus.Name(last).removeprefix("COMPONENT_STATUS_")
    assert all(before[1] != after[1] for before, after in pairwise(history))


async def test_who_took_it_on_first_stays_it_and_the_page_says_nothing_of_it(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    incident = await desk.an_incident(page)
    tag = (await desk.read(page.slug)).content_tag
    request = incident_service_pb2.AcknowledgeIncidentRequest(incident_id=incident.id)
    first = (await desk.incidents.AcknowledgeIncident(request, metadata=desk.team.responder.metadata)).incident
    second = (await desk.incidents.AcknowledgeIncident(request, metadata=desk.team.author.metadata)).incident
    assert first.acknowledged_by == second.acknowledged_by == str(desk.team.responder.id)
    assert first.etag == second.etag != incident.etag
    assert (await desk.read(page.slug)).content_tag == tag


async def test_what_cannot_be_is_refused_and_changes_nothing(
    running_server: RunningServer, desk: StatusPageDesk
) -> None:
    page, other = await desk.a_page(), await desk.a_page()
    group = await desk.a_component(page, "Group", group=True)
    api, stranger = (await desk.a_component(page, "API")).id, (await desk.a_component(other, "API")).id
    incident = await desk.an_incident(page, {api: MAJOR})
    before = await running_server.everything_stored()
    later = datetime.now(UTC) + timedelta(hours=1)
    refused: list[tuple[Any, Any, tuple[str, ...]]] = [
        (desk.an_incident(page, {group.id: MAJOR}), INVALID, ("incident.impacts[0].component_id",)),
        (desk.an_incident(page, {api: MAJOR, stranger: MAJOR}), INVALID, ("incident.impacts[1].component_id",)),
        (desk.an_incident(page, {api: UNDER_MAINTENANCE}), INVALID, ("incident.impacts[0].status",)),
        (desk.an_incident(page, {api: MAJOR}, status_page_id=""), INVALID, ("incident.impacts",)),
        (desk.an_incident(page, title="two\nlines"), INVALID, ("incident.title",)),
        (desk.an_incident(page, title=""), INVALID, ("incident.title",)),
        (desk.an_incident(page, labels={"Bad Key": "x"}), INVALID, ("incident.labels",)),
        (desk.an_incident(page, labels={"key": "x" * 201}), INVALID, ("incident.labels[key]",)),
        (desk.an_incident(page, status=POSTMORTEM), INVALID, ("incident.status",)),
        (desk.an_incident(page, started_at=later), INVALID, ("incident.started_at",)),
        (desk.says(incident, status=POSTMORTEM), PRECONDITION, ()),
        (desk.says(incident, status=RESOLVED, impacts={api: MAJOR}), INVALID, ("impacts",)),
        (desk.says(incident, ""), INVALID, ("message",)),
        (desk.says(incident, "  "), INVALID, ("message",)),
        (desk.says(incident, impacts={stranger: MAJOR}), INVALID, ("impacts[0].component_id",)),
    ]
    for call, code, fields in refused:
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.fields) == (code, fields)
    assert await running_server.everything_stored() == before


async def test_lists_are_filtered_and_paged(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    made = [
        await desk.an_incident(page, title=f"{n}", severity=incident_pb2.INCIDENT_SEVERITY_SEV1 if n % 2 else 4)
        for n in range(5)
    ]
    await desk.resolves(made[4])

    async def titles(**fields: Any) -> list[str]:
        found: list[str] = []
        request = incident_service_pb2.ListIncidentsRequest(page_size=2, **fields)
        while True:
            answer = await desk.incidents.ListIncidents(request, metadata=desk.team.responder.metadata)
            found += [incident.title for incident in answer.incidents]
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    assert await titles() == ["4", "3", "2", "1", "0"]
    assert await titles(team_id=page.team_id, severity=incident_pb2.INCIDENT_SEVERITY_SEV1) == ["3", "1"]
    assert await titles(status=RESOLVED, status_page_id=page.id) == ["4"]
    assert await titles(service_id=str(uuid4())) == []


async def test_an_execution_belongs_to_an_incident_of_its_team(
    running_server: RunningServer, desk: StatusPageDesk, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    page = await desk.a_page()
    incident = await desk.an_incident(page)
    request = runbook_service_pb2.ExecuteRequest(runbook_id=str(runbook.id), incident_id=incident.id)
    stream = running_server.runbooks.Execute(request, metadata=team.responder.metadata)
    assert (await anext(aiter(stream))).event.execution.incident_id == incident.id
    stream.cancel()

    other = await a_team(running_server.sessions)
    theirs = StatusPageDesk(running_server.channel, running_server.sessions, other, desk.gateway)
    for wrong in (str(uuid4()), (await theirs.an_incident(await theirs.a_page())).id):
        request = runbook_service_pb2.ExecuteRequest(runbook_id=str(runbook.id), incident_id=wrong)
        refused = await stream_refusal_of(running_server.runbooks.Execute(request, metadata=team.responder.metadata))
        assert refused.code is grpc.StatusCode.NOT_FOUND
