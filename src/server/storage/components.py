"""Components of status pages, and how each of them was shown over time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    DateTime,
    RowMapping,
    Subquery,
    Update,
    Uuid,
    cast,
    delete,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import component_status_changes, components
from server.domain.component import Component, ComponentContent, ComponentReport, ComponentStatus
from server.domain.uptime import StatusChange
from server.storage import old_rows


async def find(session: AsyncSession, component_id: UUID) -> Component | None:
    row = (await session.execute(select(components).where(components.c.id == component_id))).mappings().one_or_none()
    return _component(row) if row else None


async def of_page(session: AsyncSession, status_page_id: UUID) -> list[Component]:
    """Answers all components of a page, in no order that means anything."""
    query = select(components).where(components.c.status_page_id == status_page_id)
    return [_component(row) for row in (await session.execute(query)).mappings()]


async def count_of_page(session: AsyncSession, status_page_id: UUID) -> int:
    """Answers how many components and groups a page has; exact for whoever holds the lock of the page."""
    query = select(func.count()).select_from(components).where(components.c.status_page_id == status_page_id)
    return await session.scalar(query) or 0


async def add(session: AsyncSession, component: Component) -> None:
    fixed = {
        "id": component.id,
        "status_page_id": component.status_page_id,
        "is_group": component.content.is_group,
        "created_at": component.created_at,
    }
    await session.execute(insert(components).values(**fixed, **_content(component)))


async def save(session: AsyncSession, component: Component) -> None:
    """Writes what a team says of it; the caller holds the lock of its page."""
    await session.execute(update(components).where(components.c.id == component.id).values(**_content(component)))


async def save_report(session: AsyncSession, component: Component) -> None:
    """Writes what its check said; the caller holds the lock of its page."""
    report = component.report
    await session.execute(
        update(components)
        .where(components.c.id == component.id)
        .values(
            report_status=report.status.value if report else None,
            report_reported_at=report.reported_at if report else None,
            report_expires_at=report.expires_at if report else None,
            report_status_when_silent=report.status_when_silent.value if report else None,
            report_is_silent=report.is_silent if report else False,
        )
    )


async def remove(session: AsyncSession, component_id: UUID) -> None:
    await session.execute(delete(components).where(components.c.id == component_id))


async def silent_page(session: AsyncSession, now: datetime, *, besides: Collection[UUID] = ()) -> UUID | None:
    """Answers the page of the report that expired first of those whose silence nobody noted, but none of `besides`."""
    query = (
        select(components.c.status_page_id)
        .where(
            components.c.report_expires_at <= now,
            ~components.c.report_is_silent,
            components.c.status_page_id.not_in(besides),
        )
        .order_by(components.c.report_expires_at)
        .limit(1)
    )
    found: UUID | None = await session.scalar(query)
    return found


async def last_changes(session: AsyncSession, component_ids: Collection[UUID]) -> dict[UUID, StatusChange]:
    """Answers how each was shown last, by one look into the index for each."""
    ids = _these(component_ids)
    changes = component_status_changes
    last = (
        select(changes.c.at, changes.c.status)
        .where(changes.c.component_id == ids.c.id)
        .order_by(changes.c.at.desc())
        .limit(1)
        .lateral("last")
    )
    rows = await session.execute(select(ids.c.id, last.c.at, last.c.status).select_from(ids.join(last, true())))
    return {row.id: StatusChange(row.at, ComponentStatus(row.status)) for row in rows}


async def changes_since(
    session: AsyncSession, component_ids: Collection[UUID], since: datetime
) -> dict[UUID, list[StatusChange]]:
    """Answers how each was shown from `since` on, oldest first, beginning with the change that was the last before."""
    ids = _these(component_ids)
    changes, earlier = component_status_changes, component_status_changes.alias("earlier")
    before = select(func.max(earlier.c.at)).where(earlier.c.component_id == ids.c.id, earlier.c.at <= since)
    first = func.coalesce(before.correlate(ids).scalar_subquery(), since)
    wanted = (
        select(changes.c.at, changes.c.status)
        .where(changes.c.component_id == ids.c.id, changes.c.at >= first)
        .correlate(ids)
        .lateral("wanted")
    )
    query = select(ids.c.id, wanted.c.at, wanted.c.status).select_from(ids.join(wanted, true()))
    found: dict[UUID, list[StatusChange]] = {component_id: [] for component_id in component_ids}
    for row in await session.execute(query.order_by(ids.c.id, wanted.c.at)):
        found[row.id].append(StatusChange(row.at, ComponentStatus(row.status)))
    return found


async def add_changes(session: AsyncSession, changes: Sequence[tuple[UUID, StatusChange]]) -> None:
    """Notes from when on components are shown how, one change of each, and with it until when the last one was true.

    The caller holds the lock of their page.
    """
    if changes:
        rows = [{"component_id": who, "at": change.at, "status": change.status.value} for who, change in changes]
        await session.execute(_end_former(changes))
        await session.execute(insert(component_status_changes), rows)


def _end_former(changes: Sequence[tuple[UUID, StatusChange]]) -> Update:
    former, earlier = component_status_changes, component_status_changes.alias("earlier")
    ids = func.unnest(cast([who for who, _ in changes], ARRAY(Uuid)))
    times = func.unnest(cast([change.at for _, change in changes], ARRAY(DateTime(timezone=True))))
    new = select(ids.label("id"), times.label("at")).subquery("new")
    last = select(func.max(earlier.c.at)).where(earlier.c.component_id == new.c.id, earlier.c.at < new.c.at)
    return (
        update(former)
        .where(former.c.component_id == new.c.id, former.c.at == last.correlate(new).scalar_subquery())
        .values(until=new.c.at)
    )


async def forget_former(session: AsyncSession, kept: timedelta, most: int) -> int:
    """Deletes at most so many of how components were shown until longer ago than `kept`; answers how many.

    How one was shown at the beginning of that time stays, however long ago that began.
    """
    return await old_rows.remove(session, component_status_changes.c.until, kept, most)


def _these(component_ids: Collection[UUID]) -> Subquery:
    return select(func.unnest(cast(list(component_ids), ARRAY(Uuid))).label("id")).subquery("ids")


def _content(component: Component) -> dict[str, object]:
    content = component.content
    return {
        "group_id": content.group_id,
        "name": content.name,
        "description": content.description,
        "status": content.status.value,
        "position": content.position,
        "only_show_if_degraded": content.only_show_if_degraded,
        "revision": component.revision,
        "updated_at": component.updated_at,
    }


def _report(row: RowMapping) -> ComponentReport | None:
    if row["report_status"] is None:
        return None
    return ComponentReport(
        ComponentStatus(row["report_status"]),
        row["report_reported_at"],
        row["report_expires_at"],
        ComponentStatus(row["report_status_when_silent"]),
        row["report_is_silent"],
    )


def _component(row: RowMapping) -> Component:
    return Component(
        id=row["id"],
        status_page_id=row["status_page_id"],
        content=ComponentContent(
            name=row["name"],
            description=row["description"],
            group_id=row["group_id"],
            is_group=row["is_group"],
            status=ComponentStatus(row["status"]),
            position=row["position"],
            only_show_if_degraded=row["only_show_if_degraded"],
        ),
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        report=_report(row),
    )
