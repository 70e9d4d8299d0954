"""What feed and calendar have in common: incidents and maintenances in plain words, with their times and addresses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.view.marks import INCIDENT_STATUSES, MAINTENANCE_STATUSES
from oncall.v1.incident_pb2 import IncidentUpdate
from oncall.v1.maintenance_pb2 import MaintenanceUpdate
from oncall.v1.partner_service_pb2 import GetStatusPageResponse

Update = IncidentUpdate | MaintenanceUpdate


def address(url: str, event: str) -> str:
    """Answers where the page tells of an incident or a maintenance: the page's address with the anchor of its HTML."""
    return f"{url}#event-{event}"


def utc(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def names(content: GetStatusPageResponse, components: Iterable[str]) -> list[str]:
    """Answers the names of those of the components that the audience sees."""
    known = {component.id: component.name for component in content.components}
    return [known[component] for component in components if component in known]


def status_word(update: Update) -> str:
    if isinstance(update, IncidentUpdate):
        return INCIDENT_STATUSES.get(update.status, "")
    return MAINTENANCE_STATUSES.get(update.status, "")


def written(at: datetime) -> str:
    """Answers a time as people read it where no language was asked for."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
