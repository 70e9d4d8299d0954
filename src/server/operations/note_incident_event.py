"""Notes what happens to an incident, in the transaction in which it does, for the workflows that go by it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from kernel.team_stream import Thing
from server.domain.incident import Incident
from server.domain.workflow.context import incident_facts
from server.domain.workflow.definition import Event
from server.operations.announce import Announcer
from server.operations.change import Change
from server.storage import incident_events
from server.storage.incident_events import IncidentEvent


async def note_incident_event(
    tx: Change, announcer: Announcer, event: Event, incident: Incident, *, event_id: UUID, by: UUID | None, at: datetime
) -> None:
    facts = incident_facts(incident)
    happened = IncidentEvent(event_id, incident.id, incident.team_id, event, facts, by, at)
    await incident_events.add(tx.session, happened)
    tx.after_commit(announcer.incident_happened)
    tx.after_commit(lambda: announcer.team_changed(incident.team_id, Thing.INCIDENT, incident.id))
