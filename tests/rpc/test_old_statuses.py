"""How components were shown is forgotten once no figure needs it: the page is the same, to the last millionth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import select, update

from kernel.database import transaction
from kernel.status_page_tables import component_status_changes, components
from oncall.v1 import status_page_pb2
from server.domain.component import ComponentStatus
from server.domain.retention import LEAST_STATUS_DAYS
from server.domain.shown_page import ShownPage
from server.domain.uptime import StatusChange
from server.jobs import retention
from server.jobs.retention import forget_old_statuses
from server.operations.compose_page import compose_page, snapshot
from server.storage import components as stored_components
from server.storage import status_pages
from tests.status_pages import PUBLIC, StatusPageDesk

MAJOR, PARTIAL, OPERATIONAL = (
    status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE,
    status_page_pb2.COMPONENT_STATUS_PARTIAL_OUTAGE,
    status_page_pb2.COMPONENT_STATUS_OPERATIONAL,
)
DAY = timedelta(days=1)
COMPONENTS = 12
ZONES = ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York", "Australia/Lord_Howe")
READ_AFTER = (timedelta(0), timedelta(hours=7), 3 * DAY, 40 * DAY, 200 * DAY)

Histories = Mapping[UUID, Sequence[StatusChange]]


def a_history(random: Random, now: datetime) -> tuple[datetime, list[StatusChange]]:
    """Answers when a component was made and how it was shown since: for long or briefly, seldom or all the time."""
    created_at = now - random.choice((500, 200, 101, 99, 80, 1)) * DAY * random.random()
    around = random.choice((None, timedelta(days=LEAST_STATUS_DAYS), 90 * DAY, 89 * DAY))
    changes: list[StatusChange] = []
    for _ in range(random.choice((0, 1, 2, 5, 40))):
        at = created_at + (now - created_at) * random.random()
        if around and random.random() < 0.5:
            at = now - around + timedelta(minutes=random.choice((-900, -70, -5, 5, 70, 900)) * (1 + random.random()))
        if created_at < at < now:
            changes.append(StatusChange(at, random.choice(list(ComponentStatus))))
    changes.sort(key=lambda change: change.at)
    return created_at, [
        change for before, change in zip([None, *changes], changes, strict=False)
        if before is None or before.status is not change.status
    ]  # fmt: skip


async def a_page_with_histories(desk: StatusPageDesk, random: Random, now: datetime) -> tuple[UUID, Histories]:
    page = await desk.a_page(PUBLIC)
    made = [await desk.a_component(page, f"Component {number}") for number in range(COMPONENTS)]
    histories = {}
    for component_id in (UUID(component.id) for component in made):
        created_at, histories[component_id] = a_history(random, now)
        changed = {"created_at": created_at, "updated_at": created_at}
        async with transaction(desk.sessions) as tx:
            await tx.session.execute(update(components).where(components.c.id == component_id).values(changed))
            await tx.session.execute(
                component_status_changes.delete().where(component_status_changes.c.component_id == component_id)
            )
            for change in histories[component_id]:
                await stored_components.add_changes(tx.session, [(component_id, change)])
    return UUID(page.id), histories


async def the_page(desk: StatusPageDesk, page_id: UUID, zone: str, now: datetime) -> ShownPage:
    async with snapshot(desk.sessions) as session:
        page = await status_pages.find(session, page_id)
        assert page is not None
        return await compose_page(session, replace(page, content=replace(page.content, time_zone=zone)), (), now)


async def kept(desk: StatusPageDesk) -> dict[UUID, list[datetime]]:
    found: dict[UUID, list[datetime]] = {}
    async with desk.sessions() as session:
        query = select(component_status_changes).order_by(component_status_changes.c.at)
        for row in await session.execute(query):
            found.setdefault(row.component_id, []).append(row.at)
    return found


def needed(histories: Histories, since: datetime) -> dict[UUID, list[datetime]]:
    """Answers the changes since then, and the last one before, of each component that has one."""
    found = {}
    for component_id, changes in histories.items():
        times = [change.at for change in changes]
        before = [at for at in times if at <= since][-1:]
        if changes:
            found[component_id] = before + [at for at in times if at > since]
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_every_figure_is_the_same_with_and_without_what_was_forgotten(
    desk: StatusPageDesk, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 7)
    now = datetime.now(UTC)
    page_id, histories = await a_page_with_histories(desk, Random(seed), now)  # noqa: S311 - nothing to be guessed
    asked = [(zone, now + after) for zone in ZONES for after in READ_AFTER]
    before = [await the_page(desk, page_id, zone, at) for zone, at in asked]

    expected = needed(histories, now - timedelta(days=LEAST_STATUS_DAYS))
    old = sum(map(len, histories.values())) - sum(map(len, expected.values()))
    assert old > 0
    assert await forget_old_statuses(desk.sessions, 0) == 0
    assert await forget_old_statuses(desk.sessions, LEAST_STATUS_DAYS) == old
    assert await kept(desk) == expected
    assert [await the_page(desk, page_id, zone, at) for zone, at in asked] == before

    await forget_old_statuses(desk.sessions, 30)  # less than a page tells: this comparison sees what is missing
    assert await the_page(desk, page_id, *asked[0]) != before[0]


async def test_each_change_says_until_when_the_one_before_it_was_true(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    api, web = [await desk.a_component(page, name) for name in ("API", "Web")]
    for status in (MAJOR, PARTIAL, OPERATIONAL):
        await desk.sets(api.id, status=status)
    incident = await desk.an_incident(page, {api.id: MAJOR, web.id: PARTIAL})
    await desk.resolves(incident)
    async with desk.sessions() as session:
        query = select(component_status_changes).order_by(component_status_changes.c.at)
        rows = (await session.execute(query)).all()
    assert len(rows) == 6 + 3
    for component in (api, web):
        of_it = [row for row in rows if row.component_id == UUID(component.id)]
        assert [row.until for row in of_it] == [*(row.at for row in of_it[1:]), None]
    assert await forget_old_statuses(desk.sessions, 1) == 0
