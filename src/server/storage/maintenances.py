"""Maintenances, and what was said of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, insert, literal, select, union_all, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Uuid

from kernel.incident_tables import maintenance_updates, maintenances
from server.domain.maintenance import ACTIVE, ENDED, Maintenance, MaintenanceStatus, MaintenanceUpdate
from server.storage.newest import Listing

_LISTING = Listing(maintenances, list(maintenances.c), (("status_page_id", "status"), ("status_page_id",), ()))
_ACTIVE = sorted(ACTIVE)
_FIXED = ("id", "status_page_id", "created_by", "created_at")
_CHANGING = (
    "title",
    "component_ids",
    "status",
    "scheduled_for",
    "scheduled_until",
    "started_at",
    "ended_at",
    "revision",
    "updated_at",
    "told_at",
)


async def find(session: AsyncSession, maintenance_id: UUID) -> Maintenance | None:
    """Answers one maintenance without its updates; whoever holds the lock of its page may change it."""
    row = (
        (await session.execute(select(maintenances).where(maintenances.c.id == maintenance_id)))
        .mappings()
        .one_or_none()
    )
    return _maintenance(row) if row else None


async def page(
    session: AsyncSession,
    status_page_id: UUID,
    *,
    status: MaintenanceStatus | None,
    before: UUID | None,
    limit: int,
) -> list[Maintenance]:
    """Answers maintenances of a page older than `before`, newest first, without their updates."""
    rows = await session.execute(page_query(status_page_id, status=status, before=before, limit=limit))
    return [_maintenance(row) for row in rows.mappings()]


def page_query(
    status_page_id: UUID, *, status: MaintenanceStatus | None, before: UUID | None, limit: int
) -> Select[Any]:
    values = {"status_page_id": status_page_id, "status": status}
    return _LISTING.page(values, team_ids=None, before=before, limit=limit)


async def of_page(
    session: AsyncSession, status_page_id: UUID, *, named: Collection[UUID] | None, limit: int
) -> list[Maintenance]:
    """Answers the newest maintenances of a page and all that have not ended, but none that was called off.

    With `named`, only those that name one of these components or groups.
    """
    query = select(maintenances).where(
        maintenances.c.status_page_id == status_page_id, maintenances.c.status != MaintenanceStatus.CANCELLED
    )
    if named is not None:
        query = query.where(maintenances.c.component_ids.overlap(literal(list(named), ARRAY(Uuid))))
    newest = query.order_by(maintenances.c.id.desc()).limit(limit)
    unended = query.where(maintenances.c.status.in_([s for s in MaintenanceStatus if s not in ENDED]))
    rows = {row["id"]: row for some in (newest, unended) for row in (await session.execute(some)).mappings()}
    return [_maintenance(row) for row in rows.values()]


async def maintained(session: AsyncSession, status_page_id: UUID) -> frozenset[UUID]:
    """Answers what maintenances that are under way name: components and groups."""
    query = select(maintenances.c.component_ids).where(
        maintenances.c.status_page_id == status_page_id, maintenances.c.status.in_(_ACTIVE)
    )
    return frozenset(component for ids in await session.scalars(query) for component in ids)


async def due_first(
    session: AsyncSession, now: datetime, *, besides: Collection[UUID] = ()
) -> tuple[UUID, UUID] | None:
    """Answers the maintenance that the clock has to move first, and its page, which is not one of `besides`.

    Statuses stand in the statement as they do in the indexes that exist for it, `ix_maintenances_to_…`.
    """
    columns = (maintenances.c.id, maintenances.c.status_page_id)
    status = maintenances.c.status
    elsewhere = maintenances.c.status_page_id.not_in(besides)
    to_begin = (
        select(*columns, maintenances.c.scheduled_for.label("due"))
        .where(
            maintenances.c.status == literal("SCHEDULED", literal_execute=True),
            maintenances.c.scheduled_for <= now,
            elsewhere,
        )
        .order_by(maintenances.c.scheduled_for)
        .limit(1)
    )
    under_way = (status == literal("IN_PROGRESS", literal_execute=True)) | (
        status == literal("VERIFYING", literal_execute=True)
    )
    to_complete = (
        select(*columns, maintenances.c.scheduled_until.label("due"))
        .where(under_way, maintenances.c.scheduled_until <= now, elsewhere)
        .order_by(maintenances.c.scheduled_until)
        .limit(1)
    )
    both = union_all(select(to_begin.subquery()), select(to_complete.subquery())).subquery()
    row = (await session.execute(select(both).order_by(both.c.due, both.c.id).limit(1))).one_or_none()
    return None if row is None else (row.id, row.status_page_id)


async def updates_of(
    session: AsyncSession, maintenance_ids: Collection[UUID], *, newest: int | None = None
) -> dict[UUID, list[MaintenanceUpdate]]:
    """Answers what was said of each, newest first; at most the `newest` so many of each."""
    of_one = (
        select(maintenance_updates)
        .where(maintenance_updates.c.maintenance_id == maintenances.c.id)
        .order_by(maintenance_updates.c.id.desc())
        .limit(newest)
        .lateral("of_one")
    )
    query = select(of_one).select_from(maintenances).join(of_one, maintenances.c.id == of_one.c.maintenance_id)
    query = query.where(maintenances.c.id.in_(maintenance_ids))
    found: dict[UUID, list[MaintenanceUpdate]] = {}
    ordered = query.order_by(of_one.c.maintenance_id, of_one.c.id.desc())
    for row in (await session.execute(ordered)).mappings():
        said = MaintenanceUpdate(**{**row, "status": MaintenanceStatus(row["status"])})
        found.setdefault(said.maintenance_id, []).append(said)
    return found


async def add(session: AsyncSession, maintenance: Maintenance) -> None:
    """Adds a maintenance with its first update."""
    await session.execute(insert(maintenances).values(**_values(maintenance, _FIXED + _CHANGING)))
    await add_update(session, maintenance.updates[0])


async def save(session: AsyncSession, maintenance: Maintenance) -> None:
    """Writes what can change; the caller holds the lock of its page."""
    values = _values(maintenance, _CHANGING)
    await session.execute(update(maintenances).where(maintenances.c.id == maintenance.id).values(**values))


async def add_update(session: AsyncSession, said: MaintenanceUpdate) -> None:
    names = ("id", "maintenance_id", "status", "message", "created_by", "created_at")
    await session.execute(insert(maintenance_updates).values(**{name: getattr(said, name) for name in names}))


def _values(maintenance: Maintenance, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: getattr(maintenance, name) for name in names}
    return {**values, "component_ids": list(maintenance.component_ids)}


def _maintenance(row: RowMapping) -> Maintenance:
    status, named = MaintenanceStatus(row["status"]), tuple(row["component_ids"])
    return Maintenance(**{**row, "status": status, "component_ids": named})
