"""Reads incidents, each caller those of their teams."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.incident import Incident, IncidentSeverity, IncidentStatus
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.violation import Violations, require_uuid
from server.operations.environment import Environment
from server.storage import incidents
from server.storage.incidents import IncidentFilter


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Which incidents, as sent; empty everywhere means all of them."""

    team_id: str
    service_id: str
    status_page_id: str
    status: str
    severity: str


async def load_incident(session: AsyncSession, call: Call, incident_id: UUID, *, lock: bool = False) -> Incident:
    """Answers an incident that the caller may use as this RPC does, without its updates.

    With `lock`, nobody else changes it meanwhile. Who may not is refused before: a lock that is waited for tells that
    there is something.
    """
    incident = await incidents.find(session, incident_id)
    if incident is None:
        raise not_found("incident")
    call.require(incident.team_id, "incident")
    if lock:
        incident = await incidents.find(session, incident_id, lock=True)
        if incident is None:
            raise not_found("incident")
    return incident


async def with_updates(session: AsyncSession, incident: Incident) -> Incident:
    """Answers the incident with all that was said of it."""
    updates = await incidents.updates_of(session, [incident.id])
    return replace(incident, updates=tuple(updates[incident.id]))


async def get_incident(env: Environment, call: Call, incident_id: str) -> Incident:
    wanted = require_uuid("incident_id", incident_id)
    async with env.sessions() as session:
        return await with_updates(session, await load_incident(session, call, wanted))


async def list_incidents(env: Environment, call: Call, query: IncidentQuery, request: PageRequest) -> Page[Incident]:
    """Lists the incidents that the caller may see, newest first, without updates."""
    violations = Violations()
    team = violations.optional_uuid("team_id", query.team_id)
    wanted = IncidentFilter(
        team_ids=[team] if team else call.visible_teams(),
        service_id=violations.optional_uuid("service_id", query.service_id),
        status_page_id=violations.optional_uuid("status_page_id", query.status_page_id),
        status=IncidentStatus.__members__.get(query.status),
        severity=IncidentSeverity.__members__.get(query.severity),
    )
    if query.status and wanted.status is None:
        violations.add("status", "must be one of " + ", ".join(IncidentStatus))
    if query.severity and wanted.severity is None:
        violations.add("severity", "must be one of " + ", ".join(IncidentSeverity))
    violations.raise_if_any()
    filters = {name: getattr(query, name) for name in IncidentQuery.__slots__}
    cursor = env.pager.open(call.method, filters, request)
    if team:
        call.require(team, "team")
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        found = await incidents.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda incident: incident.id)
