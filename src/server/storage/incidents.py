"""Incidents, what they do to components, and what was said of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.incident_tables import incident_impacts, incident_updates, incidents
from server.domain.component import ComponentStatus
from server.domain.incident import (
    Impact,
    ImpactChange,
    Incident,
    IncidentSeverity,
    IncidentStatus,
    IncidentUpdate,
)
from server.storage.newest import Listing

_LISTING = Listing(
    incidents,
    list(incidents.c),
    (
        ("service_id",),
        ("status_page_id",),
        ("team_id", "status"),
        ("team_id", "severity"),
        ("team_id",),
        (),
    ),
)


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents; None everywhere means all of them."""

    team_ids: Collection[UUID] | None = None
    service_id: UUID | None = None
    status_page_id: UUID | None = None
    status: IncidentStatus | None = None
    severity: IncidentSeverity | None = None


async def find(session: AsyncSession, incident_id: UUID, *, lock: bool = False) -> Incident | None:
    """Answers one incident with its impacts; with `lock`, nobody else changes it before this transaction ends."""
    query = select(incidents).where(incidents.c.id == incident_id)
    row = (await session.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    impacts = await _impacts(session, [incident_id])  # also where there is none: both must take the same way
    return _incident(row, impacts.get(incident_id, ())) if row else None


async def page(session: AsyncSession, wanted: IncidentFilter, *, before: UUID | None, limit: int) -> list[Incident]:
    """Answers incidents older than `before`, newest first, with their impacts and without their updates."""
    rows = (await session.execute(page_query(wanted, before=before, limit=limit))).mappings().all()
    impacts = await _impacts(session, [row["id"] for row in rows])
    return [_incident(row, impacts.get(row["id"], ())) for row in rows]


async def some(session: AsyncSession, incident_ids: Collection[UUID]) -> list[Incident]:
    """Answers those of the incidents that there are, with their impacts and without their updates."""
    rows = (await session.execute(select(incidents).where(incidents.c.id.in_(incident_ids)))).mappings().all()
    impacts = await _impacts(session, [row["id"] for row in rows])
    return [_incident(row, impacts.get(row["id"], ())) for row in rows]


def page_query(wanted: IncidentFilter, *, before: UUID | None, limit: int) -> Select[Any]:
    values = {
        "service_id": wanted.service_id,
        "status_page_id": wanted.status_page_id,
        "status": wanted.status,
        "severity": wanted.severity,
    }
    return _LISTING.page(values, team_ids=wanted.team_ids, before=before, limit=limit)


async def of_page(
    session: AsyncSession, status_page_id: UUID, *, seen: Collection[UUID] | None, limit: int
) -> list[Incident]:
    """Answers the newest incidents of a page and all that are open, with impacts, but without updates.

    With `seen`, only those that ever affected one of these components, or none at all.
    """
    query = select(incidents).where(incidents.c.status_page_id == status_page_id, *_seen(seen))
    newest = query.order_by(incidents.c.id.desc()).limit(limit)
    opened = query.where(incidents.c.resolved_at.is_(None))
    rows = {row["id"]: row for some in (newest, opened) for row in (await session.execute(some)).mappings()}
    impacts = await _impacts(session, list(rows))
    return [_incident(row, impacts.get(row["id"], ())) for row in rows.values()]


async def count_open(session: AsyncSession, status_page_id: UUID) -> int:
    """Answers how many incidents of a page are open; exact for whoever holds the lock of the page."""
    of_it = (incidents.c.status_page_id == status_page_id, incidents.c.resolved_at.is_(None))
    return await session.scalar(select(func.count()).select_from(incidents).where(*of_it)) or 0


async def open_impacts(session: AsyncSession, status_page_id: UUID) -> dict[UUID, list[ComponentStatus]]:
    """Answers what open incidents do to components of the page just now."""
    query = (
        select(incident_impacts.c.component_id, incident_impacts.c.status)
        .join_from(incidents, incident_impacts)
        .where(
            incidents.c.status_page_id == status_page_id,
            incidents.c.resolved_at.is_(None),
            incident_impacts.c.status != ComponentStatus.OPERATIONAL.value,
        )
    )
    found: dict[UUID, list[ComponentStatus]] = {}
    for row in await session.execute(query):
        found.setdefault(row.component_id, []).append(ComponentStatus(row.status))
    return found


async def updates_of(
    session: AsyncSession, incident_ids: Collection[UUID], *, newest: int | None = None
) -> dict[UUID, list[IncidentUpdate]]:
    """Answers what was said of each, newest first; at most the `newest` so many of each."""
    of_one = (
        select(incident_updates)
        .where(incident_updates.c.incident_id == incidents.c.id)
        .order_by(incident_updates.c.id.desc())
        .limit(newest)
        .lateral("of_one")
    )
    query = select(of_one).select_from(incidents).join(of_one, incidents.c.id == of_one.c.incident_id)
    query = query.where(incidents.c.id.in_(incident_ids)).order_by(of_one.c.incident_id, of_one.c.id.desc())
    found: dict[UUID, list[IncidentUpdate]] = {}
    for row in (await session.execute(query)).mappings():
        found.setdefault(row["incident_id"], []).append(_update(row))
    return found


async def add(session: AsyncSession, incident: Incident) -> None:
    """Adds an incident with its impacts and its updates."""
    fixed = {
        "id": incident.id,
        "team_id": incident.team_id,
        "service_id": incident.service_id,
        "status_page_id": incident.status_page_id,
        "title": incident.title,
        "description": incident.description,
        "labels": dict(incident.labels),
        "started_at": incident.started_at,
        "created_by": incident.created_by,
        "created_at": incident.created_at,
    }
    await session.execute(insert(incidents).values(**fixed, **_moving(incident)))
    await _save_impacts(session, incident)
    await add_update(session, incident.updates[0])


async def save(session: AsyncSession, incident: Incident) -> None:
    """Writes what moves, and its impacts; the caller holds the lock of the row."""
    await session.execute(update(incidents).where(incidents.c.id == incident.id).values(**_moving(incident)))
    await _save_impacts(session, incident)


async def add_update(session: AsyncSession, said: IncidentUpdate) -> None:
    changes = [
        {
            "component_id": str(change.component_id),
            "old_status": change.old_status.value,
            "new_status": change.new_status.value,
        }
        for change in said.impact_changes
    ]
    await session.execute(
        insert(incident_updates).values(
            id=said.id,
            incident_id=said.incident_id,
            status=said.status,
            message=said.message,
            impact_changes=changes,
            created_by=said.created_by,
            created_at=said.created_at,
            severity=said.severity,
        )
    )


async def _save_impacts(session: AsyncSession, incident: Incident) -> None:
    if not incident.impacts:
        return
    statement = postgresql.insert(incident_impacts)
    statement = statement.on_conflict_do_update(
        index_elements=["incident_id", "component_id"],
        set_={"status": statement.excluded.status, "worst": statement.excluded.worst},
    )
    rows = [
        {
            "incident_id": incident.id,
            "component_id": impact.component_id,
            "status": impact.status.value,
            "worst": impact.worst.value,
        }
        for impact in incident.impacts
    ]
    await session.execute(statement, rows)


async def _impacts(session: AsyncSession, incident_ids: Sequence[UUID]) -> dict[UUID, list[Impact]]:
    query = select(incident_impacts).where(incident_impacts.c.incident_id.in_(incident_ids))
    found: dict[UUID, list[Impact]] = {}
    for row in await session.execute(query.order_by(incident_impacts.c.component_id)):
        impact = Impact(row.component_id, ComponentStatus(row.status), ComponentStatus(row.worst))
        found.setdefault(row.incident_id, []).append(impact)
    return found


def _seen(components: Collection[UUID] | None) -> Sequence[ColumnElement[bool]]:
    if components is None:
        return ()
    affects = exists().where(
        incident_impacts.c.incident_id == incidents.c.id,
        incident_impacts.c.worst != ComponentStatus.OPERATIONAL.value,
    )
    return (or_(~affects, affects.where(incident_impacts.c.component_id.in_(components))),)


def _moving(incident: Incident) -> dict[str, object]:
    names = ("status", "severity", "acknowledged_at", "acknowledged_by", "monitoring_at", "resolved_at", "revision")
    return {name: getattr(incident, name) for name in (*names, "updated_at")}


def _incident(row: RowMapping, impacts: Sequence[Impact]) -> Incident:
    return replace(incident_of(row), impacts=tuple(impacts))


def incident_of(row: RowMapping | Mapping[str, Any]) -> Incident:
    """Answers the incident of a row that has its columns by name, without impacts and updates."""
    return Incident(**{**row, "severity": IncidentSeverity(row["severity"]), "status": IncidentStatus(row["status"])})


def _update(row: RowMapping) -> IncidentUpdate:
    changes = tuple(
        ImpactChange(
            UUID(change["component_id"]),
            ComponentStatus(change["old_status"]),
            ComponentStatus(change["new_status"]),
        )
        for change in row["impact_changes"]
    )
    kept = {
        **row,
        "status": IncidentStatus(row["status"]),
        "impact_changes": changes,
        "severity": IncidentSeverity(row["severity"]) if row["severity"] else None,
    }
    return IncidentUpdate(**kept)
