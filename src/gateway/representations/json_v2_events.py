"""Components, incidents, maintenances and what was said of them, as the public v2 status API writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.representations.events import Update, address
from gateway.representations.json_v2_words import (
    IMPACTS,
    INCIDENT_STATUSES,
    MAINTENANCE_STATUSES,
    STATUSES,
    time,
)
from oncall.v1.incident_pb2 import ImpactChange, IncidentUpdate
from oncall.v1.partner_pb2 import ShownComponent
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from oncall.v1.shown_status_page_pb2 import ShownIncident, ShownMaintenance

Json = dict[str, Any]


class Events:
    """Writes what is on one page; `components` has those that the audience sees, by id."""

    def __init__(self, content: GetStatusPageResponse, url: str) -> None:
        self._url = url
        self._page_id = content.status_page.id
        self.components: Mapping[str, Json] = {one.id: self._component(content, one) for one in content.components}

    def incident(self, one: ShownIncident) -> Json:
        return {
            "id": one.id,
            "name": one.title,
            "status": INCIDENT_STATUSES[one.status],
            "created_at": time(one.created_at),
            "updated_at": time(one.updated_at),
            "monitoring_at": _time_or_null(one, "monitoring_at"),
            "resolved_at": _time_or_null(one, "resolved_at"),
            "impact": IMPACTS[one.impact],
            "shortlink": address(self._url, one.id),
            "started_at": time(one.started_at),
            "page_id": self._page_id,
            "incident_updates": self._updates(one.id, one.updates, INCIDENT_STATUSES),
            "components": self._affected(impact.component_id for impact in one.components),
        }

    def maintenance(self, one: ShownMaintenance) -> Json:
        begun = one.HasField("started_at")
        return {
            "id": one.id,
            "name": one.title,
            "status": MAINTENANCE_STATUSES[one.status],
            "created_at": time(one.created_at),
            "updated_at": time(one.updated_at),
            "monitoring_at": None,
            "resolved_at": _time_or_null(one, "ended_at"),
            "impact": "maintenance",
            "shortlink": address(self._url, one.id),
            "started_at": time(one.started_at if begun else one.scheduled_for),
            "page_id": self._page_id,
            "incident_updates": self._updates(one.id, one.updates, MAINTENANCE_STATUSES),
            "components": self._affected(one.component_ids),
            "scheduled_for": time(one.scheduled_for),
            "scheduled_until": time(one.scheduled_until),
        }

    def _component(self, content: GetStatusPageResponse, component: ShownComponent) -> Json:
        body: Json = {
            "id": component.id,
            "name": component.name,
            "status": STATUSES[component.status],
            "created_at": time(component.created_at),
            "updated_at": time(component.updated_at),
            "position": component.position,
            "description": component.description or None,
            "showcase": False,
            "start_date": None,
            "group_id": component.group_id or None,
            "page_id": self._page_id,
            "group": component.group,
            "only_show_if_degraded": component.only_show_if_degraded,
        }
        if component.group:
            body["components"] = [child.id for child in content.components if child.group_id == component.id]
        return body

    def _affected(self, components: Iterable[str]) -> list[Json]:
        return [self.components[component] for component in components if component in self.components]

    def _updates(self, event: str, updates: Iterable[Update], words: Mapping[Any, str]) -> list[Json]:
        return [
            {
                "id": update.id,
                "status": words[update.status],
                "body": update.message,
                "incident_id": event,
                "created_at": time(update.created_at),
                "updated_at": time(update.created_at),
                "display_at": time(update.created_at),
                "affected_components": self._changes(update),
                "deliver_notifications": False,
                "custom_tweet": None,
                "tweet_id": None,
            }
            for update in updates
        ]

    def _changes(self, update: Update) -> list[Json] | None:
        changes: Iterable[ImpactChange] = update.impact_changes if isinstance(update, IncidentUpdate) else ()
        told = [
            {
                "code": change.component_id,
                "name": self.components[change.component_id]["name"],
                "old_status": STATUSES.get(change.old_status, "operational"),
                "new_status": STATUSES.get(change.new_status, "operational"),
            }
            for change in changes
            if change.component_id in self.components
        ]
        return told or None


def _time_or_null(one: ShownIncident | ShownMaintenance, field: str) -> str | None:
    timestamp: Timestamp = getattr(one, field)
    return time(timestamp) if one.HasField(field) else None  # type: ignore[arg-type] # a name of either message
