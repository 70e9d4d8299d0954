"""A page in the shape that partners' tools already read: `summary.json` of the public v2 status API."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from oncall.v1 import partner_pb2 as partner
from oncall.v1 import status_page_pb2 as status_page
from oncall.v1.partner_service_pb2 import GetStatusPageResponse

Json = dict[str, Any]

INDICATORS = {
    partner.HEADLINE_INDICATOR_NONE: "none",
    partner.HEADLINE_INDICATOR_MINOR: "minor",
    partner.HEADLINE_INDICATOR_MAJOR: "major",
    partner.HEADLINE_INDICATOR_CRITICAL: "critical",
    partner.HEADLINE_INDICATOR_MAINTENANCE: "maintenance",
}

STATUSES = {
    status_page.COMPONENT_STATUS_OPERATIONAL: "operational",
    status_page.COMPONENT_STATUS_DEGRADED_PERFORMANCE: "degraded_performance",
    status_page.COMPONENT_STATUS_PARTIAL_OUTAGE: "partial_outage",
    status_page.COMPONENT_STATUS_MAJOR_OUTAGE: "major_outage",
    status_page.COMPONENT_STATUS_UNDER_MAINTENANCE: "under_maintenance",
}


def summary(answer: GetStatusPageResponse, url: str) -> Json:
    """Answers the body; `url` is where people read the page."""
    return {
        "page": _page(answer.status_page, url),
        "components": [_component(answer, component) for component in answer.components],
        "incidents": [],
        "scheduled_maintenances": [],
        "status": {
            "indicator": INDICATORS[answer.headline.indicator],
            "description": answer.headline.description,
        },
    }


def time(timestamp: Timestamp) -> str:
    """Answers ISO 8601 in UTC with exactly three decimals; some clients fail without them."""
    moment = timestamp.ToDatetime()
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _page(page: partner.ShownStatusPage, url: str) -> Json:
    return {
        "id": page.id,
        "name": page.name,
        "url": url,
        "time_zone": page.time_zone,
        "updated_at": time(page.updated_at),
    }


def _component(answer: GetStatusPageResponse, component: partner.ShownComponent) -> Json:
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
        "page_id": answer.status_page.id,
        "group": component.group,
        "only_show_if_degraded": component.only_show_if_degraded,
    }
    if component.group:
        body["components"] = [child.id for child in answer.components if child.group_id == component.id]
    return body
