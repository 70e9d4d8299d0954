"""Tells a team's channels of what happened to an incident, in the transaction in which it happens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.delivery import NotificationEvent
from server.domain.incident import OPEN, RESOLVED, Incident
from server.operations.notify_team import Happening, notify_team

CREATED, UPDATED = NotificationEvent.INCIDENT_CREATED, NotificationEvent.INCIDENT_UPDATED
ENDED = NotificationEvent.INCIDENT_RESOLVED


def event_of(before: Incident, after: Incident) -> NotificationEvent:
    """Answers what an update was: the end of an incident that was open, or anything else."""
    return ENDED if before.status in OPEN and after.status is RESOLVED else UPDATED


async def tell_incident(
    session: AsyncSession, incident: Incident, event: NotificationEvent, message: str, now: datetime
) -> None:
    """Tells of an incident as it is now; `message` is what was said of it. Each of its revisions is told of once."""
    await notify_team(session, happening(incident, event, message), now)


def happening(incident: Incident, event: NotificationEvent, message: str) -> Happening:
    verb = {CREATED: "opened", ENDED: "resolved"}.get(event, "updated")
    return Happening(
        dedupe_key=f"incident:{incident.id}:{incident.revision}",
        team_id=incident.team_id,
        event=event,
        subject=f"[{incident.severity}] {incident.title}: {verb}",
        body=f"{message}\n\nSeverity: {incident.severity}\nStatus: {incident.status}\nIncident: {incident.id}",
        severity=incident.severity,
        data={
            "title": incident.title,
            "severity": incident.severity,
            "status": incident.status,
            "service_id": str(incident.service_id) if incident.service_id else None,
            "labels": dict(incident.labels),
            "message": message,
            "started_at": incident.started_at.isoformat(),
        },
        incident_id=incident.id,
    )
