"""Opens incidents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.incident import (
    INVESTIGATING,
    MOST_OPEN,
    OPEN,
    OPENED,
    RESOLVED,
    RESOLVED_SENTENCE,
    Incident,
    IncidentSeverity,
    IncidentStatus,
    Said,
    tell,
    too_many_open,
)
from server.domain.incident_content import (
    LONGEST_DESCRIPTION,
    check_impacts,
    check_labels,
    check_message,
    check_title,
)
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.violation import Violations
from server.domain.workflow.definition import Event
from server.operations.announce import Announcer
from server.operations.change import change
from server.operations.create_runbook import require_service
from server.operations.environment import Environment
from server.operations.note_incident_event import note_incident_event
from server.operations.once import first_result, remember
from server.operations.read_incidents import load_incident, with_updates
from server.operations.settle_page import lock_page, settle_page
from server.operations.tell_incident import CREATED, tell_incident
from server.storage import components, incidents, status_pages, teams


@dataclass(frozen=True, slots=True)
class IncidentDraft:
    """An incident as sent: nothing checked; each impact is a component's id and the name of a status."""

    team_id: str
    service_id: str
    status_page_id: str
    title: str
    description: str = field(repr=False)
    severity: str
    status: str
    impacts: Sequence[tuple[str, str]]
    labels: Mapping[str, str]
    started_at: datetime | None
    message: str


@dataclass(frozen=True, slots=True)
class _Checked:
    team_id: UUID
    service_id: UUID | None
    status_page_id: UUID | None
    severity: IncidentSeverity
    said: Said


async def create_incident(
    env: Environment, call: Call, announcer: Announcer, draft: IncidentDraft, key: RequestKey
) -> Incident:
    """Opens an incident with its first update; one without a message gets the platform's sentence."""
    now = env.now()
    checked = _check(draft, key, now)
    async with change(env.sessions, call) as tx:
        call.require(checked.team_id, "team")
        if await teams.find(tx.session, checked.team_id) is None:
            raise not_found("team")
        if checked.status_page_id is not None:
            await _require_page(tx.session, checked.team_id, checked.status_page_id)
            await lock_page(tx, checked.status_page_id, now)
        if first := await first_result(tx.session, call, key):
            incident = await load_incident(tx.session, call, UUID(first["incident_id"]))
            return await with_updates(tx.session, incident)
        await require_service(tx.session, checked.team_id, checked.service_id)
        if checked.status_page_id is not None:
            await require_impacts(tx.session, checked.status_page_id, checked.said.impacts, "incident.impacts")
            await require_room(tx.session, checked.status_page_id, checked.said.status)
        incident = _incident(env, call, draft, checked, now)
        await incidents.add(tx.session, incident)
        await remember(tx.session, call, key, {"incident_id": str(incident.id)})
        await tx.audit(
            "incident.created",
            incident.id,
            team_id=incident.team_id,
            title=incident.title,
            severity=incident.severity,
            status=incident.status,
        )
        by = call.caller.user_id
        created = Event.INCIDENT_CREATED
        await note_incident_event(tx, announcer, created, incident, event_id=env.new_id(), by=by, at=now)
        await tell_incident(tx.session, incident, CREATED, incident.updates[0].message, now)
        if incident.status_page_id is not None:
            await settle_page(tx, incident.status_page_id, now)
    return incident


async def require_impacts(
    session: AsyncSession,
    page_id: UUID,
    impacts: Collection[UUID],
    field: str,
    *,
    besides: Collection[UUID] = (),
) -> None:
    """Wants components of the page, and no groups, which are as their children are; or what is known `besides`."""
    if not impacts:
        return
    known = {c.id for c in await components.of_page(session, page_id) if not c.content.is_group} | set(besides)
    violations = Violations()
    for index, component_id in enumerate(impacts):
        if component_id not in known:
            violations.add(f"{field}[{index}].component_id", "must be a component of the page, and no group")
    violations.raise_if_any()


async def require_room(session: AsyncSession, page_id: UUID, status: IncidentStatus | None) -> None:
    """Refuses one more open incident on a page that has as many as it may; the caller holds the lock of the page."""
    if status in OPEN and await incidents.count_open(session, page_id) >= MOST_OPEN:
        raise too_many_open()


async def _require_page(session: AsyncSession, team_id: UUID, page_id: UUID) -> None:
    page = await status_pages.find(session, page_id)
    if page is None or page.team_id != team_id:
        raise not_found("status page")


def _check(draft: IncidentDraft, key: RequestKey, now: datetime) -> _Checked:
    violations = Violations()
    team_id = violations.uuid("incident.team_id", draft.team_id)
    service_id = violations.optional_uuid("incident.service_id", draft.service_id)
    page_id = violations.optional_uuid("incident.status_page_id", draft.status_page_id)
    check_title(violations, "incident.title", draft.title)
    violations.text("incident.description", draft.description, longest=LONGEST_DESCRIPTION)
    if draft.severity not in IncidentSeverity.__members__:
        violations.add("incident.severity", "must be one of " + ", ".join(IncidentSeverity))
    status = IncidentStatus.__members__.get(draft.status or INVESTIGATING)
    if status is None or status not in OPEN | {RESOLVED}:
        violations.add("incident.status", "must be one of INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED")
    impacts = check_impacts(violations, "incident.impacts", draft.impacts)
    if impacts and page_id is None:
        violations.add("incident.impacts", "need a status page")
    if impacts and status is RESOLVED:
        violations.add("incident.impacts", "must be empty for what is over: how it was shown cannot change any more")
    check_labels(violations, "incident.labels", draft.labels)
    if draft.started_at is not None and draft.started_at > now:
        violations.add("incident.started_at", "must not be in the future")
    check_message(violations, "message", draft.message, required=False)
    key.check(violations)
    violations.raise_if_any()
    severity = IncidentSeverity[draft.severity]
    return _Checked(team_id, service_id, page_id, severity, Said(draft.message, status, impacts))


def _incident(env: Environment, call: Call, draft: IncidentDraft, checked: _Checked, now: datetime) -> Incident:
    incident = Incident(
        id=env.new_id(),
        team_id=checked.team_id,
        service_id=checked.service_id,
        status_page_id=checked.status_page_id,
        title=draft.title,
        description=draft.description,
        severity=checked.severity,
        status=INVESTIGATING,
        labels=dict(draft.labels),
        started_at=draft.started_at or now,
        acknowledged_at=None,
        acknowledged_by=None,
        monitoring_at=None,
        resolved_at=None,
        revision=0,
        created_by=call.caller.user_id,
        created_at=now,
        updated_at=now,
    )
    sentence = RESOLVED_SENTENCE if checked.said.status is RESOLVED else OPENED
    said = Said(draft.message or sentence, checked.said.status, checked.said.impacts)
    return tell(incident, said, update_id=env.new_id(), by=call.caller.user_id if draft.message else None, at=now)
