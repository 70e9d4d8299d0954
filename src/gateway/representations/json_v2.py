"""A page in the shape that partners' tools already read: the documents of the public v2 status API.

A page that is out of date has the same bytes as before: some tools refuse members they do not know, so that the age
stands in the headers alone. What people wrote stands as they wrote it, in Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from gateway.representations.json_v2_events import Events, Json
from gateway.representations.json_v2_words import INDICATORS, time
from gateway.representations.rendering import kept, rendering
from gateway.shown import Rendering, Shown
from oncall.v1 import incident_pb2 as incidents
from oncall.v1 import maintenance_pb2 as maintenances
from oncall.v1.partner_service_pb2 import GetStatusPageResponse

MEDIA_TYPE = "application/json"
NEWEST = 50
"""So many incidents or maintenances are in the lists of all of them."""

UNRESOLVED = {
    incidents.INCIDENT_STATUS_INVESTIGATING,
    incidents.INCIDENT_STATUS_IDENTIFIED,
    incidents.INCIDENT_STATUS_MONITORING,
}
UPCOMING = {maintenances.MAINTENANCE_STATUS_SCHEDULED}
ACTIVE = {maintenances.MAINTENANCE_STATUS_IN_PROGRESS, maintenances.MAINTENANCE_STATUS_VERIFYING}


def render(shown: Shown, url: str, document: str) -> Rendering:
    """Answers one of `DOCUMENTS` of the page that people read at `url`."""

    def make() -> Rendering:
        body = document_of(shown.content, url, document)
        return rendering(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), MEDIA_TYPE)

    return kept(shown, ("json_v2", url, document), make)


def document_of(content: GetStatusPageResponse, url: str, document: str) -> Json:
    """Answers the body of a document, by its path below `/api/v2/` without `.json`."""
    return {"page": _page(content, url)} | DOCUMENTS[document](content, Events(content, url))


def _page(content: GetStatusPageResponse, url: str) -> Json:
    page = content.status_page
    return {
        "id": page.id,
        "name": page.name,
        "url": url,
        "time_zone": page.time_zone,
        "updated_at": time(page.updated_at),
    }


def _summary(content: GetStatusPageResponse, events: Events) -> Json:
    return {
        **_components(content, events),
        **_unresolved(content, events),
        **_maintenances(content, events, UPCOMING | ACTIVE),
        **_status(content, events),
    }


def _status(content: GetStatusPageResponse, _: Events) -> Json:
    headline = content.headline
    return {"status": {"indicator": INDICATORS[headline.indicator], "description": headline.description}}


def _components(content: GetStatusPageResponse, events: Events) -> Json:
    return {"components": [events.components[component.id] for component in content.components]}


def _incidents(content: GetStatusPageResponse, events: Events) -> Json:
    return {"incidents": [events.incident(one) for one in content.incidents[:NEWEST]]}


def _unresolved(content: GetStatusPageResponse, events: Events) -> Json:
    return {"incidents": [events.incident(one) for one in content.incidents if one.status in UNRESOLVED]}


def _newest_maintenances(content: GetStatusPageResponse, events: Events) -> Json:
    return {"scheduled_maintenances": [events.maintenance(one) for one in content.maintenances[:NEWEST]]}


def _maintenances(content: GetStatusPageResponse, events: Events, statuses: set[Any]) -> Json:
    told = [events.maintenance(one) for one in content.maintenances if one.status in statuses]
    return {"scheduled_maintenances": told}


DOCUMENTS: Mapping[str, Callable[[GetStatusPageResponse, Events], Json]] = {
    "summary": _summary,
    "status": _status,
    "components": _components,
    "incidents": _incidents,
    "incidents/unresolved": _unresolved,
    "scheduled-maintenances": _newest_maintenances,
    "scheduled-maintenances/upcoming": lambda content, events: _maintenances(content, events, UPCOMING),
    "scheduled-maintenances/active": lambda content, events: _maintenances(content, events, ACTIVE),
}
"""Each document by its path below `/api/v2/` without `.json`."""
