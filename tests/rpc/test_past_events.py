"""Incidents and maintenances of long ago are forgotten, from the page too; not while anybody works on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import Column, func, select, update

from kernel.database import transaction
from kernel.incident_tables import incident_impacts, incident_updates, incidents, maintenance_updates, maintenances
from kernel.workflow_tables import incident_events
from oncall.v1 import incident_pb2, incident_service_pb2, runbook_service_pb2, status_page_pb2
from server.operations import forget_past_events as operation
from server.operations.forget_past_events import forget_past_events
from server.operations.handle_incident_events import handle_incident_events
from server.storage import status_pages
from tests.builders import an_approved_runbook
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.rpc.scripted_executor import ScriptedExecutor
from tests.status_pages import PUBLIC, StatusPageDesk
from tests.workflows import RESOLVED, WorkflowDesk, a_mover, approval, status

MAJOR = status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE
DAYS = 800
GONE = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def let_pass(desk: StatusPageDesk, ended: Column[Any], thing_id: str, days: float) -> None:
    """Lets an incident or a maintenance have ended so long ago."""
    async with transaction(desk.sessions) as tx:
        query = update(ended.table).where(ended.table.c.id == UUID(thing_id))
        await tx.session.execute(query.values({ended.name: func.now() - timedelta(days=days)}))


async def let_all_pass(desk: StatusPageDesk, days: float = DAYS + 1) -> None:
    async with transaction(desk.sessions) as tx:
        past = func.now() - timedelta(days=days)
        await tx.session.execute(update(incidents).where(incidents.c.resolved_at.is_not(None)).values(resolved_at=past))


async def left(desk: StatusPageDesk) -> dict[str, int]:
    async with desk.sessions() as session:
        return {
            table.name: (await session.scalars(select(func.count()).select_from(table))).one()
            for table in (incidents, incident_updates, incident_impacts, maintenances, maintenance_updates)
        }


async def versions(desk: StatusPageDesk) -> Mapping[UUID, int]:
    async with desk.sessions() as session:
        pages = [page.id for page in await status_pages.page(session, team_ids=None, before=None, limit=10)]
        return {page_id: await status_pages.version_of(session, page_id) for page_id in pages}


async def get_incident(desk: StatusPageDesk, incident_id: str) -> Any:
    request = incident_service_pb2.GetIncidentRequest(incident_id=incident_id)
    return await desk.incidents.GetIncident(request, metadata=desk.team.responder.metadata)


async def test_what_ended_long_ago_goes_and_all_else_stays(
    desk: StatusPageDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "AT_ONCE", 2)
    page, other = await desk.a_page(PUBLIC), await desk.a_page(PUBLIC)
    api = await desk.a_component(page, "API")
    old = [await desk.resolves(await desk.an_incident(page, {api.id: MAJOR})) for _ in range(3)]
    old.append(await desk.resolves(await desk.an_incident(status_page_pb2.StatusPage(team_id=page.team_id))))
    newer = await desk.resolves(await desk.an_incident(other))
    going_on = await desk.an_incident(page, {api.id: MAJOR})
    done, called_off, planned = [await desk.a_maintenance(page, api.id) for _ in range(3)]
    async with transaction(desk.sessions) as tx:
        for made, word in ((done, "COMPLETED"), (called_off, "CANCELLED")):
            ended = update(maintenances).where(maintenances.c.id == UUID(made.id))
            await tx.session.execute(ended.values(status=word, ended_at=func.now()))
        await tx.session.execute(update(incident_events).values(handled_at=func.now()))
    for incident in old:
        await let_pass(desk, incidents.c.resolved_at, incident.id, DAYS + 1)
    await let_pass(desk, incidents.c.resolved_at, newer.id, DAYS - 1)
    for made in (done, called_off):
        await let_pass(desk, maintenances.c.ended_at, made.id, DAYS + 1)
    before, kept = await versions(desk), await left(desk)

    assert await forget_past_events(desk.sessions, 0) == 0
    assert await left(desk) == kept
    assert await forget_past_events(desk.sessions, DAYS) == 4 + 2
    assert await forget_past_events(desk.sessions, DAYS) == 0
    after = await versions(desk)
    assert after[UUID(page.id)] > before[UUID(page.id)]  # gateways that hold the page ask anew
    assert after[UUID(other.id)] == before[UUID(other.id)]
    assert await left(desk) == {
        "incidents": 2,
        "incident_updates": 3,
        "incident_impacts": 1,
        "maintenances": 1,
        "maintenance_updates": 1,
    }
    shown = await desk.read(page.slug)
    assert [incident.id for incident in shown.incidents] == [going_on.id]
    assert [maintenance.id for maintenance in shown.maintenances] == [planned.id]
    assert [incident.id for incident in (await desk.read(other.slug)).incidents] == [newer.id]
    assert await refusal_of(get_incident(desk, old[0].id)) == GONE


async def test_the_bars_of_the_days_lose_nothing(desk: StatusPageDesk) -> None:
    """Also with the shortest age that can be set, whatever the zone of the page."""
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        page = await desk.a_page(PUBLIC, time_zone=zone)
        api = await desk.a_component(page, "API")
        for days in (99, 91, 90.5, 89.5, 88):
            incident = await desk.resolves(await desk.an_incident(page, {api.id: MAJOR}))
            async with transaction(desk.sessions) as tx:
                at = datetime.now(UTC) - timedelta(days=days)
                times = {"started_at": at, "created_at": at, "resolved_at": at + timedelta(minutes=9)}
                await tx.session.execute(update(incidents).where(incidents.c.id == UUID(incident.id)).values(times))
        before = await desk.read(page.slug)
        assert await forget_past_events(desk.sessions, 100) == 0
        assert (await desk.read(page.slug)).uptimes == before.uptimes


async def test_a_page_that_somebody_changes_just_now_is_left_to_the_next_round(desk: StatusPageDesk) -> None:
    busy, free = await desk.a_page(PUBLIC), await desk.a_page(PUBLIC)
    for page in (busy, busy, free):
        await desk.resolves(await desk.an_incident(page))
    async with transaction(desk.sessions) as tx:
        await tx.session.execute(update(incident_events).values(handled_at=func.now()))
    await let_all_pass(desk)
    async with transaction(desk.sessions) as tx:
        await status_pages.lock(tx.session, UUID(busy.id))
        assert await forget_past_events(desk.sessions, DAYS) == 1
    assert (await left(desk))["incidents"] == 2
    assert await forget_past_events(desk.sessions, DAYS) == 2


async def test_an_incident_that_is_taken_up_again_stays(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    incident = await desk.resolves(await desk.an_incident(page))
    async with transaction(desk.sessions) as tx:
        await tx.session.execute(update(incident_events).values(handled_at=func.now()))
    await let_all_pass(desk)
    async with transaction(desk.sessions) as tx:  # somebody holds it, as whoever says something of it does
        await tx.session.execute(select(incidents.c.id).where(incidents.c.id == UUID(incident.id)).with_for_update())
        assert await forget_past_events(desk.sessions, DAYS) == 0
    await desk.says(incident, status=incident_pb2.INCIDENT_STATUS_INVESTIGATING)
    assert await forget_past_events(desk.sessions, DAYS) == 0
    assert (await get_incident(desk, incident.id)).incident.id == incident.id


async def test_an_incident_stays_while_it_is_worked_on_and_its_records_stay_readable_without_it(
    running_server: RunningServer, desk: StatusPageDesk
) -> None:
    workflows = WorkflowDesk(running_server, desk.team)
    runbook = await an_approved_runbook(desk.sessions, desk.team)
    await workflows.creates([approval("ask")], event=RESOLVED)
    incident = await workflows.an_incident(title="It was slow")
    await desk.resolves(incident)
    await let_all_pass(desk)
    assert await forget_past_events(desk.sessions, DAYS) == 0  # what happened to it has started nothing yet

    await handle_incident_events(a_mover(running_server))
    (run,) = await workflows.runs_of(incident_id=incident.id)
    assert await forget_past_events(desk.sessions, DAYS) == 0
    await workflows.moves(run.id)
    await workflows.decides(run.id, "ask", approve=False)
    await workflows.moves(run.id)
    assert status(await workflows.run(run.id)) != "RUNNING"

    order = runbook_service_pb2.ExecuteRequest(runbook_id=str(runbook.id), incident_id=incident.id)
    stream = running_server.runbooks.Execute(order, metadata=desk.team.responder.metadata)
    execution = (await stream.read()).event.execution
    assert await forget_past_events(desk.sessions, DAYS) == 0
    executor = ScriptedExecutor(running_server, execution.id)
    await executor.claim()
    await executor.finish()
    assert await forget_past_events(desk.sessions, DAYS) == 1

    assert await refusal_of(get_incident(desk, incident.id)) == GONE
    seen = await workflows.run(run.id)
    assert (seen.incident_id, status(seen)) == (incident.id, "FAILED")
    assert [one.id for one in await workflows.runs_of(incident_id=incident.id)] == [run.id]
    wanted = runbook_service_pb2.GetExecutionRequest(execution_id=execution.id)
    kept = (await running_server.runbooks.GetExecution(wanted, metadata=desk.team.observer.metadata)).execution
    assert kept.incident_id == incident.id
