"""Says things of incidents, takes them on and resolves them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.errors import FieldViolation, InvalidArgument
from server.domain.incident import (
    OPEN,
    RESOLVED,
    RESOLVED_SENTENCE,
    Incident,
    IncidentSeverity,
    IncidentStatus,
    Said,
    tell,
)
from server.domain.incident_content import check_impacts, check_message
from server.domain.permission import Call
from server.domain.request_key import RequestKey
from server.domain.violation import Violations, require_uuid
from server.domain.workflow.definition import Event
from server.operations.announce import Announcer
from server.operations.change import Change, change
from server.operations.create_incident import require_impacts, require_room
from server.operations.environment import Environment
from server.operations.note_incident_event import note_incident_event
from server.operations.once import first_result, remember
from server.operations.read_incidents import load_incident, with_updates
from server.operations.settle_page import find_and_lock_page, settle_page
from server.operations.tell_incident import UPDATED, event_of, tell_incident
from server.storage import incidents

TAKEN_ON = "Somebody has taken it on."


@dataclass(frozen=True, slots=True)
class UpdateDraft:
    """What somebody says of an incident, as sent; an empty status or severity: it stands where it stood."""

    incident_id: str
    status: str
    message: str
    impacts: Sequence[tuple[str, str]]
    etag: str
    severity: str = ""


async def add_incident_update(
    env: Environment, call: Call, announcer: Announcer, draft: UpdateDraft, key: RequestKey
) -> Incident:
    """Says something of an incident, once for a request id."""
    wanted, said = _check(draft, key)
    now = env.now()
    async with _changing(env, call, wanted, now) as (tx, incident):
        if await first_result(tx.session, call, key):
            return await with_updates(tx.session, incident)
        incident.require_etag(draft.etag)
        await _require_known(tx, incident, said)
        if incident.status not in OPEN and incident.status_page_id is not None:
            await require_room(tx.session, incident.status_page_id, said.status)
        told = await _tell(
            tx, env, announcer, incident, said, by=call.caller.user_id, author=call.caller.user_id, at=now
        )
        await remember(tx.session, call, key, {"incident_id": str(incident.id)})
    return told


async def resolve_incident(
    env: Environment, call: Call, announcer: Announcer, incident_id: str, message: str
) -> Incident:
    """Resolves an incident; one that is resolved stays as it is, and what is said then is not told."""
    violations = Violations()
    wanted = violations.uuid("incident_id", incident_id)
    check_message(violations, "message", message, required=False)
    violations.raise_if_any()
    now = env.now()
    async with _changing(env, call, wanted, now) as (tx, incident):
        if incident.status not in OPEN:
            return await with_updates(tx.session, incident)
        said = Said(message or RESOLVED_SENTENCE, RESOLVED)
        by = call.caller.user_id
        return await _tell(tx, env, announcer, incident, said, by=by, author=by if message else None, at=now)


async def acknowledge_incident(env: Environment, call: Call, announcer: Announcer, incident_id: str) -> Incident:
    """Notes who takes an incident on; whoever did so first stays it. Readers of pages do not hear of it."""
    wanted = require_uuid("incident_id", incident_id)
    async with change(env.sessions, call) as tx:
        incident = await load_incident(tx.session, call, wanted, lock=True)
        if incident.acknowledged_at is None:
            now = env.now()
            incident = incident.changed(now, acknowledged_at=now, acknowledged_by=call.caller.user_id)
            await incidents.save(tx.session, incident)
            await tx.audit("incident.acknowledged", incident.id, team_id=incident.team_id, title=incident.title)
            updated, by = Event.INCIDENT_UPDATED, call.caller.user_id
            await note_incident_event(tx, announcer, updated, incident, event_id=env.new_id(), by=by, at=now)
            await tell_incident(tx.session, incident, UPDATED, TAKEN_ON, now)
        return await with_updates(tx.session, incident)


@asynccontextmanager
async def _changing(
    env: Environment, call: Call, incident_id: UUID, now: datetime
) -> AsyncIterator[tuple[Change, Incident]]:
    """Opens the transaction of a change: the page is locked, if there is one, and then the incident."""
    async with change(env.sessions, call) as tx:
        found = await load_incident(tx.session, call, incident_id)
        if found.status_page_id is not None:
            await find_and_lock_page(tx, found.status_page_id, now)  # where it has just gone, the incident stays
        yield tx, await load_incident(tx.session, call, incident_id, lock=True)


async def _tell(
    tx: Change,
    env: Environment,
    announcer: Announcer,
    incident: Incident,
    said: Said,
    *,
    by: UUID,
    author: UUID | None,
    at: datetime,
) -> Incident:
    """Stores what `by` does to an incident; `author` is who said it, None where the sentence is the platform's."""
    told = tell(incident, said, update_id=env.new_id(), by=author, at=at)
    await incidents.save(tx.session, told)
    await incidents.add_update(tx.session, told.updates[0])
    severities = {"from_severity": incident.severity, "to_severity": told.severity}
    await tx.audit(
        "incident.updated",
        told.id,
        team_id=told.team_id,
        from_status=incident.status,
        to_status=told.status,
        **(severities if told.severity is not incident.severity else {}),
    )
    resolved = incident.status in OPEN and told.status is RESOLVED
    event = Event.INCIDENT_RESOLVED if resolved else Event.INCIDENT_UPDATED
    await note_incident_event(tx, announcer, event, told, event_id=env.new_id(), by=by, at=at)
    await tell_incident(tx.session, told, event_of(incident, told), told.updates[0].message, at)
    if told.status_page_id is not None:
        await settle_page(tx, told.status_page_id, at)
    return await with_updates(tx.session, told)


async def _require_known(tx: Change, incident: Incident, said: Said) -> None:
    """Wants components of the page; what the incident affects already may be named also when it is no more."""
    affected = {impact.component_id for impact in incident.impacts}
    if affected.issuperset(said.impacts):
        return
    if incident.status_page_id is None:
        raise InvalidArgument([FieldViolation("impacts", "need a status page, which this incident has not")])
    await require_impacts(tx.session, incident.status_page_id, said.impacts, "impacts", besides=affected)


def _check(draft: UpdateDraft, key: RequestKey) -> tuple[UUID, Said]:
    violations = Violations()
    wanted = violations.uuid("incident_id", draft.incident_id)
    check_message(violations, "message", draft.message, required=True)
    status = IncidentStatus.__members__.get(draft.status)
    if draft.status and status is None:
        violations.add("status", "must be one of " + ", ".join(IncidentStatus))
    severity = IncidentSeverity.__members__.get(draft.severity)
    if draft.severity and severity is None:
        violations.add("severity", "must be one of " + ", ".join(IncidentSeverity))
    impacts = check_impacts(violations, "impacts", draft.impacts)
    key.check(violations)
    violations.raise_if_any()
    return wanted, Said(draft.message, status, impacts, severity)
