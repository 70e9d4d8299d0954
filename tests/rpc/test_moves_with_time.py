"""What time does to a page: maintenances begin and end, checks fall silent; once, in order, whoever runs or dies."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from kernel.database import transaction
from kernel.incident_tables import maintenance_updates, maintenances
from kernel.status_page_tables import component_status_changes, components, status_pages
from oncall.v1 import maintenance_pb2, status_page_pb2, status_page_service_pb2
from server.operations import move_with_time
from server.operations.move_with_time import move_due_maintenances, note_silent_checks
from tests.rpc.audited import audited
from tests.status_pages import PUBLIC, StatusPageDesk

OPERATIONAL = status_page_pb2.COMPONENT_STATUS_OPERATIONAL
MAJOR = status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE
PARTIAL = status_page_pb2.COMPONENT_STATUS_PARTIAL_OUTAGE
UNDER_MAINTENANCE = status_page_pb2.COMPONENT_STATUS_UNDER_MAINTENANCE
SCHEDULED, IN_PROGRESS, COMPLETED = (
    maintenance_pb2.MAINTENANCE_STATUS_SCHEDULED,
    maintenance_pb2.MAINTENANCE_STATUS_IN_PROGRESS,
    maintenance_pb2.MAINTENANCE_STATUS_COMPLETED,
)


async def _get(desk: StatusPageDesk, maintenance_id: str) -> maintenance_pb2.Maintenance:
    request = status_page_service_pb2.GetMaintenanceRequest(maintenance_id=maintenance_id)
    return (await desk.pages.GetMaintenance(request, metadata=desk.team.observer.metadata)).maintenance


async def _version(desk: StatusPageDesk, page_id: str) -> int:
    async with desk.sessions() as session:
        query = select(status_pages.c.page_version).where(status_pages.c.id == UUID(page_id))
        return await session.scalar(query) or 0


async def _shift(desk: StatusPageDesk, by: timedelta) -> None:
    """Lets all maintenances have been announced for so much earlier."""
    times = {name: maintenances.c[name] - by for name in ("scheduled_for", "scheduled_until")}
    async with transaction(desk.sessions) as tx:
        await tx.session.execute(update(maintenances).values(times))


async def test_a_maintenance_begins_and_ends_at_its_times(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    group = await desk.a_component(page, "Group", group=True)
    child = await desk.a_component(page, "API", group_id=group.id, status=MAJOR)
    made = await desk.a_maintenance(page, group.id, begins=timedelta(minutes=30))
    assert await move_due_maintenances(desk.sessions) == 0

    before = await _version(desk, page.id)
    await _shift(desk, timedelta(minutes=31))
    assert await move_due_maintenances(desk.sessions) == 1
    begun = await _get(desk, made.id)
    assert (begun.status, begun.updates[0].status, begun.updates[0].created_by) == (IN_PROGRESS, IN_PROGRESS, "")
    assert [component.status for component in (await desk.read(page.slug)).components] == [UNDER_MAINTENANCE] * 2
    assert await _version(desk, page.id) == before + 1

    await desk.an_incident(page, {child.id: PARTIAL})
    assert [component.status for component in (await desk.read(page.slug)).components] == [PARTIAL] * 2
    await _shift(desk, timedelta(hours=1))
    assert await move_due_maintenances(desk.sessions) == 1
    assert await move_due_maintenances(desk.sessions) == 0
    ended = await _get(desk, made.id)
    assert (ended.status, len(ended.updates)) == (COMPLETED, 3)
    assert ended.HasField("ended_at")
    statuses = [status for _, status in await desk.history(child.id)]
    assert statuses == ["MAJOR_OUTAGE", "UNDER_MAINTENANCE", "PARTIAL_OUTAGE", "MAJOR_OUTAGE"]
    moves = await audited(desk.sessions, action="maintenance.moved")
    assert [(row["actor_id"], row["detail"]["to_status"]) for row in moves] == [
        (None, "IN_PROGRESS"),
        (None, "COMPLETED"),
    ]


async def test_what_was_missed_is_caught_up_with_in_order(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    api = await desk.a_component(page, "API")
    first = await desk.a_maintenance(page, api.id, begins=timedelta(hours=1))
    second = await desk.a_maintenance(page, api.id, begins=timedelta(hours=3))
    await _shift(desk, timedelta(hours=10))
    assert await move_due_maintenances(desk.sessions) == 4
    async with desk.sessions() as session:
        query = select(maintenance_updates.c.maintenance_id, maintenance_updates.c.status)
        rows = (await session.execute(query.order_by(maintenance_updates.c.id))).all()
    assert [(str(row.maintenance_id), row.status) for row in rows][2:] == [
        (first.id, "IN_PROGRESS"),
        (first.id, "COMPLETED"),
        (second.id, "IN_PROGRESS"),
        (second.id, "COMPLETED"),
    ]


async def test_several_jobs_at_once_move_each_maintenance_once(desk: StatusPageDesk) -> None:
    pages = [await desk.a_page() for _ in range(4)]
    made = []
    for page in pages:
        component = await desk.a_component(page, "API")
        made += [await desk.a_maintenance(page, component.id) for _ in range(3)]
    await _shift(desk, timedelta(hours=1, seconds=1))
    counts = await asyncio.gather(*(move_due_maintenances(desk.sessions) for _ in range(4)))
    left = await move_due_maintenances(desk.sessions)  # pages that were busy were left to the next round
    assert sum(counts) + left == len(made)
    for maintenance in made:
        found = await _get(desk, maintenance.id)
        assert (found.status, len(found.updates)) == (IN_PROGRESS, 2)


async def test_a_job_that_dies_before_it_commits_leaves_nothing_and_the_next_one_does_it(
    desk: StatusPageDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await desk.a_page()
    component = await desk.a_component(page, "API")
    made = [await desk.a_maintenance(page, component.id) for _ in range(2)]
    await _shift(desk, timedelta(hours=1, seconds=1))
    whole, calls = move_with_time.store_change, 0

    async def dies_at_the_second(*args: object) -> object:
        nonlocal calls
        calls += 1
        answer = await whole(*args)  # type: ignore[arg-type]
        if calls == 2:
            raise asyncio.CancelledError
        return answer

    monkeypatch.setattr(move_with_time, "store_change", dies_at_the_second)
    with pytest.raises(asyncio.CancelledError):
        await move_due_maintenances(desk.sessions)
    found = [await _get(desk, maintenance.id) for maintenance in made]
    assert [(one.status, len(one.updates)) for one in found] == [(IN_PROGRESS, 2), (SCHEDULED, 1)]
    monkeypatch.setattr(move_with_time, "store_change", whole)
    assert await move_due_maintenances(desk.sessions) == 1


async def test_the_silence_of_a_check_shows_at_once_and_is_noted_for_the_moment_when_it_began(
    desk: StatusPageDesk,
) -> None:
    page = await desk.a_page(PUBLIC)
    api = await desk.a_component(page, "API")
    reported = await desk.reports(api.id, OPERATIONAL, seconds=60)
    assert (await desk.read(page.slug)).content_expires_at == reported.report.expires_at
    silent_since = datetime.now(UTC) - timedelta(minutes=7)
    async with transaction(desk.sessions) as tx:
        moved = {"created_at": components.c.created_at - timedelta(hours=1), "report_expires_at": silent_since}
        await tx.session.execute(update(components).values(moved))
        await tx.session.execute(update(components).values(report_reported_at=func.now() - timedelta(minutes=30)))
        await tx.session.execute(
            update(component_status_changes).values(at=component_status_changes.c.at - timedelta(hours=1))
        )
    seen = await desk.read(page.slug)  # nobody has noted it yet
    assert seen.components[0].status == MAJOR
    before = await _version(desk, page.id)
    counts = await asyncio.gather(*(note_silent_checks(desk.sessions) for _ in range(3)))
    assert sum(counts) == 1
    assert (await desk.history(api.id))[-1] == (silent_since, "MAJOR_OUTAGE")
    assert await _version(desk, page.id) == before + 1
    after = await desk.read(page.slug)
    assert after.components == seen.components
    assert [day.major_seconds for day in after.uptimes[0].days] == [day.major_seconds for day in seen.uptimes[0].days]
    await desk.reports(api.id, OPERATIONAL)
    assert (await desk.read(page.slug)).components[0].status == OPERATIONAL


async def test_a_change_that_comes_before_the_jobs_notes_the_silence_first(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    api = await desk.a_component(page, "API")
    await desk.reports(api.id, OPERATIONAL, status_when_silent=PARTIAL)
    silent_since = datetime.now(UTC)
    async with transaction(desk.sessions) as tx:
        await tx.session.execute(update(components).values(report_expires_at=silent_since))
    incident = await desk.an_incident(page, {api.id: MAJOR})
    await desk.resolves(incident)
    assert await note_silent_checks(desk.sessions) == 0
    history = await desk.history(api.id)
    assert [status for _, status in history] == ["OPERATIONAL", "PARTIAL_OUTAGE", "MAJOR_OUTAGE", "PARTIAL_OUTAGE"]
    assert history[1][0] == silent_since
